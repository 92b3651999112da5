//! Draws the edited line on the terminal.
//!
//! It uses only carriage return, backspace and spaces, so that it works on every terminal, dumb ones included. Of a
//! line that is too long, it shows a part.

use unicode_width::UnicodeWidthChar;

/// The width if the terminal reports none.
pub const USUAL_WIDTH: usize = 80;

/// The minimal width for editing.
const LEAST_WIDTH: usize = 8;

/// The part of the edited line that the terminal shows.
#[derive(Debug, Default)]
pub struct Screen {
    shown: Vec<char>,
    /// The number of shown characters before the cursor.
    cursor: usize,
}

impl Screen {
    /// The output that shows a text with the cursor before this character.
    pub fn draw(&mut self, text: &str, cursor: usize, width: usize) -> String {
        let (visible, cursor) = part(&escaped(text, cursor), width);
        let mut output = String::new();
        let is_longer = visible.starts_with(&self.shown);
        if is_longer && self.cursor == self.shown.len() && cursor == visible.len() {
            output.extend(&visible[self.shown.len()..]);
        } else if visible != self.shown {
            output.push('\r');
            output.extend(&visible);
            let rest = columns(&self.shown).saturating_sub(columns(&visible));
            output.extend(std::iter::repeat_n(' ', rest));
            output.extend(std::iter::repeat_n('\u{8}', rest + columns(&visible[cursor..])));
        } else if cursor < self.cursor {
            output.extend(std::iter::repeat_n('\u{8}', columns(&visible[cursor..self.cursor])));
        } else {
            output.extend(&visible[self.cursor..cursor]);
        }
        (self.shown, self.cursor) = (visible, cursor);
        output
    }

    /// The output that completes the line: shows all of it, and moves the cursor to the next line.
    pub fn finish(&mut self, text: &str) -> String {
        let length = text.chars().count();
        let output = self.draw(text, length, usize::MAX) + "\n";
        *self = Screen::default();
        output
    }
}

/// The first character of a colour sequence in a prompt.
const ESCAPE: char = '\u{1b}';

/// The length of the colour sequence at the beginning of a text, such as `ESC [ 31 m`.
fn colour(text: &[char]) -> Option<usize> {
    let parameters = text.strip_prefix(&[ESCAPE, '['])?;
    let length = parameters.iter().take_while(|c| c.is_ascii_digit() || **c == ';').count();
    (parameters.get(length) == Some(&'m')).then_some(length + 3)
}

/// The text with its control characters escaped, except for colours, and the position of the cursor in it.
fn escaped(text: &str, cursor: usize) -> (Vec<char>, usize) {
    let characters: Vec<char> = text.chars().collect();
    let (mut visible, mut place, mut colour_end) = (Vec::new(), 0, 0);
    for (index, &character) in characters.iter().enumerate() {
        if index == cursor {
            place = visible.len();
        }
        if let Some(length) = colour(&characters[index..]) {
            colour_end = index + length;
        }
        match character {
            character if index < colour_end => visible.push(character),
            '\0'..'\u{20}' | '\u{7f}' => visible.extend(['^', char::from(character as u8 ^ 0x40)]),
            character if character.is_control() => visible.extend(character.escape_unicode()),
            character => visible.push(character),
        }
    }
    if cursor >= characters.len() {
        place = visible.len();
    }
    (visible, place)
}

/// The part around the cursor that fits, without colours if the text is cut. The last column stays free for the cursor,
/// so that nothing wraps.
fn part((visible, cursor): &(Vec<char>, usize), width: usize) -> (Vec<char>, usize) {
    let room = width.max(LEAST_WIDTH) - 1;
    if columns(visible) <= room {
        return (visible.clone(), *cursor);
    }
    let (cursor, visible) = (plain(&visible[..*cursor]).len(), plain(visible));
    let mut begin = cursor - fitting(visible[..cursor].iter().rev(), room - 2);
    // Scrolls in steps, so that the text does not move with every key.
    if begin > 0 {
        begin = (begin.div_ceil(room / 2) * (room / 2)).min(cursor);
    }
    let end = begin + fitting(visible[begin..].iter(), room - usize::from(begin > 0));
    let mut shown: Vec<char> = if begin > 0 { vec!['<'] } else { Vec::new() };
    shown.extend(&visible[begin..end]);
    (shown, cursor - begin + usize::from(begin > 0))
}

/// How many of these characters fit into this many columns.
fn fitting<'c>(characters: impl Iterator<Item = &'c char>, columns: usize) -> usize {
    let mut used = 0;
    let fits = |character: &&char| {
        used += character.width().unwrap_or(0);
        used <= columns
    };
    characters.take_while(fits).count()
}

