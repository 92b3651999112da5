//! Times since boot, in the clock ticks in which the system counts the starts of processes.

use std::time::Duration;

/// A time since boot in milliseconds.
pub fn millis(after_boot: Duration) -> u64 {
    u64::try_from(after_boot.as_millis()).unwrap_or(u64::MAX)
}

/// The time after this many ticks.
pub(crate) fn since_boot(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(tick()))
}

/// The tick of a moment, rounded as for the starts of processes.
pub(crate) fn to_tick(moment: Duration) -> Duration {
    let nanos = u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX);
    since_boot(nanos / tick())
}

/// The length of a tick in nanoseconds.
fn tick() -> u64 {
    // SAFETY: it takes no pointer and has no side effect.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
    1_000_000_000 / per_second
}
