//! What follows when a process has ended.

use std::time::Duration;

/// What follows when a process has ended by itself, or could not be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restart {
    /// Start it again after it ended by itself.
    pub autorestart: AutoRestart,
    /// Exit statuses that `autorestart=unexpected` takes as expected.
    pub exitcodes: Vec<i32>,
    /// When it has finished for good, the daemon stops everything and ends with its status.
    pub essential: bool,
    /// The delay of a restart.
    pub restart_delay: Option<Duration>,
    /// How the delay grows with each failure in a row.
    pub restart_backoff: Option<Backoff>,
    /// The longest delay, without what is added to spread restarts.
    pub restart_max_delay: Option<Duration>,
    /// Which part of a delay is added at random at the most.
    pub restart_jitter: Option<f64>,
    /// How often it is restarted before it is given up, in place of `startretries`.
    pub restart_limit: Option<RestartLimit>,
    /// When it is started again after it has been given up.
    pub fatal_retry: Option<Duration>,
    /// How long it may run.
    pub max_runtime: Option<Duration>,
    /// How long it runs before it is stopped and started again, one of a group at a time.
    pub recycle_after: Option<RecycleAfter>,
}

/// How long a process runs before it is recycled: somewhere between `after - spread` and `after + spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecycleAfter {
    /// The time, before it is spread.
    pub after: Duration,
    /// How much sooner or later it may be.
    pub spread: Duration,
}

/// How the delay of restarts grows with each failure in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    Fixed,
    /// By the first delay.
    Linear,
    /// To twice as long.
    Exponential,
}

impl Backoff {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Backoff::Fixed => "fixed",
            Backoff::Linear => "linear",
            Backoff::Exponential => "exponential",
        }
    }
}

/// How often a program is restarted before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartLimit {
    Unlimited,
    /// So many times within any window of this length.
    Within {
        restarts: u32,
        window: Duration,
    },
}

/// When to start a process again after it ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoRestart {
    /// Always.
    Always,
    /// Never.
    Never,
    /// When its exit status is not in `exitcodes`.
    #[default]
    Unexpected,
}
