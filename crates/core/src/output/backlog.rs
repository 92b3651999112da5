//! Output that waits for a log that takes none, and what is given up of it where there is too much.

use std::collections::VecDeque;

use supervisord_config::model::WhenBlocked;

/// What waits, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    bytes: VecDeque<u8>,
    /// Whether the log ends in a part of a line, of which the rest is the first that waits.
    is_within_line: bool,
}

impl Backlog {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The oldest bytes; all of them if they are not many.
    pub fn oldest(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Whether the log ends in a part of a line, of which the rest comes next.
    pub fn is_within_line(&self) -> bool {
        self.is_within_line
    }

    /// These bytes have been written without having waited.
    pub fn passed(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.is_within_line = *last != b'\n';
        }
    }

    /// So many of the oldest bytes have been written.
    pub fn written(&mut self, count: usize) {
        if let Some(last) = self.bytes.drain(..count.min(self.bytes.len())).next_back() {
            self.is_within_line = last != b'\n';
        }
    }

    /// Forgets what waits, and gives how many bytes that were.
    pub fn give_up(&mut self) -> usize {
        let lost = self.bytes.len();
        self.bytes.clear();
        lost
    }

    /// Adds bytes behind those that wait, of which there may be `most`, and gives how many are lost. Lines that are chosen by a
    /// policy are lost as a whole; without one, what does not fit is.
    pub fn push(&mut self, bytes: &[u8], most: usize, policy: Option<WhenBlocked>) -> usize {
        let room = most.saturating_sub(self.bytes.len());
        if bytes.len() <= room {
            self.bytes.extend(bytes);
            return 0;
        }
        match policy {
            Some(WhenBlocked::DropOldest) => {
                self.bytes.extend(bytes);
                self.drop_oldest(bytes.len() - room)
            }
            Some(WhenBlocked::DropNewest | WhenBlocked::Spill(_)) => {
                let lines = bytes[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                self.bytes.extend(&bytes[..lines]);
                let begun = if lines == 0 { self.cut_open_line() } else { 0 };
                bytes.len() - lines + begun
            }
            Some(WhenBlocked::Block) | None => {
                self.bytes.extend(&bytes[..room]);
                bytes.len() - room
            }
        }
    }

    /// Drops the beginning of a line whose rest is lost, and gives how many bytes that were. A line that has been written in part
    /// ends.
    fn cut_open_line(&mut self) -> usize {
        let end = self.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let begun = self.bytes.len() - end;
        self.bytes.truncate(end);
        if end == 0 && self.is_within_line {
            self.bytes.push_back(b'\n');
        }
        begun
    }

    /// Drops whole lines, so many bytes at least, but not the rest of the line that has been written in part.
    fn drop_oldest(&mut self, excess: usize) -> usize {
        let end_of_line = |from: usize| {
            let found = self.bytes.range(from..).position(|byte| *byte == b'\n');
            found.map(|at| from + at + 1)
        };
        let first = if self.is_within_line { end_of_line(0) } else { Some(0) };
        let start = first.filter(|start| start + excess <= self.bytes.len()).unwrap_or(0);
        let end = end_of_line(start + excess - 1).unwrap_or(self.bytes.len());
        self.bytes.drain(start..end);
        if start == 0 && self.is_within_line {
            self.bytes.push_front(b'\n');
        }
        end - start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(backlog: &Backlog) -> String {
        String::from_utf8(backlog.bytes.iter().copied().collect()).unwrap()
    }

    #[test]
    fn the_oldest_lines_are_dropped_as_a_whole() {
        let mut backlog = Backlog::default();
        for line in ["one\n", "two\n", "three\n"] {
            assert_eq!(backlog.push(line.as_bytes(), 14, Some(WhenBlocked::DropOldest)), 0);
        }
        assert_eq!(backlog.push(b"x\n", 14, Some(WhenBlocked::DropOldest)), 4);
        assert_eq!(text(&backlog), "two\nthree\nx\n");
        backlog.written(2);
        assert_eq!(backlog.push(b"four\nfive\n", 14, Some(WhenBlocked::DropOldest)), 6);
        assert_eq!(text(&backlog), "o\nx\nfour\nfive\n", "the rest of a line stays");
        assert_eq!(backlog.push(&[b'y'; 20], 14, Some(WhenBlocked::DropOldest)), 32);
        assert_eq!((text(&backlog).as_str(), backlog.give_up()), ("o\n", 2));
        backlog.passed(b"half");
        assert_eq!(backlog.push(&[b'y'; 20], 14, Some(WhenBlocked::DropOldest)), 20);
        assert_eq!(text(&backlog), "\n", "a line that was written in part ends");
    }

    #[test]
    fn the_newest_lines_are_dropped_as_a_whole() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.push(b"one\ntwo\nthree\n", 10, Some(WhenBlocked::DropNewest)), 6);
        assert_eq!(text(&backlog), "one\ntwo\n");
        assert_eq!(backlog.push(b"a\nb\n", 10, Some(WhenBlocked::DropNewest)), 2);
        assert_eq!((text(&backlog).as_str(), backlog.give_up(), backlog.len()), ("one\ntwo\na\n", 10, 0));
    }

    #[test]
    fn the_beginning_of_a_line_is_dropped_with_its_rest() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.push(b"one\nhalf", 10, Some(WhenBlocked::DropNewest)), 0);
        assert_eq!(backlog.push(b" a line\n", 10, Some(WhenBlocked::DropNewest)), 12);
        assert_eq!(text(&backlog), "one\n");
        backlog.written(4);
        backlog.passed(b"half");
        assert_eq!(backlog.push(b" a long line\n", 10, Some(WhenBlocked::DropNewest)), 13);
        assert_eq!(text(&backlog), "\n", "a line that was written in part ends");
    }

    #[test]
    fn without_a_policy_what_does_not_fit_is_lost() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.push(b"one\ntwo\n", 6, None), 2);
        assert_eq!(text(&backlog), "one\ntw");
        assert!(!backlog.is_empty());
        backlog.written(6);
        assert!(backlog.is_empty() && backlog.is_within_line);
        backlog.passed(b"o\n");
        assert!(!backlog.is_within_line);
    }

    proptest! {
        #[test]
        fn what_waits_and_what_is_lost_is_all_there_was(
            lines in proptest::collection::vec(0usize..9, 1..30),
            writes in proptest::collection::vec(0usize..9, 30),
            policy in prop::sample::select(vec![None, Some(WhenBlocked::DropOldest), Some(WhenBlocked::DropNewest)]),
        ) {
            const MOST: usize = 20;
            let (mut backlog, mut written, mut lost, mut all) = (Backlog::default(), Vec::new(), 0, 0);
            for (number, (length, write)) in lines.iter().zip(&writes).enumerate() {
                let line = format!("{}\n", char::from(b'a' + number as u8 % 26).to_string().repeat(*length));
                all += line.len();
                lost += backlog.push(line.as_bytes(), MOST, policy);
                prop_assert!(backlog.len() <= MOST);
                let count = (*write).min(backlog.oldest().len());
                written.extend_from_slice(&backlog.oldest()[..count]);
                backlog.written(count);
            }
            written.extend(&backlog.bytes);
            prop_assert_eq!(written.len() + lost, all);
            if policy.is_some() {
                let whole = |line: &[u8]| line.iter().all(|byte| *byte == line[0]);
                prop_assert!(written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).all(whole));
            }
        }
    }
}
