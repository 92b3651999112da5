//! The activity log as the planes see it: a level, and a queue that never blocks the writer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use supervisord_config::model::LogLevel;
use supervisord_core::activity_line;
use supervisord_core::row::LocalTime;

/// A handle on the activity log; clones write to the same log.
#[derive(Clone)]
pub struct Activity {
    level: LogLevel,
    sink: Arc<dyn Fn(String) + Send + Sync>,
}

impl Activity {
    /// A handle that hands finished lines to `sink`, which must not block.
    pub fn new(level: LogLevel, sink: impl Fn(String) + Send + Sync + 'static) -> Activity {
        Activity { level, sink: Arc::new(sink) }
    }

    /// Whether lines of this level are written at all.
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// Writes one entry, stamped with the present time.
    pub fn log(&self, level: LogLevel, text: &str) {
        if self.wants(level) {
            (self.sink)(stamp(level, text));
        }
    }
}

/// A finished line, stamped with the present time.
pub(crate) fn stamp(level: LogLevel, text: &str) -> String {
    let (local, millis) = now();
    activity_line::format(&local, millis, level, text)
}

/// The wall-clock time and its milliseconds.
fn now() -> (LocalTime, u32) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (universal(since_epoch.as_secs()), since_epoch.subsec_millis())
}

/// Calendar fields of a time in seconds since the epoch, in universal time.
fn universal(seconds: u64) -> LocalTime {
    let (days, second_of_day) = (seconds / 86400, (seconds % 86400) as u32);
    // Years that begin in March put the leap day last; 719468 days lie between the first of them and the epoch.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    LocalTime {
        year: (year_of_era + era * 400) as i32 + i32::from(month <= 2),
        month,
        day,
        hour: second_of_day / 3600,
        minute: second_of_day % 3600 / 60,
        second: second_of_day % 60,
        weekday: ((days + 4) % 7) as u32,
        utc_offset: 0,
    }
}
