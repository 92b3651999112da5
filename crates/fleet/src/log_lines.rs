//! Lines of the pieces of many logs, and what is missing between the pieces.

use std::collections::BTreeMap;

use supervisord_wire::terminal_text::{escaped, escaped_in_line};

use crate::host_name::HostName;
use crate::log_place::SentLogPlace;
use crate::request::LogPiece;

/// The longest line that is put together, in bytes.
const MAX_LINE: usize = 64 << 10;
/// The most logs of which something is kept.
const MAX_LOGS: usize = 65_536;
/// The most that is kept of lines that are not complete, of all logs, in bytes.
const MAX_UNFINISHED: usize = 16 << 20;

/// Makes whole lines of pieces.
#[derive(Default)]
pub(crate) struct LogLines {
    is_json: bool,
    logs: BTreeMap<(HostName, String), KnownLog>,
    /// How much of `logs` is text of lines that are not complete, in bytes.
    unfinished: usize,
    has_too_many: bool,
    complaint: Option<String>,
}

/// What is known of one log.
#[derive(Default)]
struct KnownLog {
    /// What no line feed has ended yet.
    unfinished: String,
    /// How far it has been read.
    place: Option<SentLogPlace>,
}

/// What is missing before a piece.
#[derive(Default)]
struct Missing {
    /// How many bytes have not arrived.
    bytes: u64,
    /// Whether there may be more, and nobody knows how much.
    is_gap: bool,
}

impl LogLines {
    /// Of no log yet; each piece is a line of JSON, or lines of text.
    pub(crate) fn new(is_json: bool) -> LogLines {
        LogLines { is_json, ..LogLines::default() }
    }

    /// What is printed for a piece.
    pub(crate) fn take(&mut self, host: &HostName, piece: LogPiece) -> String {
        let key = (host.clone(), piece.program.clone());
        let mut passing = KnownLog::default();
        let is_kept = self.logs.len() < MAX_LOGS || self.logs.contains_key(&key);
        let log = if is_kept { self.logs.entry(key.clone()).or_default() } else { &mut passing };
        if !is_kept && !std::mem::replace(&mut self.has_too_many, true) {
            self.complaint = Some(format!(
                "more than {MAX_LOGS} logs are followed: of further ones, such as that of {} on {host}, lines may come in parts, and \
                 what an outage cuts off is not named",
                escaped(&piece.program)
            ));
        }
        let before = log.unfinished.len();
        let Some((text, missing)) = log.unread(&piece) else { return String::new() };
        let (dropped, is_gap) = (piece.dropped, piece.is_gap || missing.is_gap);
        if self.is_json {
            if text.is_empty() && dropped + missing.bytes == 0 && !is_gap {
                return String::new();
            }
            let (program, dropped) = (&piece.program, dropped + missing.bytes);
            let told = serde_json::json!({
                "host": host, "program": program, "text": text, "dropped": dropped, "gap": is_gap
            });
            return format!("{told}\n");
        }
        let mut told = String::new();
        let program = escaped_in_line(&piece.program);
        if missing.bytes > 0 || is_gap || dropped > 0 {
            // The rest of that line does not come.
            if !log.unfinished.is_empty() {
                told.push_str(&line(&key, &std::mem::take(&mut log.unfinished)));
            }
            if missing.bytes > 0 {
                told += &format!("{host}  {program}  ({} bytes left out: they did not arrive)\n", missing.bytes);
            }
            if is_gap {
                told +=
                    &format!("{host}  {program}  (output may be missing here: the log is another one than before)\n");
            }
            if dropped > 0 {
                told += &format!("{host}  {program}  ({dropped} bytes left out: the log grows too fast)\n");
            }
        }
        log.unfinished.push_str(text);
        let kept = &mut log.unfinished;
        while let Some(end) = kept.find('\n').or_else(|| (kept.len() > MAX_LINE).then_some(kept.len())) {
            told.push_str(&line(&key, &kept[..end]));
            kept.drain(..kept.len().min(end + 1));
        }
        if is_kept {
            self.unfinished = self.unfinished + log.unfinished.len() - before;
            told + &self.make_room()
        } else {
            told + &Self::taken(&key, log)
        }
    }

