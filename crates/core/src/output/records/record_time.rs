//! The times in records.

use std::time::Duration;

use supervisord_wire::calendar::{LocalTime, utc};

/// When something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTime {
    /// Since the epoch.
    pub wall: Duration,
    /// The same in the time zone of the system.
    pub local: LocalTime,
}

/// Before anything was read.
impl Default for ReadTime {
    fn default() -> ReadTime {
        ReadTime { wall: Duration::ZERO, local: utc(Duration::ZERO) }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Local time in a form of `strftime`, with `%L` for milliseconds and `%f` for microseconds.
pub fn formatted(form: &str, time: &ReadTime) -> String {
    let LocalTime { year, month, day, hour, minute, second, weekday, utc_offset } = time.local;
    let month_name = MONTHS.get(month.saturating_sub(1) as usize).copied().unwrap_or_default();
    let day_name = DAYS.get(weekday as usize).copied().unwrap_or_default();
    let half_day = (hour + 11) % 12 + 1;
    let (mut out, mut letters) = (String::with_capacity(form.len() + 16), form.chars());
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => out += &format!("{year:04}"),
            Some('y') => out += &format!("{:02}", year.rem_euclid(100)),
            Some('m') => out += &format!("{month:02}"),
            Some('d') => out += &format!("{day:02}"),
            Some('e') => out += &format!("{day:2}"),
            Some('j') => out += &format!("{:03}", day_of_year(year, month, day)),
            Some('H') => out += &format!("{hour:02}"),
            Some('I') => out += &format!("{half_day:02}"),
            Some('p') => out += if hour < 12 { "AM" } else { "PM" },
            Some('M') => out += &format!("{minute:02}"),
            Some('S') => out += &format!("{second:02}"),
            Some('F') => out += &format!("{year:04}-{month:02}-{day:02}"),
            Some('D') => out += &format!("{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
            Some('T') => out += &format!("{hour:02}:{minute:02}:{second:02}"),
            Some('R') => out += &format!("{hour:02}:{minute:02}"),
            Some('B') => out += month_name,
            Some('b') => out += month_name.get(..3).unwrap_or_default(),
            Some('A') => out += day_name,
            Some('a') => out += day_name.get(..3).unwrap_or_default(),
            Some('s') => out += &time.wall.as_secs().to_string(),
            Some('L') => out += &format!("{:03}", time.wall.subsec_millis()),
            Some('f') => out += &format!("{:06}", time.wall.subsec_micros()),
            Some('z') => {
                let (sign, minutes) = (if utc_offset < 0 { '-' } else { '+' }, utc_offset.unsigned_abs() / 60);
                out += &format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
            }
            // A test tells that those above are all that may be written, besides %%.
            Some(other) => out.push(other),
            None => out.push('%'),
        }
    }
    out
}

fn day_of_year(year: i32, month: u32, day: u32) -> u32 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let before = before.get(month.saturating_sub(1) as usize).copied().unwrap_or(0);
    before + day + u32::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use supervisord_config::log_form::TIME_LETTERS;

    use super::*;

    fn read_at(seconds: u64, micros: u32) -> ReadTime {
        let wall = Duration::new(seconds, micros * 1000);
        ReadTime { wall, local: LocalTime { utc_offset: -12_600, ..utc(wall) } }
    }

    #[test]
    fn every_letter_of_a_form_has_its_text() {
        let time = read_at(1_796_040_009, 4005);
        let form = "%Y %m %d %H %M %S %y %j %e %b %B %a %A %F %T %D %R %I %p %s %f %L %z %%";
        let expected = "2026 11 30 12 00 09 26 334 30 Nov November Mon Monday 2026-11-30 12:00:09 11/30/26 12:00 12 PM \
                        1796040009 004005 004 -0330 %";
        assert_eq!(formatted(form, &time), expected);
        for letter in TIME_LETTERS.chars().filter(|letter| *letter != '%') {
            assert_ne!(formatted(&format!("%{letter}"), &time), letter.to_string(), "{letter}");
        }
    }

    #[test]
    fn a_leap_day_counts() {
        assert_eq!(formatted("%j", &read_at(951_868_800, 0)), "061");
        assert_eq!(formatted("%I %p", &read_at(0, 0)), "12 AM");
    }
}
