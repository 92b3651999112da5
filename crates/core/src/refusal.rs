//! Why something that was asked for is not done.

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// What was asked makes no sense, whatever the state.
    BadArguments,
    /// The supervisor is ending.
    ShuttingDown,
    /// Who asks has no right to it.
    NotPermitted,
    /// There is no process or group of this name.
    UnknownName,
    /// There is no such signal.
    UnknownSignal,
    /// A file is missing: the program, a log, the stdin of a process.
    NoFile,
    /// The program is there, but cannot be executed.
    NotExecutable,
    /// Anything else; the detail tells what.
    Failed,
    /// The process ended, or was stopped, before it ran.
    AbnormalTermination,
    /// The process could not be made.
    SpawnError,
    /// The process runs already.
    AlreadyStarted,
    /// The process does not run.
    NotRunning,
    /// The group is active already.
    AlreadyAdded,
    /// Processes of the group still run.
    StillRunning,
    /// The configuration cannot be read.
    CannotReread,
}

/// Why something that was asked for is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// What it is about, such as the name of a process, or how the system put it.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal about which there is nothing to add.
    pub fn new(reason: Reason) -> Refusal {
        Refusal { reason, detail: None }
    }

    /// A refusal that says what it is about.
    pub fn with(reason: Reason, detail: impl std::fmt::Display) -> Refusal {
        Refusal { reason, detail: Some(detail.to_string()) }
    }

    /// Whether it is of this kind.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == reason
    }
}