/// The text without colours.
fn plain(text: &[char]) -> Vec<char> {
    let (mut plain, mut rest) = (Vec::new(), text);
    while let Some((&character, behind)) = rest.split_first() {
        rest = match colour(rest) {
            Some(length) => &rest[length..],
            None => {
                plain.push(character);
                behind
            }
        };
    }
    plain
}

fn columns(text: &[char]) -> usize {
    plain(text).iter().map(|character| character.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a terminal with one endless line, and returns its content.
    fn played(output: &str) -> (String, usize) {
        let (mut cells, mut cursor): (Vec<char>, usize) = (Vec::new(), 0);
        for character in output.chars() {
            match character {
                '\r' => cursor = 0,
                '\u{8}' => cursor -= 1,
                character => {
                    if cursor == cells.len() {
                        cells.push(' ');
                    }
                    cells[cursor] = character;
                    cursor += 1;
                }
            }
        }
        (cells.into_iter().collect::<String>().trim_end().to_owned(), cursor)
    }

    #[test]
    fn text_typed_at_the_end_is_appended() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw("> ", 2, 80), "> ");
        assert_eq!(screen.draw("> a", 3, 80), "a");
        assert_eq!(screen.draw("> a", 2, 80), "\u{8}");
        assert_eq!(screen.draw("> a", 3, 80), "a");
        assert_eq!(screen.finish("> a"), "\n");
    }

    #[test]
    fn the_terminal_shows_the_text_with_its_cursor() {
        let mut screen = Screen::default();
        let mut output = String::new();
        for (text, cursor) in [("> abc", 5), ("> abc", 3), ("> axbc", 4), ("> c", 2), ("> ", 2), ("> x\u{1}", 4)] {
            output += &screen.draw(text, cursor, 80);
            let (shown, place) = played(&output);
            let visible = text.replace('\u{1}', "^A");
            assert_eq!(shown, visible.trim_end());
            assert_eq!(place, if text.contains('\u{1}') { 5 } else { cursor });
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_shown_around_the_cursor() {
        let text: String = ('a'..='z').collect();
        for cursor in 0..=26 {
            let (shown, place) = part(&escaped(&text, cursor), 12);
            assert!(columns(&shown) <= 11, "{shown:?}");
            assert_eq!(shown.get(place).copied(), text.chars().nth(cursor).filter(|_| place < shown.len()));
            assert!(place <= 11 && (cursor < 26 || place == shown.len()), "{cursor}: {place}");
        }
        let wide = "> 漢字漢字漢字漢字";
        let (shown, _) = part(&escaped(wide, 10), 12);
        assert!(columns(&shown) <= 11, "{shown:?}");
    }

    #[test]
    fn a_prompt_keeps_only_colour_sequences() {
        let prompt = "\u{1b}[1;31mprod\u{1b}[0m> ";
        let mut screen = Screen::default();
        assert_eq!(screen.draw(prompt, prompt.len(), 80), prompt);
        assert_eq!(screen.draw(&format!("{prompt}ab"), prompt.len() + 1, 80), format!("\r{prompt}ab\u{8}"));
        let (shown, place) = part(&escaped(&format!("{prompt}abcdefgh"), prompt.len() + 8), 12);
        assert!(!shown.contains(&ESCAPE) && place == shown.len() && columns(&shown) <= 11, "{shown:?}");
        let (visible, _) = escaped("\u{1b}]0;x\u{1b}[2J", 0);
        assert_eq!(visible.iter().collect::<String>(), "^[]0;x^[[2J");
    }

    #[test]
    fn a_finished_line_is_shown_completely() {
        let mut screen = Screen::default();
        let text: String = ('a'..='z').collect();
        let mut output = screen.draw(&text, 26, 12);
        output += &screen.finish(&text);
        assert!(played(&output).0.starts_with(&text));
    }

    proptest::proptest! {
        /// Whatever is drawn after whatever: the terminal shows it, and the cursor is where it belongs.
        #[test]
        fn any_sequence_of_lines_is_drawn_correctly(
            lines in proptest::collection::vec(("[a-z\u{1}\u{7f} ]{0,40}", 0usize..41, 0usize..60), 1..8),
        ) {
            let mut screen = Screen::default();
            let mut output = String::new();
            for (line, cursor, width) in lines {
                output += &screen.draw(&line, cursor, width);
                let (shown, place) = played(&output);
                let (visible, expected) = part(&escaped(&line, cursor), width);
                let visible: String = visible.iter().collect();
                proptest::prop_assert_eq!(shown, visible.trim_end());
                proptest::prop_assert_eq!(place, expected);
            }
        }
    }
}
