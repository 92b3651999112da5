//! Local time.

use std::sync::Once;

use crate::system;

/// A wall-clock time split into local calendar fields, as in `struct tm` of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenDownTime {
    /// The full year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60, with a leap second.
    pub second: u32,
    /// 0 for Sunday.
    pub weekday: u32,
    /// Seconds east of Greenwich.
    pub utc_offset: i32,
}

/// The local time of a number of seconds since the epoch. A year beyond the system's range is shown as the epoch.
pub fn local_time(seconds: i64) -> BrokenDownTime {
    fields(seconds).or_else(|| fields(0)).unwrap_or(EPOCH)
}

const EPOCH: BrokenDownTime =
    BrokenDownTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 4, utc_offset: 0 };

fn fields(seconds: i64) -> Option<BrokenDownTime> {
    static ZONE: Once = Once::new();
    // `localtime_r` need not read TZ itself.
    // SAFETY: it reads the environment, which no thread changes: changing it is unsafe.
    ZONE.call_once(|| unsafe { tzset() });
    let time = converted(seconds)?;
    // SAFETY: all zeros is a valid value; the pointer in it is null.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid, and this variant uses no static buffer.
    if unsafe { libc::localtime_r(&time, &mut tm) }.is_null() {
        return None;
    }
    Some(BrokenDownTime {
        year: tm.tm_year.checked_add(1900)?,
        month: tm.tm_mon.unsigned_abs() + 1,
        day: tm.tm_mday.unsigned_abs(),
        hour: tm.tm_hour.unsigned_abs(),
        minute: tm.tm_min.unsigned_abs(),
        second: tm.tm_sec.unsigned_abs(),
        weekday: tm.tm_wday.unsigned_abs(),
        utc_offset: system::utc_offset(&tm, seconds)?,
    })
}

/// The type of the system's seconds is not named, because `libc` is about to change it.
fn converted<T: TryFrom<i64>>(seconds: i64) -> Option<T> {
    seconds.try_into().ok()
}

unsafe extern "C" {
    /// POSIX, but missing from the `libc` crate on some systems.
    fn tzset();
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn local_time_matches_the_date_command() {
        for seconds in [0, 951_782_400, 1_795_166_730] {
            let time = local_time(seconds);
            let (option, value) =
                if cfg!(target_os = "linux") { ("-d", format!("@{seconds}")) } else { ("-r", seconds.to_string()) };
            let shown = Command::new("date").args([option, &value, "+%Y-%m-%d %H:%M:%S %w %z"]).output().unwrap();
            let offset = time.utc_offset.unsigned_abs() / 60;
            let sign = if time.utc_offset < 0 { '-' } else { '+' };
            assert_eq!(
                format!(
                    "{}-{:02}-{:02} {:02}:{:02}:{:02} {} {sign}{:02}{:02}\n",
                    time.year,
                    time.month,
                    time.day,
                    time.hour,
                    time.minute,
                    time.second,
                    time.weekday,
                    offset / 60,
                    offset % 60
                ),
                String::from_utf8(shown.stdout).unwrap()
            );
        }
    }

    #[test]
    fn an_impossible_year_is_shown_as_the_epoch() {
        assert_eq!(local_time(i64::MAX), local_time(0));
    }
}
