//! Dates and times as people write them.

use std::time::Duration;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// A wall-clock time split into local calendar fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    /// 0 for Sunday.
    pub weekday: u32,
    /// Seconds east of Greenwich.
    pub utc_offset: i32,
}

/// The calendar fields in UTC.
pub fn utc(wall: Duration) -> LocalTime {
    let (days, second) = (wall.as_secs() / SECONDS_OF_A_DAY, wall.as_secs() % SECONDS_OF_A_DAY);
    let (year, month, day) = date(days);
    let small = |number: u64| u32::try_from(number).unwrap_or(0);
    LocalTime {
        year,
        month,
        day,
        hour: small(second / 3600),
        minute: small(second / 60 % 60),
        second: small(second % 60),
        weekday: small((days + 4) % 7),
        utc_offset: 0,
    }
}

/// The date that is so many days after the epoch, in the Gregorian calendar. Years are counted from March, so that the leap day
/// is the last of a year; 400 of them have 146,097 days.
fn date(days: u64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let small = |number: u64| u32::try_from(number).unwrap_or(0);
    (i32::try_from(year).unwrap_or(i32::MAX), small(month), small(day))
}

/// `2026-11-30T12:00:00.123Z`.
pub fn rfc_3339(wall: Duration) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } = utc(wall);
    let millis = wall.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `2026-11-30T12:00:00Z`.
pub fn rfc_3339_seconds(wall: Duration) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } = utc(wall);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_that_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (1_796_040_000, "2026-11-30T12:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc_3339(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(utc(Duration::from_secs(1_796_040_000)).weekday, 1);
    }
}
