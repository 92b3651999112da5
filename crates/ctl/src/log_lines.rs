//! Lines of several logs in one stream, without I/O.

use serde_json::json;
use supervisord_wire::terminal_text::LogFilter;

/// A line without an end is passed on when it is longer, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// The colours of names (SGR).
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// How the lines of a log are printed.
enum LineForm {
    /// As they come, by pieces: the log is alone.
    Bare,
    /// Behind this.
    Prefixed(String),
    /// As JSON objects with these members.
    Json { group: String, name: String, stream: &'static str },
}

/// A log, usually among several.
pub struct Source {
    form: LineForm,
    /// Makes its bytes safe for a terminal.
    filter: Option<LogFilter>,
    pending: Vec<u8>,
    /// Whether what was passed on as it came ends in a part of a line.
    is_within_line: bool,
    /// Whether what comes is the rest of a line whose beginning was not read.
    is_torn: bool,
}

impl Source {
    /// Logs of these names, in their order. One that is alone has no prefix, and is passed on as it comes.
    pub fn all(names: &[String], has_colours: bool, filter: impl Fn() -> Option<LogFilter>) -> Vec<Source> {
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let form = |(number, name): (usize, &String)| match (names.len(), has_colours) {
            (1, _) => LineForm::Bare,
            (_, false) => LineForm::Prefixed(format!("{name:width$} | ")),
            (_, true) => {
                LineForm::Prefixed(format!("\x1b[{}m{name:width$} |\x1b[0m ", COLOURS[number % COLOURS.len()]))
            }
        };
        let source = |form| Source::of(form, filter());
        names.iter().enumerate().map(form).map(source).collect()
    }

    /// A log whose lines become JSON objects, one a line.
    pub fn json(group: &str, name: &str, stream: &'static str) -> Source {
        let form = LineForm::Json { group: group.to_owned(), name: name.to_owned(), stream };
        Source::of(form, None)
    }

    fn of(form: LineForm, filter: Option<LogFilter>) -> Source {
        Source { form, filter, pending: Vec::new(), is_within_line: false, is_torn: false }
    }

    /// Something was not read. What is printed of the line before it; its rest, or that of another one, comes next where
    /// `is_within_line`.
    pub fn tear(&mut self, is_within_line: bool) -> Vec<u8> {
        self.is_torn = is_within_line;
        let mut printed = self.end();
        if std::mem::take(&mut self.is_within_line) {
            printed.push(b'\n');
        }
        printed
    }

    /// What is printed when these bytes have come.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes;
        if self.is_torn {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Vec::new() };
            (self.is_torn, bytes) = (false, &bytes[end + 1..]);
        }
        if let Some(last) = bytes.last().filter(|_| matches!(self.form, LineForm::Bare)) {
            self.is_within_line = *last != b'\n';
        }
        let bytes = match &mut self.filter {
            Some(filter) => filter.pass(bytes),
            None => bytes.to_vec(),
        };
        if matches!(self.form, LineForm::Bare) {
            return bytes;
        }
        let mut printed = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.pending.len() > MAX_LINE_BYTES {
                printed.extend(self.end());
            }
        }
        printed
    }

    /// What is printed of a line that has no end yet.
    pub fn end(&mut self) -> Vec<u8> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let mut line = std::mem::take(&mut self.pending);
        if line.ends_with(b"\n") {
            line.pop();
        }
        let mut printed = match &self.form {
            LineForm::Bare => line,
            LineForm::Prefixed(prefix) => [prefix.as_bytes(), &line].concat(),
            LineForm::Json { group, name, stream } => {
                let text = String::from_utf8_lossy(&line);
                json!({ "group": group, "name": name, "stream": stream, "line": text }).to_string().into_bytes()
            }
        };
        printed.push(b'\n');
        printed
    }
}

/// The last lines of a part of a log, at most so many; whether there would be more before it. The part begins at the beginning of
/// the log, or anywhere.
pub fn last_lines(part: &[u8], lines: usize, is_whole: bool) -> (&[u8], bool) {
    let ends = part.strip_suffix(b"\n").unwrap_or(part);
    let before = ends.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').nth(lines.saturating_sub(1));
    match before {
        _ if lines == 0 => (&[], true),
        Some((place, _)) => (&part[place + 1..], true),
        None => (part, is_whole),
    }
}

