//! Process states and the state of the daemon, with the original's codes and names (`supervisor/states.py`).

/// The state of one supervised process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// Never started, or stopped on request.
    Stopped,
    /// Spawned, but not yet running for `startsecs`.
    Starting,
    /// Running for at least `startsecs`.
    Running,
    /// Exited before `startsecs`; waiting for the next attempt.
    Backoff,
    /// Asked to stop, not yet exited.
    Stopping,
    /// Exited by itself after it was RUNNING.
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

    /// The number in `getProcessInfo`.
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

    /// The name in capitals.
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

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<ProcessState> {
        ProcessState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state with this code.
    pub fn from_code(code: i64) -> Option<ProcessState> {
        Self::ALL.into_iter().find(|state| i64::from(state.code()) == code)
    }

    /// Whether a process in this state counts as stopped, for shutdown and removal (`STOPPED_STATES` of the original).
    pub const fn is_stopped(self) -> bool {
        matches!(self, ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown)
    }
}

impl std::fmt::Display for ProcessState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of the daemon, the result of `supervisor.getState`; the original's name for it is "mood".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Supervising.
    Running,
    /// Stopping all processes before a restart with a reread configuration.
    Restarting,
    /// Stopping all processes before the exit.
    Shutdown,
}

impl Mood {
    /// The number in `getState`.
    pub const fn code(self) -> i32 {
        match self {
            Mood::Running => 1,
            Mood::Restarting => 0,
            Mood::Shutdown => -1,
        }
    }

    /// The name in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Mood::Running => "RUNNING",
            Mood::Restarting => "RESTARTING",
            Mood::Shutdown => "SHUTDOWN",
        }
    }
}