    /// Prints the longest of what is not complete, where there is too much of it. What follows on it is a line of its own.
    fn make_room(&mut self) -> String {
        let mut told = String::new();
        while self.unfinished > MAX_UNFINISHED {
            let Some((key, log)) = self.logs.iter_mut().max_by_key(|(_, log)| log.unfinished.len()) else { break };
            self.unfinished -= log.unfinished.len();
            told += &Self::taken(key, log);
        }
        told
    }

    /// What is not complete of a log, as a line.
    fn taken(key: &(HostName, String), log: &mut KnownLog) -> String {
        let text = std::mem::take(&mut log.unfinished);
        if text.is_empty() { text } else { line(key, &text) }
    }

    /// What there is to say besides the logs, once.
    pub(crate) fn take_complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    /// How far the logs of a host have been read, of at most so many.
    pub(crate) fn places(&self, host: &HostName, most: usize) -> BTreeMap<String, SentLogPlace> {
        let logs = self.logs.range((host.clone(), String::new())..).take_while(|((other, _), _)| other == host);
        logs.filter_map(|((_, program), log)| Some((program.clone(), log.place?))).take(most).collect()
    }

    /// What no line feed has ended.
    pub(crate) fn rest(&self) -> String {
        let unfinished = self.logs.iter().filter(|(_, log)| !log.unfinished.is_empty());
        unfinished.map(|(key, log)| line(key, &log.unfinished)).collect()
    }
}

impl KnownLog {
    /// The text of a piece that has not been read, and what is missing before it; none where all of it has been read.
    fn unread<'a>(&mut self, piece: &'a LogPiece) -> Option<(&'a str, Missing)> {
        let text = piece.text.as_str();
        let known = self.place;
        self.place = piece.place.or(known);
        let (Some(known), Some(after), Some(place)) = (known, piece.after, piece.place) else {
            return Some((text, Missing::default()));
        };
        if known == after {
            return Some((text, Missing::default()));
        }
        let Some(ahead) = known.bytes_to(&after) else {
            // It goes on in another file than the one that was read last, and not where that one was left.
            return Some((text, Missing { bytes: 0, is_gap: true }));
        };
        if let Ok(bytes) = u64::try_from(ahead) {
            return Some((text, Missing { bytes, is_gap: false }));
        }
        // It has come in part already, because it was asked for again.
        match known.bytes_to(&place) {
            Some(left) if left <= 0 && !piece.is_gap => {
                self.place = Some(known);
                None
            }
            Some(left) => {
                let begin = text.len().saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
                Some((text.get(begin..).unwrap_or(text), Missing::default()))
            }
            None => Some((text, Missing::default())),
        }
    }
}

