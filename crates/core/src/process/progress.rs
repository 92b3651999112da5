//! A machine as plain data, for whoever has to keep it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_wire::state::ProcessState;

use super::phase::{Phase, Timers, Wanted};
use super::{Failure, Machine};

/// How far a process has got: a [`Machine`] as plain data. This is what is handed over in an upgrade, so that the names of
/// its fields are a format, which both the release before and the one to come read: what is new has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The state that clients see. With the other fields it tells the [`Phase`].
    pub state: ProcessState,
    /// The child's process id; 0 when there is none.
    pub pid: u32,
    /// When the present child was started, on the monotonic clock.
    pub started: Duration,
    /// When the timer of the phase is due, on the monotonic clock.
    pub deadline: Option<Duration>,
    /// Failed attempts in a row.
    pub attempts: i64,
    /// Ends by itself, shortly after the start, in a row.
    pub quick_ends: u32,
    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub last_start: i64,
    /// Seconds since the epoch of the last end; 0 for never.
    pub last_stop: i64,
    /// What went wrong last; empty when nothing did.
    pub spawn_error: String,
    /// The last exit status; -1 after a signal.
    pub exit_status: Option<i32>,
    /// What was asked for last, where the phase does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// How many steps of the stop plan are done besides the first.
    #[serde(default, skip_serializing_if = "is_first")]
    pub stop_step: u32,
}

fn is_first(step: &u32) -> bool {
    *step == 0
}

impl Progress {
    fn phase(&self) -> Phase {
        match self.state {
            ProcessState::Stopped if self.last_start == 0 => Phase::NeverStarted,
            ProcessState::Stopped => Phase::Stopped,
            ProcessState::Starting if self.pid == 0 => Phase::Spawning,
            ProcessState::Starting => Phase::Settling,
            ProcessState::Running => Phase::Up,
            ProcessState::Stopping => Phase::Stopping,
            ProcessState::Exited if self.deadline.is_some() => Phase::WaitingToRestart,
            ProcessState::Exited => Phase::Exited,
            ProcessState::Backoff => Phase::BackingOff,
            ProcessState::Fatal => Phase::GivenUp,
            ProcessState::Unknown => Phase::Unreachable,
        }
    }
}

impl From<Machine> for Progress {
    fn from(machine: Machine) -> Progress {
        let Machine {
            phase,
            wanted,
            timers,
            pid,
            started,
            attempts,
            quick_ends,
            stop_step,
            last_start,
            last_stop,
            failure,
            exit_status,
        } = machine;
        Progress {
            state: phase.state(),
            pid,
            started,
            deadline: phase.timer().and_then(|timer| timers.get(timer)),
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error: failure.map(|failure| failure.to_string()).unwrap_or_default(),
            exit_status,
            wanted: (wanted != phase.implies()).then_some(wanted),
            stop_step,
        }
    }
}

impl From<Progress> for Machine {
    fn from(progress: Progress) -> Machine {
        let phase = progress.phase();
        let Progress {
            state: _,
            pid,
            started,
            deadline,
            attempts,
            quick_ends,
            last_start,
            last_stop,
            spawn_error,
            exit_status,
            wanted,
            stop_step,
        } = progress;
        let mut timers = Timers::default();
        if let (Some(timer), Some(at)) = (phase.timer(), deadline) {
            timers.set(timer, at);
        }
        Machine {
            phase,
            wanted: wanted.unwrap_or(phase.implies()),
            timers,
            pid,
            started,
            attempts,
            quick_ends,
            stop_step,
            last_start,
            last_stop,
            failure: Failure::from_text(spawn_error),
            exit_status,
        }
    }
}
