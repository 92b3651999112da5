//! Why a process is stopped, and what follows.

use std::fmt;
use std::time::Duration;

use super::failure::ProcessFailure;
use crate::texts::in_seconds;

/// A decision to stop a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopDecision {
    /// Why.
    pub cause: StopCause,
    /// What follows when its child has ended.
    pub then: AfterStop,
}

/// Why a process is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// A client asked for it.
    Request,
    /// Its definition has changed or is gone, or the daemon begins anew with it.
    Configuration,
    /// The daemon ends.
    Shutdown,
    /// It was not ready in time; the text for clients.
    NotReady(String),
    /// It has not done its work in time; the text for clients.
    NotFinished(String),
    /// It is unhealthy, for this reason.
    Unhealthy(String),
    /// It has run for as long as it may.
    MaxRuntime(Duration),
    /// It has run for so long that it is to be replaced.
    RecycleAfter(Duration),
    /// Something that it depends on has failed; what, and how.
    DependencyFailure(String),
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterStop {
    /// Nothing until somebody asks for it.
    Rest,
    /// It is started again.
    Restart,
    /// A process of the same name takes its place, and is started.
    Replace,
}

impl AfterStop {
    /// All of them.
    pub const ALL: [AfterStop; 3] = [AfterStop::Rest, AfterStop::Restart, AfterStop::Replace];

    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            AfterStop::Rest => "rest",
            AfterStop::Restart => "restart",
            AfterStop::Replace => "replace",
        }
    }
}

impl StopDecision {
    /// To stop it for good.
    pub fn rest(cause: StopCause) -> StopDecision {
        StopDecision { cause, then: AfterStop::Rest }
    }

    /// To stop it and start it again.
    pub fn restart(cause: StopCause) -> StopDecision {
        StopDecision { cause, then: AfterStop::Restart }
    }

    /// Whether it ends the process although it should run.
    pub fn is_defeat(&self) -> bool {
        self.then == AfterStop::Rest && !self.cause.is_intended()
    }

    /// The failure of a child that is replaced, which counts for its restarts; none where it has not failed.
    pub(super) fn failure(&self) -> Option<ProcessFailure> {
        match (&self.cause, self.then) {
            (StopCause::NotReady(text), _) => Some(ProcessFailure::NotReady(text.clone())),
            (StopCause::NotFinished(text), _) => Some(ProcessFailure::NotFinished(text.clone())),
            (StopCause::Unhealthy(reason), AfterStop::Restart) => Some(ProcessFailure::unhealthy(reason)),
            (StopCause::Unhealthy(_), AfterStop::Rest | AfterStop::Replace)
            | (
                StopCause::Request
                | StopCause::Configuration
                | StopCause::Shutdown
                | StopCause::MaxRuntime(_)
                | StopCause::RecycleAfter(_)
                | StopCause::DependencyFailure(_),
                _,
            ) => None,
        }
    }
}

impl StopCause {
    /// The word for it in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            StopCause::Request => "request",
            StopCause::Configuration => "configuration",
            StopCause::Shutdown => "shutdown",
            StopCause::NotReady(_) => "not_ready",
            StopCause::NotFinished(_) => "not_finished",
            StopCause::Unhealthy(_) => "unhealthy",
            StopCause::MaxRuntime(_) => "max_runtime",
            StopCause::RecycleAfter(_) => "recycle_after",
            StopCause::DependencyFailure(_) => "dependency_failure",
        }
    }

    /// Whether somebody wants it to be down: a client, who ends the daemon, or who changes the configuration.
    pub const fn is_intended(&self) -> bool {
        match self {
            StopCause::Request | StopCause::Configuration | StopCause::Shutdown => true,
            StopCause::NotReady(_)
            | StopCause::NotFinished(_)
            | StopCause::Unhealthy(_)
            | StopCause::MaxRuntime(_)
            | StopCause::RecycleAfter(_)
            | StopCause::DependencyFailure(_) => false,
        }
    }

    /// What there is to say about it besides that it was stopped; none for the request of a client.
    pub fn explanation(&self) -> Option<String> {
        match self {
            StopCause::Request => None,
            StopCause::Configuration => Some("it is replaced or removed".to_owned()),
            StopCause::Shutdown => Some("supervisord is ending".to_owned()),
            StopCause::NotReady(text) | StopCause::NotFinished(text) => Some(text.clone()),
            StopCause::Unhealthy(reason) => Some(format!("unhealthy: {reason}")),
            StopCause::MaxRuntime(ran) => Some(format!("max_runtime: it ran for {}", in_seconds(*ran))),
            StopCause::RecycleAfter(ran) => Some(format!("recycle_after: it ran for {}", in_seconds(*ran))),
            StopCause::DependencyFailure(failure) => Some(format!("on_dependency_failure: {failure}")),
        }
    }
}

/// As log lines and explanations have it: `stopped`, and why where there is something to say.
impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.explanation() {
            Some(explanation) => write!(f, "stopped, {explanation}"),
            None => f.write_str("stopped"),
        }
    }
}