fn line((host, program): &(HostName, String), text: &str) -> String {
    format!("{host}  {}  {}\n", escaped_in_line(program), escaped(text.trim_end_matches('\r')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, after: &str, place: &str) -> LogPiece {
        let (after, place) = (after.parse().ok(), place.parse().ok());
        LogPiece { program: "web".to_owned(), text: text.to_owned(), after, place, ..LogPiece::default() }
    }

    fn host(name: &str) -> HostName {
        HostName::parse(name).unwrap()
    }

    #[test]
    fn a_program_cannot_look_like_a_line_of_another_host() {
        let mut lines = LogLines::new(false);
        let forged = LogPiece { program: "x\nweb2  web  well".to_owned(), dropped: 1, ..piece("a\n", "", "") };
        let told = lines.take(&host("web1"), forged);
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.lines().all(|line| line.starts_with("web1  x")), "{told}");
    }

    #[test]
    fn pieces_become_lines_of_their_host() {
        let mut lines = LogLines::new(false);
        let mut take =
            |name: &str, text: &str, dropped| lines.take(&host(name), LogPiece { dropped, ..piece(text, "", "") });
        assert_eq!(take("a", "one\ntw", 0), "a  web  one\n");
        assert_eq!(take("b", "x\u{1b}[31m\r\n", 0), "b  web  x\\x1b[31m\n");
        assert_eq!(take("a", "o\n", 0), "a  web  two\n");
        assert_eq!(take("a", "cut", 0), "");
        let told = "a  web  cut\na  web  (7 bytes left out: the log grows too fast)\na  web  four\n";
        assert_eq!(take("a", "four\n", 7), told);
        assert_eq!(take("a", "", 9), "a  web  (9 bytes left out: the log grows too fast)\n");
        assert_eq!(take("a", "end", 0), "");
        assert_eq!(lines.rest(), "a  web  end\n");
    }

    #[test]
    fn many_logs_lose_neither_places_nor_text() {
        let mut lines = LogLines::new(false);
        let of = |number: usize, text: &str| LogPiece { program: format!("p{number}"), ..piece(text, "", "7") };
        let (first, rest) = ("x".repeat(MAX_LINE), "y".repeat(MAX_LINE - 1));
        assert_eq!(lines.take(&host("a"), of(0, &first)), "");
        let mut told = String::new();
        for number in 1..=MAX_UNFINISHED / MAX_LINE {
            told += &lines.take(&host("a"), of(number, &rest));
        }
        // The longest makes room for the last, and what follows on it is a line of its own.
        assert_eq!(told, format!("a  p0  {first}\n"));
        assert_eq!(lines.take(&host("a"), of(0, "z\n")), "a  p0  z\n");
        assert_eq!(lines.take(&host("a"), of(1, "!\n")), format!("a  p1  {rest}!\n"));
        assert_eq!(lines.unfinished, lines.logs.values().map(|log| log.unfinished.len()).sum::<usize>());
        // Places are kept, and where there are too many, this is said.
        for number in lines.logs.len()..MAX_LOGS {
            lines.take(&host("a"), of(number, ""));
        }
        assert_eq!((lines.places(&host("a"), usize::MAX).len(), lines.take_complaint()), (MAX_LOGS, None));
        assert_eq!(lines.take(&host("b"), of(0, "one\ntwo")), "b  p0  one\nb  p0  two\n");
        assert!(
            lines
                .take_complaint()
                .is_some_and(|told| told.contains(&format!("{MAX_LOGS} logs")) && told.contains("p0 on b"))
        );
        lines.take(&host("b"), of(1, "three"));
        assert_eq!((lines.places(&host("a"), usize::MAX).len(), lines.take_complaint()), (MAX_LOGS, None));
    }

    #[test]
    fn what_does_not_arrive_is_told_and_what_comes_twice_is_not() {
        let mut lines = LogLines::new(false);
        let mut take = |piece| lines.take(&host("a"), piece);
        assert_eq!(take(piece("one\n", "", "4")), "a  web  one\n");
        assert_eq!(take(piece("two\n", "4", "8-f")), "a  web  two\n");
        // Twice, whole and in part.
        assert_eq!(take(piece("two\n", "4", "8-f")), "");
        assert_eq!(take(piece("two\nthree\n", "4", "14-f")), "a  web  three\n");
        assert_eq!(take(piece("x\n", "24-f", "26-f")), "a  web  (10 bytes left out: they did not arrive)\na  web  x\n");
        // Another file: as it should be, and after a loss.
        assert_eq!(take(piece("y\n", "26-f", "2-e")), "a  web  y\n");
        let told = take(piece("z\n", "2-d", "4-d"));
        assert!(told.starts_with("a  web  (output may be missing here") && told.ends_with("a  web  z\n"), "{told}");
        assert_eq!(lines.places(&host("a"), 9), [("web".to_owned(), "4-d".parse().unwrap())].into());
        assert!(lines.places(&host("b"), 9).is_empty());
    }
}
