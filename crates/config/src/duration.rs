//! Durations as they are written: seconds (`10`, `1.5`), or a number with a unit (`250ms`, `10s`, `5min` or `5m`, `2h`, `1d`).

use std::fmt;
use std::time::Duration;

use crate::complaint::Complaint;
use crate::pyrepr::repr;
use crate::pytext::strip;

/// The units in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

/// What is probably meant by other units.
const OTHER_UNITS: [(&str, &str); 9] = [
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
];

/// 10,000 years.
const LONGEST: Duration = Duration::from_secs(10_000 * 366 * 86_400);

/// The duration that a text stands for, in whole milliseconds.
///
/// # Errors
/// It is none; negative durations and durations of more than 10,000 years are none.
pub fn parse(text: &str) -> Result<Duration, Complaint> {
    let complaint = || Complaint::quoting("not a valid duration: ", repr(text), "");
    let stripped = strip(text);
    let end = stripped.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(stripped.len());
    let (number, unit) = (&stripped[..end], strip(&stripped[end..]).to_ascii_lowercase());
    let millis = match unit.as_str() {
        "" => 1000,
        "m" => 60_000,
        unit => match UNITS.into_iter().find(|(name, _)| *name == unit) {
            Some((_, millis)) => millis,
            None => {
                let meant = OTHER_UNITS.into_iter().find(|(other, _)| *other == unit).filter(|_| !number.is_empty());
                return Err(complaint().advise(meant.map(|(_, unit)| format!("write {number}{unit}"))));
            }
        },
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let too_long = || complaint().advise(Some(format!("write at most {}", Shown(LONGEST))));
    let is_number = !whole.is_empty() && whole.bytes().all(|digit| digit.is_ascii_digit());
    if is_number && whole.len() > 15 {
        return Err(too_long());
    }
    // Nine digits are more than a millisecond of a day needs.
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return Err(complaint());
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| complaint())?);
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| complaint())?;
    let millis = digits * u128::from(millis) / scale;
    match u64::try_from(millis).map(Duration::from_millis) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(too_long()),
    }
}

/// Displays a duration in the largest unit in which it is a whole number.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let unit = UNITS.into_iter().find(|(_, unit)| millis.is_multiple_of(u128::from(*unit))).filter(|_| millis > 0);
        let (name, unit) = unit.unwrap_or(("s", 1000));
        write!(f, "{}{name}", millis / u128::from(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (text, millis, shown) in [
            ("10", 10_000, "10s"),
            (" 1.5 ", 1500, "1500ms"),
            ("250ms", 250, "250ms"),
            ("10 s", 10_000, "10s"),
            ("5min", 300_000, "5min"),
            ("5m", 300_000, "5min"),
            ("0.5H", 1_800_000, "30min"),
            ("1d", 86_400_000, "1d"),
            ("0", 0, "0s"),
            ("90", 90_000, "90s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(Shown(duration).to_string(), shown);
            assert_eq!(parse(shown).unwrap(), duration);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_was_probably_meant() {
        for text in ["", "-1", "s", ".5", "1.", "1.2.3", "10x", "1e3", "99999999999999999999", "9999999999999d", "٣"] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("not a valid duration: '{text}'"));
        }
        assert_eq!(parse("5mins").unwrap_err().advice(), Some("write 5min"));
        assert_eq!(parse("5 Secs").unwrap_err().advice(), Some("write 5s"));
        assert_eq!(parse("mins").unwrap_err().advice(), None);
        assert_eq!(parse("m").unwrap_err().advice(), None);
        for text in ["3660001d", "9999999d", "99999999999999999999"] {
            assert_eq!(parse(text).unwrap_err().advice(), Some("write at most 3660000d"), "{text}");
        }
        assert_eq!(parse("3660000d").unwrap(), LONGEST);
    }
}
