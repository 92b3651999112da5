//! Times after the boot, in the ticks in which the system counts when processes were started.

use std::time::Duration;

/// A time after the boot in milliseconds.
pub fn millis(after_boot: Duration) -> u64 {
    u64::try_from(after_boot.as_millis()).unwrap_or(u64::MAX)
}

/// The time after so many ticks.
pub(crate) fn since_boot(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(tick()))
}

/// The tick a moment is in, as the system counts the starts of processes.
pub(crate) fn to_tick(moment: Duration) -> Duration {
    let nanos = u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX);
    since_boot(nanos / tick())
}

/// How many nanoseconds a tick has.
fn tick() -> u64 {
    // SAFETY: it takes no pointer and has no effect.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
    1_000_000_000 / per_second
}
