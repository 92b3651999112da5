//! Process states and daemon moods with the codes and names every client knows.

/// The state of one supervised process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// Not running, because it was never started or was stopped on request.
    Stopped,
    /// Spawned, but not yet alive for `startsecs`.
    Starting,
    /// Alive for at least `startsecs`.
    Running,
    /// Ended too quickly; waiting for the next attempt.
    Backoff,
    /// Asked to stop, not yet gone.
    Stopping,
    /// Ended by itself after it had been running.
    Exited,
    /// Given up after `startretries` attempts.
    Fatal,
    /// A signal could not be delivered.
    Unknown,
}

impl ProcessState {
    /// All states, in the order of their codes.
    pub const ALL: [ProcessState; 8] = [
        ProcessState::Stopped,
        ProcessState::Starting,
        ProcessState::Running,
        ProcessState::Backoff,
        ProcessState::Stopping,
        ProcessState::Exited,
        ProcessState::Fatal,
        ProcessState::Unknown,
    ];

    /// The number clients see in `getProcessInfo`.
    pub const fn code(self) -> i32 {
        match self {
            ProcessState::Stopped => 0,
            ProcessState::Starting => 10,
            ProcessState::Running => 20,
            ProcessState::Backoff => 30,
            ProcessState::Stopping => 40,
            ProcessState::Exited => 100,
            ProcessState::Fatal => 200,
            ProcessState::Unknown => 1000,
        }
    }

    /// The name clients see, in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            ProcessState::Stopped => "STOPPED",
            ProcessState::Starting => "STARTING",
            ProcessState::Running => "RUNNING",
            ProcessState::Backoff => "BACKOFF",
            ProcessState::Stopping => "STOPPING",
            ProcessState::Exited => "EXITED",
            ProcessState::Fatal => "FATAL",
            ProcessState::Unknown => "UNKNOWN",
        }
    }

    /// The state with this code.
    pub fn from_code(code: i64) -> Option<ProcessState> {
        Self::ALL.into_iter().find(|state| i64::from(state.code()) == code)
    }

    /// Whether a process in this state counts as stopped: shutdown and removal may go on.
    pub const fn is_stopped(self) -> bool {
        matches!(self, ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown)
    }
}

impl std::fmt::Display for ProcessState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the daemon as a whole is doing; `supervisor.getState` answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Supervising.
    Running,
    /// Stopping everything in order to start again with a freshly read configuration.
    Restarting,
    /// Stopping everything in order to exit.
    Shutdown,
}

impl Mood {
    /// The number clients see.
    pub const fn code(self) -> i32 {
        match self {
            Mood::Running => 1,
            Mood::Restarting => 0,
            Mood::Shutdown => -1,
        }
    }

    /// The name clients see, in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Mood::Running => "RUNNING",
            Mood::Restarting => "RESTARTING",
            Mood::Shutdown => "SHUTDOWN",
        }
    }
}
