//! The search for a line in the output of a process.

use supervisord_config::line_pattern::LinePattern;

/// How much of a line is looked at, in bytes.
pub const MOST: usize = 4096;

/// Looks for a line that a pattern matches. A line counts when its line feed has come, and no more than its first [`MOST`] bytes
/// do; what is not UTF-8 in it counts as U+FFFD.
#[derive(Debug)]
pub struct LineWatch {
    pattern: LinePattern,
    /// The line that has not ended yet, as far as it is looked at.
    line: Vec<u8>,
}

impl LineWatch {
    /// A search that goes on where another one had seen these last bytes: what they have of a line that has not ended.
    pub fn resume(pattern: LinePattern, last: &[u8]) -> LineWatch {
        let rest = last.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut watch = LineWatch { pattern, line: Vec::new() };
        watch.keep(rest);
        watch
    }

    /// Looks at a piece of output. Returns whether a line of it matches.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        bytes.split_inclusive(|byte| *byte == b'\n').any(|piece| {
            let (piece, has_ended) = match piece {
                [piece @ .., b'\n'] => (piece, true),
                piece => (piece, false),
            };
            if has_ended && self.line.is_empty() {
                return self.is_match(&piece[..piece.len().min(MOST)]);
            }
            self.keep(piece);
            if !has_ended {
                return false;
            }
            let line = std::mem::take(&mut self.line);
            self.is_match(&line)
        })
    }

    /// What it has seen of the line that has not ended yet.
    pub fn into_rest(self) -> Vec<u8> {
        self.line
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn is_match(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.pattern.is_match(&String::from_utf8_lossy(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(pattern: &str) -> LineWatch {
        LineWatch::resume(LinePattern::parse(pattern).unwrap(), b"")
    }

    #[test]
    fn a_line_is_found_however_it_comes() {
        let text = b"starting\r\nread\xc3\xa9y? not ready\nready: 7\r\nmore\n";
        for size in 1..=text.len() {
            let mut watch = watch("^ready: [0-9]+$");
            let found: Vec<usize> =
                text.chunks(size).enumerate().filter(|(_, piece)| watch.push(piece)).map(|(at, _)| at).collect();
            let end = text.len() - b"more\n".len() - 1;
            assert_eq!(found, [end / size], "pieces of {size}");
        }
    }

    #[test]
    fn a_line_counts_when_it_has_ended() {
        let mut watch = watch("ready");
        assert!(!watch.push(b"ready"));
        assert!(watch.push(b"\n"));
    }

    #[test]
    fn only_the_beginning_of_a_long_line_is_looked_at_and_kept() {
        let mut watch = watch("ready");
        let long = vec![b'x'; 3 * MOST];
        assert!(!watch.push(&long));
        assert_eq!(watch.line.len(), MOST);
        assert!(!watch.push(b"ready\n"));
        assert!(!watch.push(&[long.as_slice(), b"ready\n"].concat()));
        assert!(watch.push(b"ready\n"));
    }

    #[test]
    fn another_one_goes_on_with_a_line() {
        let pattern = LinePattern::parse("^ready$").unwrap();
        let mut first = LineWatch::resume(pattern.clone(), b"");
        assert!(!first.push(b"early\nrea"));
        let mut second = LineWatch::resume(pattern.clone(), &first.into_rest());
        assert!(second.push(b"dy\n"));
        let mut third = LineWatch::resume(pattern, b"ready\nrea");
        assert!(third.push(b"dy\n"), "and what has ended was looked at");
    }

    #[test]
    fn what_is_not_utf_8_does_not_hide_a_line() {
        assert!(watch("ready").push(b"\xff\xfe ready \x80\n"));
    }
}
