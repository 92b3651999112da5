//! Why a request is refused.

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request is invalid in every state.
    BadArguments,
    /// The supervisor is shutting down.
    ShuttingDown,
    /// The actor does not have the right.
    NotPermitted,
    /// There is no process or group with this name.
    UnknownName,
    /// There is no such signal.
    UnknownSignal,
    /// A file does not exist: the program, a log, the stdin of a process.
    NoFile,
    /// The program exists, but cannot be executed.
    NotExecutable,
    /// The configuration of the program does not have what the request needs; the detail tells what to write.
    NotConfigured,
    /// The same request is still being carried out.
    UnderWay,
    /// A command of the program that the request has run failed; the detail tells how.
    CommandFailed,
    /// Any other reason; see the detail.
    Failed,
    /// The process exited, or was stopped, before it was RUNNING.
    AbnormalTermination,
    /// Somebody has disabled the process; the detail tells who, when, and how to enable it.
    Disabled,
    /// The process waits for something that will not come by itself; the detail tells of both.
    DependencyFailed,
    /// The process could not be spawned.
    SpawnError,
    /// The process runs already.
    AlreadyStarted,
    /// The process does not run.
    NotRunning,
    /// The group is active already.
    AlreadyAdded,
    /// Processes of the group are still running.
    StillRunning,
    /// The configuration cannot be read.
    CannotReread,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// The name of a process or the like, or the error of the system.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal without a detail.
    pub fn new(reason: Reason) -> Refusal {
        Refusal { reason, detail: None }
    }

    /// A refusal with a detail.
    pub fn with(reason: Reason, detail: impl std::fmt::Display) -> Refusal {
        Refusal { reason, detail: Some(detail.to_string()) }
    }

    /// Whether it has this reason.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == reason
    }
}
