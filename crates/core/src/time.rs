//! The current time as a parameter: this crate never reads a clock.

use std::time::Duration;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic clock, for every delay and deadline.
    pub mono: Duration,
    /// Since the epoch, for displayed times and TICK events.
    pub wall: Duration,
}

impl Now {
    /// Whole seconds since the epoch.
    pub fn epoch(self) -> i64 {
        i64::try_from(self.wall.as_secs()).unwrap_or(i64::MAX)
    }
}

/// A configured number of seconds as a delay; negative numbers count as 0.
pub(crate) fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

/// Whether a deadline is noticed so late that nobody has looked at it in time: the daemon was stopped, did not run, or was held up.
pub(crate) fn is_noticed_late(due: Duration, now: Duration) -> bool {
    const USUAL: Duration = Duration::from_millis(100);
    now.saturating_sub(due) > USUAL
}
