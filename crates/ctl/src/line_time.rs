//! The times at the beginning of lines of logs, and lines of several logs in their order, without I/O.

use std::ops::Range;

/// How far the local clock is ahead of UTC at a time, both in seconds.
pub type UtcOffset<'a> = &'a dyn Fn(i64) -> i32;

/// The time that a line begins with, or that its member `time` has where it is a JSON object, in milliseconds since the epoch.
///
/// A time is a date, a `T` or a blank, and a time of day, perhaps with a fraction (`2026-11-30T12:00:00.123Z`). One without a
/// zone is local.
pub fn time_of(line: &[u8], offset: UtcOffset<'_>) -> Option<i64> {
    const MEMBER: &[u8] = b"\"time\":";
    if line.first() == Some(&b'{') {
        let at = line.windows(MEMBER.len()).position(|window| window == MEMBER)?;
        let value = line.get(at + MEMBER.len()..)?.trim_ascii_start();
        return parse(value.strip_prefix(b"\"")?, offset);
    }
    parse(line.strip_prefix(b"[").unwrap_or(line), offset)
}

/// The time that a text begins with.
pub fn parse(text: &[u8], offset: UtcOffset<'_>) -> Option<i64> {
    let number = |range: Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let is = |place: usize, letters: &[u8]| text.get(place).is_some_and(|letter| letters.contains(letter));
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_time = is(4, b"-") && is(7, b"-") && is(10, b"T ") && is(13, b":") && is(16, b":");
    let is_valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !is_time || !is_valid {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut millis = 0;
    if let [b'.' | b',', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|letter| letter.is_ascii_digit()).count();
        let digit = |place: usize| {
            fraction.get(..length).and_then(|digits| digits.get(place)).map_or(0, |digit| i64::from(digit - b'0'))
        };
        millis = digit(0) * 100 + digit(1) * 10 + digit(2);
        rest = fraction.get(length..)?;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let east = match rest {
        [b'Z', ..] => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let digits: Vec<i64> = zone
                .iter()
                .filter(|letter| **letter != b':')
                .take(4)
                .map(|digit| i64::from(*digit) - i64::from(b'0'))
                .collect();
            let [a, b, c, d] = digits
                .try_into()
                .ok()
                .filter(|digits: &[i64; 4]| digits.iter().all(|digit| (0..10).contains(digit)))?;
            let east = (a * 10 + b) * 3600 + (c * 10 + d) * 60;
            if *sign == b'-' { -east } else { east }
        }
        // The offset of a time near the one that is looked for.
        _ => i64::from(offset(seconds - i64::from(offset(seconds)))),
    };
    Some((seconds - east) * 1000 + millis)
}

/// Days from the epoch to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the day of February that some have is their last one.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Lines of several logs in the order of their times: each with the number of its log. A line without a time stays behind the one
/// before it. None where a log has lines, but none with a time.
pub fn merged<'t>(logs: &[&'t [u8]], offset: UtcOffset<'_>) -> Option<Vec<(usize, &'t [u8])>> {
    let mut lines: Vec<(i64, usize, &[u8])> = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        let mut last = None;
        let mut untimed = Vec::new();
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            // A clock that was set back does not change the order of the lines of one log.
            last = time_of(line, offset).map(|time| last.map_or(time, |last: i64| last.max(time))).or(last);
            match last {
                Some(time) => {
                    lines.extend(untimed.drain(..).map(|line| (time, number, line)));
                    lines.push((time, number, line));
                }
                None => untimed.push(line),
            }
        }
        if !untimed.is_empty() {
            return None;
        }
    }
    lines.sort_by_key(|(time, ..)| *time);
    Some(lines.into_iter().map(|(_, number, line)| (number, line)).collect())
}

