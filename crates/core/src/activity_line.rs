//! The format of an entry of the activity log.

use std::borrow::Cow;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_wire::calendar::{LocalTime, rfc_3339};

use crate::json_text;

/// `YYYY-MM-DD HH:MM:SS,mmm CODE text` and a line feed. `millis` is 0 to 999; line feeds within the text stay. Lines of
/// the text that look like another entry are indented by a tab, so that text of programs and clients cannot forge
/// entries.
pub fn format(local: &LocalTime, millis: u32, level: LogLevel, text: &str) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } = local;
    let (code, text) = (level.code(), unmistakable(text));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{millis:03} {code} {text}\n")
}

/// `{"time":"…","level":"info","message":"text"}` and a line feed; the time is in UTC.
pub fn json(wall: Duration, level: LogLevel, text: &str) -> String {
    let mut line =
        format!("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"", rfc_3339(wall), level.word()).into_bytes();
    json_text::push(text.as_bytes(), &mut line);
    line.extend_from_slice(b"\"}\n");
    String::from_utf8_lossy(&line).into_owned()
}

/// The text with all lines but the first changed if they look like an entry.
fn unmistakable(text: &str) -> Cow<'_, str> {
    if !text.lines().skip(1).any(looks_like_an_entry) {
        return text.into();
    }
    let mark = |(number, line)| if number > 0 && looks_like_an_entry(line) { ["\t", line] } else { ["", line] };
    text.split_inclusive('\n').enumerate().flat_map(mark).collect::<String>().into()
}

/// Whether a line begins with a time and the code of a level, or with text that could be taken for a code.
fn looks_like_an_entry(line: &str) -> bool {
    const SHAPE: &[u8; 28] = b"9999-99-99 99:99:99,999 AAAA";
    let line = line.as_bytes();
    let fits = |(shape, byte): (&u8, &u8)| match shape {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        mark => byte == mark,
    };
    line.len() >= SHAPE.len() && SHAPE.iter().zip(line).all(fits)
}

/// The level and the text of an entry, without trailing line feeds. Of JSON the text is all of it.
pub fn parts(entry: &str) -> (Option<LogLevel>, &str) {
    let entry = entry.trim_end_matches('\n');
    if let Some((_, rest)) = entry.strip_prefix('{').and_then(|json| json.split_once("\"level\":\"")) {
        let word = rest.split('"').next().unwrap_or_default();
        return (LogLevel::ALL.into_iter().find(|level| level.word() == word), entry);
    }
    let mut fields = entry.splitn(4, ' ').skip(2);
    let level = fields.next().and_then(|code| LogLevel::ALL.into_iter().find(|level| level.code() == code));
    match (level, fields.next()) {
        (Some(level), Some(text)) => (Some(level), text),
        _ => (None, entry),
    }
}

/// The system log messages of one entry: one per line, after trailing line feeds are removed. As in the original, each
/// repeats the time and the level and ends with a line feed.
pub fn syslog_messages(entry: &str) -> impl Iterator<Item = String> {
    let head =
        entry.match_indices(' ').nth(2).filter(|_| !entry.starts_with('{')).map_or("", |(end, _)| &entry[..=end]);
    let text = entry[head.len()..].trim_end_matches('\n');
    text.split('\n').map(move |line| format!("{head}{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_padded() {
        let local =
            LocalTime { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7, weekday: 3, utc_offset: 3600 };
        assert_eq!(format(&local, 8, LogLevel::Warn, "a\nb"), "2026-03-04 05:06:07,008 WARN a\nb\n");
        assert_eq!(format(&local, 999, LogLevel::Info, ""), "2026-03-04 05:06:07,999 INFO \n");
    }

    #[test]
    fn output_cannot_forge_entries_of_the_activity_log() {
        let local =
            LocalTime { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7, weekday: 3, utc_offset: 0 };
        let forged = "2026-03-04 05:06:07,008 INFO exited: p (exit status 0; expected)";
        let text =
            format!("'p' stdout output:\nplain\n{forged}\n\n {forged}\n2026-03-04 05:06:07,008 - INFO\n{forged}");
        let entry = format(&local, 8, LogLevel::Debug, &text);
        let expected = format!(
            "2026-03-04 05:06:07,008 DEBG 'p' stdout output:\nplain\n\t{forged}\n\n {forged}\n\
             2026-03-04 05:06:07,008 - INFO\n\t{forged}\n"
        );
        assert_eq!(entry, expected);
    }

    #[test]
    fn an_object_is_one_line() {
        let entry = json(Duration::from_millis(1_796_040_000_123), LogLevel::Warn, "a\nb \"c\" d e");
        let expected =
            "{\"time\":\"2026-11-30T12:00:00.123Z\",\"level\":\"warn\",\"message\":\"a\\nb \\\"c\\\" d e\"}\n";
        assert_eq!(entry, expected);
        assert_eq!(syslog_messages(&entry).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn every_syslog_message_has_time_and_level() {
        let messages = |text| syslog_messages(text).collect::<Vec<_>>();
        let entry = "2026-03-04 05:06:07,008 DEBG 'p' stdout output:\na b\n\nc\n\n";
        let head = "2026-03-04 05:06:07,008 DEBG ";
        let expected = ["'p' stdout output:\n", "a b\n", "\n", "c\n"].map(|line| format!("{head}{line}"));
        assert_eq!(messages(entry), expected);
        assert_eq!(messages("2026-03-04 05:06:07,008 INFO \n"), ["2026-03-04 05:06:07,008 INFO \n"]);
        assert_eq!(messages("x\ny"), ["x\n", "y\n"]);
    }
}
