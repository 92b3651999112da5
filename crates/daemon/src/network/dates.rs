//! Dates as log lines and pages show them.

use supervisord_core::row::{LocalTime, MONTHS};

/// `20/Nov/2026:09:21:27 +0000`.
pub fn stamp(time: &LocalTime) -> String {
    let LocalTime { year, day, hour, minute, second, utc_offset, .. } = time;
    let sign = if *utc_offset < 0 { '-' } else { '+' };
    let offset = utc_offset.unsigned_abs() / 60;
    let (hours, minutes) = (offset / 60, offset % 60);
    let month = month(time);
    format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} {sign}{hours:02}{minutes:02}")
}

/// `Fri Nov 20 09:20:42 2026`, with the day of the month padded by a blank, as C's `ctime` has it.
pub fn ctime(time: &LocalTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let LocalTime { year, day, hour, minute, second, weekday, .. } = time;
    let weekday = DAYS[(*weekday % 7) as usize];
    format!("{weekday} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}", month(time))
}

fn month(time: &LocalTime) -> &'static str {
    MONTHS[(time.month.clamp(1, 12) - 1) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: LocalTime =
        LocalTime { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7, weekday: 3, utc_offset: -12600 };

    #[test]
    fn the_stamp_has_the_offset_from_greenwich() {
        assert_eq!(stamp(&TIME), "04/Mar/2026:05:06:07 -0330");
        assert_eq!(stamp(&LocalTime { utc_offset: 3600, ..TIME }), "04/Mar/2026:05:06:07 +0100");
    }

    #[test]
    fn ctime_pads_the_day_with_a_blank() {
        assert_eq!(ctime(&TIME), "Wed Mar  4 05:06:07 2026");
    }
}
