//! The editing of one line: it takes keys and returns what to do. The key bindings are those of readline.

use crate::keys::Key;

/// The result of a key. Unless noted otherwise, the line must be redrawn.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The line may have changed.
    Edited,
    /// The key had no effect.
    Refused,
    /// Completions to list.
    Listed(Vec<String>),
    /// Clear the screen.
    Cleared,
    /// The line is complete.
    Done(String),
    /// The end of the input.
    End,
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-\.
    Quit,
    /// Ctrl-Z.
    Suspended,
}

/// The words that may replace the last word of a line, and the position of that word in bytes.
pub type Candidates<'a> = dyn Fn(&str) -> (usize, Vec<String>) + 'a;

/// A line being edited.
#[derive(Debug)]
pub struct Editor<'h> {
    line: Vec<char>,
    cursor: usize,
    history: &'h [String],
    /// The index of the shown history line; the history's length for the new line.
    place: usize,
    /// The new line, while a history line is shown.
    new: Vec<char>,
    /// The text that was cut last; it outlives the line.
    cut: Vec<char>,
    /// Whether the last key was Tab without an effect.
    is_ambiguous: bool,
    search: Option<Search>,
}

/// A backward search in the history.
#[derive(Debug)]
struct Search {
    wanted: String,
    /// Whether the shown line matches.
    is_found: bool,
    line_before: Vec<char>,
    place_before: usize,
}

