//! The form of one entry of the activity log.

use supervisord_config::model::LogLevel;

use crate::row::LocalTime;

/// `YYYY-MM-DD HH:MM:SS,mmm CODE text` and a line feed. `millis` is 0 to 999; line feeds within the text stay.
pub fn format(local: &LocalTime, millis: u32, level: LogLevel, text: &str) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } = local;
    let code = level.code();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{millis:03} {code} {text}\n")
}

/// The system log messages of one entry: one per line, trailing line feeds removed first. As with the original, each
/// repeats the time and level and ends with a line feed.
pub fn syslog_messages(entry: &str) -> impl Iterator<Item = String> {
    let head = entry.match_indices(' ').nth(2).map_or("", |(end, _)| &entry[..=end]);
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
