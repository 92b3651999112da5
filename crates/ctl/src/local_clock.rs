//! Times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use supervisord_sys::local_time::local_time;

/// Now, in seconds since the epoch.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// A time in seconds since the epoch as the activity log has it, such as `2026-11-30 18:41:02,123`, in local time.
pub fn time_of_day(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0) as i64;
    let time = local_time(milliseconds.div_euclid(1000));
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}",
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        milliseconds.rem_euclid(1000)
    )
}