impl<'h> Editor<'h> {
    /// An empty line after the history, oldest first. `cut` is the text that was cut from an earlier line.
    pub fn new(history: &'h [String], cut: Vec<char>) -> Editor<'h> {
        let place = history.len();
        Editor { line: Vec::new(), cursor: 0, history, place, new: Vec::new(), cut, is_ambiguous: false, search: None }
    }

    /// The text to show after this prompt, and the number of its characters before the cursor.
    pub fn shown(&self, prompt: &str) -> (String, usize) {
        let line: String = self.line.iter().collect();
        let begin = match &self.search {
            None => prompt.to_owned(),
            Some(Search { wanted, is_found: true, .. }) => format!("(reverse-i-search)`{wanted}': "),
            Some(Search { wanted, is_found: false, .. }) => format!("(failed reverse-i-search)`{wanted}': "),
        };
        let cursor = begin.chars().count() + self.cursor;
        (begin + &line, cursor)
    }

    /// The current text of the line.
    pub fn text(&self) -> String {
        self.line.iter().collect()
    }

    /// The text that was cut last.
    pub fn into_cut(self) -> Vec<char> {
        self.cut
    }

    /// Processes a key.
    pub fn press(&mut self, key: Key, candidates: &Candidates<'_>) -> Step {
        if self.search.is_some()
            && let Some(step) = self.press_in_search(key)
        {
            return step;
        }
        let was_ambiguous = std::mem::take(&mut self.is_ambiguous);
        match key {
            Key::Char(character) => {
                self.line.insert(self.cursor, character);
                self.cursor += 1;
                Step::Edited
            }
            Key::Enter => Step::Done(self.text()),
            Key::Tab => self.complete(was_ambiguous, candidates),
            Key::Left | Key::Control('b') => self.go(self.cursor.checked_sub(1)),
            Key::Right | Key::Control('f') => self.go(Some(self.cursor + 1)),
            Key::Home | Key::Control('a') => self.go(Some(0)),
            Key::End | Key::Control('e') => self.go(Some(self.line.len())),
            Key::WordLeft | Key::Alt('b') => self.go(Some(self.word_before(char::is_alphanumeric))),
            Key::WordRight | Key::Alt('f') => self.go(Some(self.word_after())),
            Key::Up | Key::Control('p') => self.show_line(self.place.checked_sub(1)),
            Key::Down | Key::Control('n') => self.show_line(Some(self.place + 1)),
            Key::Alt('<') => self.show_line(Some(0)),
            Key::Alt('>') => self.show_line(Some(self.history.len())),
            Key::Backspace => match self.cursor.checked_sub(1) {
                Some(before) => self.remove(before, self.cursor),
                None => Step::Refused,
            },
            Key::Control('d') if self.line.is_empty() => Step::End,
            Key::Delete | Key::Control('d') => self.remove(self.cursor, self.cursor + 1),
            Key::Control('k') => self.cut(self.cursor, self.line.len()),
            Key::Control('u') => self.cut(0, self.cursor),
            Key::Control('w') => self.cut(self.word_before(|character| !character.is_whitespace()), self.cursor),
            Key::Alt('\u{7f}') => self.cut(self.word_before(char::is_alphanumeric), self.cursor),
            Key::Alt('d') => self.cut(self.cursor, self.word_after()),
            Key::Control('y') => {
                let end = self.cursor + self.cut.len();
                self.line.splice(self.cursor..self.cursor, self.cut.iter().copied());
                self.go(Some(end))
            }
            Key::Control('t') => self.transpose(),
            Key::Control('l') => Step::Cleared,
            Key::Control('r') => {
                let (line_before, place_before) = (self.line.clone(), self.place);
                self.search = Some(Search { wanted: String::new(), is_found: true, line_before, place_before });
                Step::Edited
            }
            Key::Control('c') => Step::Interrupted,
            Key::Control('\\') => Step::Quit,
            Key::Control('z') => Step::Suspended,
            Key::Control(_) | Key::Alt(_) | Key::PageUp | Key::PageDown | Key::Escape | Key::Unknown => Step::Refused,
        }
    }

    fn go(&mut self, to: Option<usize>) -> Step {
        match to {
            Some(to) if to <= self.line.len() => {
                self.cursor = to;
                Step::Edited
            }
            _ => Step::Refused,
        }
    }

    fn remove(&mut self, from: usize, to: usize) -> Step {
        if to > self.line.len() {
            return Step::Refused;
        }
        self.line.drain(from..to);
        self.cursor = from;
        Step::Edited
    }

    fn cut(&mut self, from: usize, to: usize) -> Step {
        if from < to {
            self.cut = self.line[from..to].to_vec();
        }
        self.remove(from, to)
    }

    fn transpose(&mut self) -> Step {
        if self.cursor == 0 || self.line.len() < 2 {
            return Step::Refused;
        }
        let right = self.cursor.min(self.line.len() - 1);
        self.line.swap(right - 1, right);
        self.cursor = right + 1;
        Step::Edited
    }

    /// The start of the word at or before the cursor.
    fn word_before(&self, is_part: impl Fn(char) -> bool) -> usize {
        let before = &self.line[..self.cursor];
        let end = before.iter().rposition(|character| is_part(*character)).map_or(0, |last| last + 1);
        before[..end].iter().rposition(|character| !is_part(*character)).map_or(0, |gap| gap + 1)
    }

    /// The end of the word at or after the cursor.
    fn word_after(&self) -> usize {
        let mut end = self.cursor;
        for is_part in [false, true] {
            while self.line.get(end).is_some_and(|character| character.is_alphanumeric() == is_part) {
                end += 1;
            }
        }
        end
    }

    fn show_line(&mut self, place: Option<usize>) -> Step {
        let Some(place) = place.filter(|place| *place <= self.history.len()) else { return Step::Refused };
        if self.place == self.history.len() {
            self.new = self.line.clone();
        }
        self.line = match self.history.get(place) {
            Some(line) => line.chars().collect(),
            None => self.new.clone(),
        };
        (self.place, self.cursor) = (place, self.line.len());
        Step::Edited
    }

    /// Inserts the common prefix of all candidates; if there is nothing to insert, the second Tab lists them.
    fn complete(&mut self, again: bool, candidates: &Candidates<'_>) -> Step {
        let before: String = self.line[..self.cursor].iter().collect();
        let (start, words) = candidates(&before);
        let begun: Vec<char> = before[start..].chars().collect();
        let mut common: Vec<char> = match words.as_slice() {
            [] => return Step::Refused,
            [word] => format!("{word} ").chars().collect(),
            [first, others @ ..] => others.iter().fold(first.chars().collect(), |common, word| {
                let same = common.iter().zip(word.chars()).take_while(|(one, other)| **one == *other).count();
                common[..same].to_vec()
            }),
        };
        if common.len() > begun.len() {
            let from = self.cursor - begun.len();
            let end = from + common.len();
            self.line.splice(from..self.cursor, common.drain(..));
            return self.go(Some(end));
        }
        self.is_ambiguous = true;
        if again { Step::Listed(words) } else { Step::Refused }
    }

    /// Processes a key during a search in the history; none if the key ends the search and must be processed normally.
    fn press_in_search(&mut self, key: Key) -> Option<Step> {
        let search = self.search.as_mut()?;
        let before = match key {
            Key::Char(character) => {
                search.wanted.push(character);
                self.place + 1
            }
            Key::Backspace => {
                search.wanted.pop();
                self.history.len()
            }
            Key::Control('r') => self.place,
            Key::Control('g' | 'c') => {
                let search = self.search.take()?;
                (self.line, self.place) = (search.line_before, search.place_before);
                self.cursor = self.line.len();
                return Some(Step::Edited);
            }
            _ => {
                self.search = None;
                return None;
            }
        };
        let older = &self.history[..before.min(self.history.len())];
        match older.iter().rposition(|line| line.contains(&search.wanted)) {
            Some(place) => {
                search.is_found = true;
                let line = &self.history[place];
                let bytes = line.find(&search.wanted).unwrap_or(0);
                self.cursor = line[..bytes].chars().count();
                (self.line, self.place) = (line.chars().collect(), place);
                Some(Step::Edited)
            }
            None => {
                search.is_found = false;
                Some(Step::Edited)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Decoder;

    const HISTORY: [&str; 3] = ["status", "start cat", "stop cat"];

    fn candidates(line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(' ').map_or(0, |blank| blank + 1);
        let words = ["start", "status", "stop", "version"].map(str::to_owned);
        (start, words.into_iter().filter(|word| word.starts_with(&line[start..])).collect())
    }

    /// The last step, and the line with a bar for the cursor.
    fn typed(keys: &str) -> (Step, String) {
        let history = HISTORY.map(str::to_owned);
        let mut editor = Editor::new(&history, Vec::new());
        let (mut decoder, mut last) = (Decoder::default(), Step::Edited);
        for byte in keys.bytes() {
            if let Some(key) = decoder.take(byte) {
                last = editor.press(key, &candidates);
            }
        }
        let (shown, cursor) = editor.shown("");
        let (left, right): (String, String) =
            (shown.chars().take(cursor).collect(), shown.chars().skip(cursor).collect());
        (last, format!("{left}|{right}"))
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, line) in [
            ("abc", "abc|"),
            ("abc\x02\x02x", "ax|bc"),
            ("abc\x01x\x05y", "xabcy|"),
            ("abc\x7f", "ab|"),
            ("abc\x01\x04", "|bc"),
            ("abc\x1b[D\x1b[3~", "ab|"),
            ("one two-three\x17x", "one x|"),
            ("one two-three\x1b\x7fx", "one two-x|"),
            ("one two\x1bbx\x1bfy", "one xtwoy|"),
            ("one two\x01\x1bd", "| two"),
            ("one two\x1bb\x0b\x01\x19", "two|one "),
            ("one two\x15\x19\x19", "one twoone two|"),
            ("ab\x14", "ba|"),
            ("äöü\x02\x7f", "ä|ü"),
            ("\x7f\x02\x06x\x06\x1b[1;5D", "|x"),
        ] {
            assert_eq!(typed(keys).1, line, "{keys:?}");
        }
    }

    #[test]
    fn the_history_can_be_walked_and_the_new_line_is_kept() {
        for (keys, line) in [
            ("\x10", "stop cat|"),
            ("\x1b[A\x1bOA\x10\x10", "status|"),
            ("new\x10\x10\x0e\x0e", "new|"),
            ("new\x1b<x", "statusx|"),
            ("new\x1b<\x1b>", "new|"),
        ] {
            assert_eq!(typed(keys).1, line, "{keys:?}");
        }
        assert_eq!(typed("\x0e").0, Step::Refused);
    }

    #[test]
    fn the_history_can_be_searched() {
        for (keys, line) in [
            ("\x12cat", "(reverse-i-search)`cat': stop |cat"),
            ("\x12cat\x12", "(reverse-i-search)`cat': start |cat"),
            ("\x12cat\x12\x12", "(failed reverse-i-search)`cat': start |cat"),
            ("\x12stax\x7f", "(reverse-i-search)`sta': |start cat"),
            ("x\x12cat\x07y", "xy|"),
            ("\x12cat\x05s", "stop cats|"),
        ] {
            assert_eq!(typed(keys).1, line, "{keys:?}");
        }
        assert_eq!(typed("\x12cat\r").0, Step::Done("stop cat".to_owned()));
    }

    #[test]
    fn tab_completes_and_lists() {
        assert_eq!(typed("v\t"), (Step::Edited, "version |".to_owned()));
        assert_eq!(typed("help s\t"), (Step::Edited, "help st|".to_owned()));
        assert_eq!(typed("st\t"), (Step::Refused, "st|".to_owned()));
        let all = ["start", "status", "stop"].map(str::to_owned).to_vec();
        assert_eq!(typed("st\t\t"), (Step::Listed(all), "st|".to_owned()));
        assert_eq!(typed("x\t\t").0, Step::Refused);
        assert_eq!(typed("v x\x01\x06\t"), (Step::Edited, "version | x".to_owned()));
    }

    #[test]
    fn keys_that_end_the_editing() {
        assert_eq!(typed("abc\r").0, Step::Done("abc".to_owned()));
        assert_eq!(typed("\x04").0, Step::End);
        assert_eq!(typed("a\x01\x04\x04").0, Step::End);
        assert_eq!(typed("a\x04").0, Step::Refused);
        assert_eq!(typed("a\x03").0, Step::Interrupted);
        assert_eq!(typed("a\x1a").0, Step::Suspended);
        assert_eq!(typed("a\x1c").0, Step::Quit);
    }

    proptest::proptest! {
        #[test]
        fn any_keys_leave_the_cursor_in_the_line(
            keys in "([a-z \u{1}-\u{1f}\u{7f}é]|\u{1b}\\[[A-DHF]|\u{1b}\\[3~|\u{1b}[bdf<>\u{7f}]){0,40}",
        ) {
            let (_, line) = typed(&keys);
            proptest::prop_assert_eq!(line.matches('|').count(), 1);
        }
    }
}