/// The part without a character at its end that is not complete.
pub fn whole_characters(part: &[u8]) -> &[u8] {
    let beginning = part.len().saturating_sub(3);
    let last = part.iter().enumerate().skip(beginning).rev().find(|(_, byte)| **byte & 0xc0 != 0x80);
    match last {
        Some((place, byte)) => {
            let length = match byte {
                0xf0..=0xf7 => 4,
                0xe0..=0xef => 3,
                0xc0..=0xdf => 2,
                _ => 1,
            };
            if place + length > part.len() { &part[..place] } else { part }
        }
        None => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_logs_are_not_mixed() {
        let names = ["web".to_owned(), "cache".to_owned()];
        let mut sources = Source::all(&names, false, || None);
        assert_eq!(sources[0].take(b"one\ntw"), b"web   | one\n");
        assert_eq!(sources[1].take(b"x\n"), b"cache | x\n");
        assert_eq!(sources[0].take(b"o\n"), b"web   | two\n");
        assert_eq!(
            (sources[1].take(b"end"), sources[1].end(), sources[1].end()),
            (vec![], b"cache | end\n".to_vec(), vec![])
        );
        assert!(!sources[0].take(&vec![b'x'; MAX_LINE_BYTES + 1]).is_empty(), "what never ends is passed on");
        let mut coloured = Source::all(&names, true, || Some(LogFilter::default()));
        assert_eq!(coloured[1].take(b"\x1b[2Jx\n"), b"\x1b[33mcache |\x1b[0m x\n");
    }

    #[test]
    fn the_rest_of_a_line_whose_beginning_was_not_read_is_left_out() {
        let names = ["web".to_owned(), "cache".to_owned()];
        let mut sources = Source::all(&names, false, || None);
        assert_eq!(sources[0].take(b"one\ntw"), b"web   | one\n");
        assert_eq!(sources[0].tear(true), b"web   | tw\n");
        assert_eq!(sources[0].take(b"xxx"), b"");
        assert_eq!(sources[0].take(b"xxx\nnine\n"), b"web   | nine\n");
        assert_eq!(sources[0].tear(false), b"");
        assert_eq!(sources[0].take(b"ten\n"), b"web   | ten\n");
        let mut alone = Source::all(&names[..1], false, || None);
        assert_eq!(alone[0].take(b"one\ntw"), b"one\ntw");
        assert_eq!(alone[0].tear(true), b"\n");
        assert_eq!(alone[0].take(b"xxx\nnine\n"), b"nine\n");
        assert_eq!(alone[0].tear(true), b"");
    }

    #[test]
    fn a_log_that_is_alone_is_passed_on_as_it_comes() {
        let mut sources = Source::all(&["web".to_owned()], true, || None);
        assert_eq!(sources[0].take(b"question? "), b"question? ");
    }

    #[test]
    fn the_last_lines_are_found_or_more_is_needed() {
        for (part, lines, found) in [
            (&b"a\nb\nc\n"[..], 2, (&b"b\nc\n"[..], true)),
            (b"a\nb\nc", 2, (b"b\nc", true)),
            (b"a\nb\n", 2, (b"a\nb\n", false)),
            (b"\n\n\n", 2, (b"\n\n", true)),
            (b"", 2, (b"", false)),
            (b"a\n", 0, (b"", true)),
        ] {
            assert_eq!(last_lines(part, lines, false), found, "{part:?}");
        }
        assert_eq!(last_lines(b"a\n", 5, true), (&b"a\n"[..], true));
    }

    #[test]
    fn a_part_ends_with_a_whole_character() {
        for (part, whole) in [
            (&b"a"[..], &b"a"[..]),
            ("é".as_bytes(), "é".as_bytes()),
            (b"a\xc3", b"a"),
            (b"a\xe2\x82", b"a"),
            ("a€".as_bytes(), "a€".as_bytes()),
            (b"a\xf0\x9f\x98", b"a"),
            (b"\x80\x80\x80\x80", b"\x80\x80\x80\x80"),
            (b"", b""),
        ] {
            assert_eq!(whole_characters(part), whole, "{part:?}");
        }
    }

    #[test]
    fn lines_become_json_objects_whatever_is_in_them() {
        let mut source = Source::json("g", "p", "stdout");
        let mut printed = source.take(b"one\ntw");
        printed.extend(source.take(b"o \"\xff\x1b\n"));
        printed.extend(source.take(b"end"));
        printed.extend(source.end());
        let lines: Vec<serde_json::Value> =
            String::from_utf8(printed).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let line = |text: &str| json!({"group": "g", "name": "p", "stream": "stdout", "line": text});
        assert_eq!(lines, [line("one"), line("two \"\u{fffd}\u{1b}"), line("end")]);
    }
}
