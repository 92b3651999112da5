//! How a process is asked, and then made, to end.

use std::time::Duration;

/// How a process is asked, and then made, to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// The signals that ask it to stop, one after the other.
    pub stopsignal: StopSignals,
    /// Seconds from each of them to the next, and to SIGKILL.
    pub stopwaitsecs: i64,
    /// What is done instead of both, where it is written.
    pub stop_sequence: Option<StopSteps>,
    /// Send the stop signal to the process group.
    pub stopasgroup: bool,
    /// Send SIGKILL to the process group.
    pub killasgroup: bool,
    /// Whom all signals of a stop reach, in place of both.
    pub kill_scope: Option<StopScope>,
}

/// Whom the signals of a stop reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopScope {
    /// The process.
    Process,
    /// Its process group.
    Group,
    /// All its descendants.
    Tree,
    /// All in its cgroup, which it gets for itself.
    Cgroup,
}

impl StopScope {
    /// All of them.
    pub const ALL: [StopScope; 4] = [StopScope::Process, StopScope::Group, StopScope::Tree, StopScope::Cgroup];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            StopScope::Process => "process",
            StopScope::Group => "group",
            StopScope::Tree => "tree",
            StopScope::Cgroup => "cgroup",
        }
    }
}

/// The numbers of the signals that ask a process to stop: nearly always one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSignals {
    /// The first one.
    pub first: i32,
    /// Those that follow if it does not exit.
    pub more: Vec<i32>,
}

impl From<i32> for StopSignals {
    fn from(signal: i32) -> StopSignals {
        StopSignals { first: signal, more: Vec::new() }
    }
}

/// SIGTERM.
impl Default for StopSignals {
    fn default() -> StopSignals {
        15.into()
    }
}

/// How a program is stopped, step by step: `exec:/bin/drain:30s, TERM:10s, KILL`. SIGKILL can only be the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSteps(pub Vec<StopStep>);

/// What is done, and how long the program has to exit before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// What is done.
    pub action: StopAction,
    /// The time until the next step.
    pub wait: Duration,
}

/// What is done in a step of a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAction {
    /// The signal of this number is sent.
    Signal(i32),
    /// This command line is run, as a hook is.
    Exec(String),
}
