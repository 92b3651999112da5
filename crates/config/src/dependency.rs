//! What a process depends on, and what becomes of it when that fails.

use std::fmt;

/// One thing that a process depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// As it is written, while the names of the other programs are not known yet.
    Written(String),
    /// A process, or all processes of a group, in a condition.
    On {
        /// The group.
        group: String,
        /// The process; none for all of the group.
        process: Option<String>,
        /// What must hold.
        condition: DependencyCondition,
    },
}

impl Dependency {
    /// The dependency of a text of the form that [`Display`](fmt::Display) gives, `GROUP:PROCESS:CONDITION` or
    /// `GROUP:*:CONDITION`; any other text is as it is written.
    pub fn from_text(text: &str) -> Dependency {
        Dependency::resolved(text).unwrap_or_else(|| Dependency::Written(text.to_owned()))
    }

    fn resolved(text: &str) -> Option<Dependency> {
        let (name, condition) = text.rsplit_once(':')?;
        let condition = DependencyCondition::from_word(condition)?;
        let (group, process) = name.split_once(':')?;
        let process = (process != "*").then(|| process.to_owned());
        Some(Dependency::On { group: group.to_owned(), process, condition })
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dependency::Written(text) => f.write_str(text),
            Dependency::On { group, process, condition } => {
                write!(f, "{group}:{}:{}", process.as_deref().unwrap_or("*"), condition.word())
            }
        }
    }
}

/// What must hold of a process for those that depend on it to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyCondition {
    /// It has a process, or has had one and ended by itself.
    Started,
    /// It is RUNNING.
    Running,
    /// It is ready, which is RUNNING.
    Ready,
    /// It is healthy.
    Healthy,
    /// It has ended by itself.
    Exited,
    /// It has ended by itself with an expected status.
    ExitedOk,
}

impl DependencyCondition {
    /// All conditions.
    pub const ALL: [DependencyCondition; 6] = [
        DependencyCondition::Started,
        DependencyCondition::Running,
        DependencyCondition::Ready,
        DependencyCondition::Healthy,
        DependencyCondition::Exited,
        DependencyCondition::ExitedOk,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            DependencyCondition::Started => "started",
            DependencyCondition::Running => "running",
            DependencyCondition::Ready => "ready",
            DependencyCondition::Healthy => "healthy",
            DependencyCondition::Exited => "exited",
            DependencyCondition::ExitedOk => "exited_ok",
        }
    }

    /// The condition of a word.
    pub fn from_word(word: &str) -> Option<DependencyCondition> {
        DependencyCondition::ALL.into_iter().find(|condition| condition.word() == word)
    }

    /// Whether the process must have ended.
    pub const fn is_an_end(self) -> bool {
        matches!(self, DependencyCondition::Exited | DependencyCondition::ExitedOk)
    }
}

/// What becomes of a process when another one fails on which it depends: ends unexpectedly, becomes FATAL, or,
/// where it depends on the health of that one, becomes unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDependencyFailure {
    /// Nothing.
    #[default]
    Ignore,
    /// It is stopped.
    Stop,
    /// It is stopped, and started when its dependencies allow it.
    Restart,
}

impl OnDependencyFailure {
    /// All reactions.
    pub const ALL: [OnDependencyFailure; 3] =
        [OnDependencyFailure::Ignore, OnDependencyFailure::Stop, OnDependencyFailure::Restart];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            OnDependencyFailure::Ignore => "ignore",
            OnDependencyFailure::Stop => "stop",
            OnDependencyFailure::Restart => "restart",
        }
    }

    /// The reaction of a word.
    pub fn from_word(word: &str) -> Option<OnDependencyFailure> {
        OnDependencyFailure::ALL.into_iter().find(|reaction| reaction.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_dependency_is_read_back_from_its_text() {
        for text in ["db:db:ready", "workers:*:exited_ok", "g:odd:name:started"] {
            let dependency = Dependency::from_text(text);
            assert!(matches!(dependency, Dependency::On { .. }), "{text}");
            assert_eq!(dependency.to_string(), text);
        }
        for text in ["db", "db:ready", "workers:*", "db:db:nothing"] {
            assert_eq!(Dependency::from_text(text), Dependency::Written(text.to_owned()));
        }
    }
}
