//! The present time, and local time, as the pure crates want them.

use std::time::Duration;

use supervisord_core::output::records::ReadTime;
use supervisord_core::row::LocalTime;
use supervisord_core::time::Now;
use supervisord_sys::clock;
use supervisord_sys::local_time::{self, BrokenDownTime};

/// The present moment on both clocks.
pub fn present() -> Now {
    Now { mono: clock::monotonic(), wall: clock::wall() }
}

/// The present moment as the time at which something was read.
pub fn read_time() -> ReadTime {
    let wall = clock::wall();
    let seconds = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
    ReadTime { wall, local: local_time(seconds) }
}

/// Seconds since the epoch of a moment on the monotonic clock, rounded up.
pub fn epoch_of(moment: Duration) -> i64 {
    let Now { mono, wall } = present();
    let at = (wall + moment).saturating_sub(mono);
    i64::try_from(at.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// The local time of so many seconds since the epoch.
pub fn local_time(seconds: i64) -> LocalTime {
    let BrokenDownTime { year, month, day, hour, minute, second, weekday, utc_offset } =
        local_time::local_time(seconds);
    LocalTime { year, month, day, hour, minute, second, weekday, utc_offset }
}
