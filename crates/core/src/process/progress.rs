//! What a machine knows, as plain data, for whoever has to keep it.

use std::sync::Arc;
use std::time::Duration;

use super::ProcessFailure;
use super::last_end::LastEnd;
use super::phase::{ProcessPhase, Timers, Wanted};
use super::recycling::Recycling;
use super::restarts::Restarts;
use super::service_status::ServiceStatus;
use super::stop_decision::StopDecision;
use crate::health::HealthProgress;

/// How far a process has got. Moments are on the monotonic clock, which goes on until the next boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub phase: ProcessPhase,
    /// What was asked for last.
    pub wanted: Wanted,
    /// What is due when.
    pub timers: Timers,
    /// The child's process id; 0 when there is none.
    pub pid: u32,
    /// When the present child was made.
    pub started: Duration,
    /// Failed attempts in a row.
    pub attempts: i64,
    /// Ends by itself, shortly after the start, in a row.
    pub quick_ends: u32,
    /// The restarts since somebody started it.
    pub restarts: Restarts,
    /// How far it has got with being recycled.
    pub recycling: Recycling,
    /// How many steps of the stop plan are done besides the first.
    pub stop_step: u32,
    /// How many commands of the [`EnvironmentPlan`](super::EnvironmentPlan) have been asked for the present start.
    pub environment_step: u32,
    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub last_start: i64,
    /// Seconds since the epoch of the last end; 0 for never.
    pub last_stop: i64,
    /// Whether the present child has said that it is ready.
    pub ready: bool,
    /// When it should have been ready, where this daemon was late to notice that, and gives it a last chance.
    pub last_chance: Option<Duration>,
    /// What the present child has said about itself.
    pub service_status: Option<Box<ServiceStatus>>,
    /// Why it is being stopped, or has been since it was to start last; none where it was not.
    pub stop_decision: Option<Arc<StopDecision>>,
    /// Its health, while it is up and something tells how it is.
    pub health: Option<Box<HealthProgress>>,
    /// What went wrong since the last start.
    pub failure: Option<ProcessFailure>,
    /// The last exit status; -1 after a signal.
    pub exit_status: Option<i32>,
    /// The signal that ended it last; none where it exited.
    pub exit_signal: Option<i32>,
    /// How its last child ended. A start does not forget it.
    pub last_end: Option<Arc<LastEnd>>,
    /// Seconds since the epoch of the last change of the state that clients see; 0 for never.
    pub since: i64,
}

/// Of a process that nobody has started yet.
impl Default for Progress {
    fn default() -> Progress {
        Progress {
            phase: ProcessPhase::NeverStarted,
            wanted: Wanted::Down,
            timers: Timers::default(),
            pid: 0,
            started: Duration::ZERO,
            attempts: 0,
            quick_ends: 0,
            restarts: Restarts::default(),
            recycling: Recycling::No,
            stop_step: 0,
            environment_step: 0,
            last_start: 0,
            last_stop: 0,
            ready: false,
            last_chance: None,
            service_status: None,
            stop_decision: None,
            health: None,
            failure: None,
            exit_status: None,
            exit_signal: None,
            last_end: None,
            since: 0,
        }
    }
}
