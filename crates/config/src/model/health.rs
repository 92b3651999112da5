//! How the health of a process is watched.

use std::sync::Arc;
use std::time::Duration;

use crate::probe::Probe;

/// How the health of a process is watched while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is asked at intervals; none where it is not checked.
    pub healthcheck: Option<Arc<Probe>>,
    /// The time from the end of one check to the next.
    pub healthcheck_interval: Duration,
    /// How long a check may take.
    pub healthcheck_timeout: Duration,
    /// How many checks in a row must fail for it to be unhealthy.
    pub healthcheck_retries: u32,
    /// How long after it has begun to run failures do not count, unless a check has succeeded.
    pub healthcheck_start_period: Duration,
    /// The time from the end of one check to the next within that period.
    pub healthcheck_start_interval: Duration,
    /// How often it must say by itself that it is alive; none where it need not.
    pub watchdog: Option<Duration>,
    /// What follows when it becomes unhealthy.
    pub on_unhealthy: OnUnhealthy,
}

impl Health {
    /// Whether anything tells how it is.
    pub fn is_watched(&self) -> bool {
        self.healthcheck.is_some() || self.watchdog.is_some()
    }
}

/// What follows when a program becomes unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// Nothing, but that it is shown.
    #[default]
    None,
    /// It is stopped, and started again by its restart policy.
    Restart,
    /// It is stopped.
    Stop,
    /// It gets this signal.
    Signal(i32),
}
