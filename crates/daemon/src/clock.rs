//! The present time, and local time, as the pure crates want them.

use supervisord_core::row::LocalTime;
use supervisord_core::time::Now;
use supervisord_sys::clock;
use supervisord_sys::local_time::{self, BrokenDownTime};

/// The present moment on both clocks.
pub fn present() -> Now {
    Now { mono: clock::monotonic(), wall: clock::wall() }
}

/// The local time of so many seconds since the epoch.
pub fn local_time(seconds: i64) -> LocalTime {
    let BrokenDownTime { year, month, day, hour, minute, second, weekday, utc_offset } =
        local_time::local_time(seconds);
    LocalTime { year, month, day, hour, minute, second, weekday, utc_offset }
}