/// The lines from the first one that is not older than a time, in milliseconds since the epoch, and what is known of the time
/// before them.
pub fn since<'t>(text: &'t [u8], time: i64, offset: UtcOffset<'_>) -> (&'t [u8], Reach) {
    let (mut place, mut reach) = (0, Reach::Untimed);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match time_of(line, offset) {
            Some(found) if found >= time => {
                let reach = if reach == Reach::Untimed { Reach::Later } else { reach };
                return (text.get(place..).unwrap_or_default(), reach);
            }
            Some(_) => reach = Reach::Earlier,
            None => {}
        }
        place += line.len();
    }
    (&[], reach)
}

/// How far back a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It has a line before the time.
    Earlier,
    /// All times in it are later.
    Later,
    /// No line has a time.
    Untimed,
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTC: UtcOffset<'_> = &|_| 0;

    #[test]
    fn times_of_the_usual_forms_are_known() {
        for (line, expected) in [
            ("1970-01-01T00:00:00Z x", Some(0)),
            ("2026-11-30T12:00:00.123Z web stdout | GET /", Some(1_796_040_000_123)),
            ("2026-11-30T13:00:00.123+01:00", Some(1_796_040_000_123)),
            ("2026-11-30T04:30:00-0730", Some(1_796_040_000_000)),
            ("2026-11-30 12:00:00,1 INFO", Some(1_796_040_000_100)),
            ("[2026-11-30 12:00:00.123456]", Some(1_796_040_000_123)),
            ("{\"time\":\"2026-11-30T12:00:00Z\",\"message\":\"x\"}", Some(1_796_040_000_000)),
            ("{\"a\":1, \"time\": \"2026-11-30T12:00:00Z\"}", Some(1_796_040_000_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
            ("{\"message\":\"x\"}", None),
            ("{\"time\":1}", None),
            ("2026-13-30T12:00:00Z", None),
            ("2026-11-30T12:00", None),
            ("2026-11-30T12:00:00+1", None),
            ("no time", None),
            ("", None),
        ] {
            assert_eq!(time_of(line.as_bytes(), UTC), expected, "{line}");
        }
        assert_eq!(time_of(b"2026-11-30 12:00:00", &|_| 3600), Some(1_796_036_400_000));
    }

    #[test]
    fn lines_are_merged_by_time() {
        let (web, api) = (
            b"2026-11-30T12:00:01Z w1\n  more\n2026-11-30T12:00:03Z w2\n".as_slice(),
            b"2026-11-30T12:00:02Z a1\n2026-11-30T12:00:00Z a2\n2026-11-30T12:00:03Z a3\n".as_slice(),
        );
        let lines = merged(&[web, api], UTC).expect("they have times");
        let shown: Vec<String> = lines
            .into_iter()
            .map(|(log, line)| {
                format!("{log} {}", String::from_utf8_lossy(line).trim().rsplit(' ').next().expect("a word"))
            })
            .collect();
        assert_eq!(shown, ["0 w1", "0 more", "1 a1", "1 a2", "0 w2", "1 a3"]);
        assert_eq!(merged(&[web, b"x\n"], UTC), None);
        assert_eq!(
            merged(&[b"", b"the rest of a line\n2026-11-30T12:00:02Z a\n"], UTC).map(|lines| lines.len()),
            Some(2)
        );
    }

    #[test]
    fn lines_are_shown_from_a_time_on() {
        let text = b"2026-11-30T12:00:01Z 1\nx\n2026-11-30T12:00:03Z 3\ny\n".as_slice();
        let time = |second| parse(format!("2026-11-30T12:00:0{second}Z").as_bytes(), UTC).expect("a time");
        assert_eq!(since(text, time(0), UTC), (text, Reach::Later));
        assert_eq!(since(text, time(2), UTC), (b"2026-11-30T12:00:03Z 3\ny\n".as_slice(), Reach::Earlier));
        assert_eq!(since(text, time(4), UTC), (b"".as_slice(), Reach::Earlier));
        assert_eq!(since(b"x\n", time(0), UTC), (b"".as_slice(), Reach::Untimed));
    }
}
