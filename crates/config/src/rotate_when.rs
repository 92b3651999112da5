//! When a log is rotated by time, as it is written: `daily`, `03:30`, `6h`.

use std::fmt;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::duration::{self, Shown};
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;
const WEEK: u32 = 7 * DAY;
/// A longer time is a typing error.
const LONGEST: u32 = 366 * DAY;

/// The words and the times between two rotations that they stand for, in seconds.
const WORDS: [(&str, u32); 3] = [("hourly", HOUR), ("daily", DAY), ("weekly", WEEK)];

const EXPECTED: &str = "write hourly, daily, weekly, a time of day such as 03:30, or an interval such as 6h";

/// The times of local clocks at which a log is rotated: those that are `offset` later than a multiple of `period` after
/// midnight of a Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RotateWhen {
    /// In seconds; not 0.
    pub period: u32,
    /// In seconds, less than the period.
    pub offset: u32,
}

impl RotateWhen {
    /// What a text means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<RotateWhen, Complaint> {
        let complaint = || Complaint::quoting("not a valid time of rotation: ", repr(text), "");
        let word = strip(text).to_ascii_lowercase();
        if let Some((_, period)) = WORDS.into_iter().find(|(known, _)| *known == word) {
            return Ok(RotateWhen { period, offset: 0 });
        }
        if let Some((hour, minute)) = word.split_once(':') {
            let part = |text: &str, limit: u32| {
                let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
                text.parse::<u32>().ok().filter(|number| is_number && *number < limit)
            };
            let (Some(hour), Some(minute)) = (part(hour, 24), part(minute, 60)) else {
                return Err(complaint().advise("write a time of day from 00:00 to 23:59".to_owned()));
            };
            return Ok(RotateWhen { period: DAY, offset: hour * HOUR + minute * MINUTE });
        }
        let meant = || did_you_mean(&word, WORDS.map(|(known, _)| known)).unwrap_or_else(|| EXPECTED.to_owned());
        let period = duration::parse(&word).map_err(|_| complaint().advise(meant()))?;
        match u32::try_from(period.as_secs()) {
            Ok(seconds) if (MINUTE..=LONGEST).contains(&seconds) && period.subsec_millis() == 0 => {
                Ok(RotateWhen { period: seconds, offset: 0 })
            }
            _ => Err(complaint().advise("write an interval of whole seconds from 1min to 366d".to_owned())),
        }
    }
}

impl fmt::Display for RotateWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, WORDS.into_iter().find(|(_, period)| *period == self.period)) {
            (RotateWhen { offset: 0, .. }, Some((word, _))) => f.write_str(word),
            (RotateWhen { offset: 0, period }, None) => Shown(Duration::from_secs((*period).into())).fmt(f),
            (RotateWhen { offset, .. }, _) => write!(f, "{:02}:{:02}", offset / HOUR, offset % HOUR / MINUTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_rotation_is_a_word_a_time_of_day_or_an_interval() {
        for (text, period, offset, shown) in [
            ("daily", DAY, 0, "daily"),
            (" Hourly ", HOUR, 0, "hourly"),
            ("weekly", WEEK, 0, "weekly"),
            ("03:30", DAY, 12_600, "03:30"),
            ("3:30", DAY, 12_600, "03:30"),
            ("00:00", DAY, 0, "daily"),
            ("6h", 6 * HOUR, 0, "6h"),
            ("90min", 90 * MINUTE, 0, "90min"),
            ("60", MINUTE, 0, "1min"),
            ("1d", DAY, 0, "daily"),
        ] {
            let when = RotateWhen::parse(text).expect(text);
            assert_eq!(when, RotateWhen { period, offset }, "{text}");
            assert_eq!(RotateWhen::parse(shown), Ok(when), "{shown}");
            assert_eq!(RotateWhen::parse(&when.to_string()), Ok(when), "{when}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_write() {
        for (text, advice) in [
            ("dayly", "did you mean daily?"),
            ("sometimes", EXPECTED),
            ("", EXPECTED),
            ("24:00", "write a time of day from 00:00 to 23:59"),
            ("3:60", "write a time of day from 00:00 to 23:59"),
            ("+3:30", "write a time of day from 00:00 to 23:59"),
            ("03:30:00", "write a time of day from 00:00 to 23:59"),
            ("10", "write an interval of whole seconds from 1min to 366d"),
            ("90.5", "write an interval of whole seconds from 1min to 366d"),
            ("400d", "write an interval of whole seconds from 1min to 366d"),
        ] {
            let complaint = RotateWhen::parse(text).expect_err(text);
            assert_eq!(complaint.to_string(), format!("not a valid time of rotation: {}", repr(text)));
            assert_eq!(complaint.advice(), Some(advice), "{text}");
        }
    }
}
