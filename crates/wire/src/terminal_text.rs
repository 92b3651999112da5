//! Makes text of programs and other users safe to print on a terminal, which interprets control characters: they could
//! change its title, hide lines, or make it type commands.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with its control characters escaped, such as `\x1b`; it may have several lines.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_where(text, is_terminal_control)
}

/// The same for a text that is a part of one line: line feeds and tabs are escaped, too, so that it cannot look like another line
/// or column.
pub fn escaped_in_line(text: &str) -> Cow<'_, str> {
    escaped_where(text, |letter| is_terminal_control(letter) || matches!(letter, '\n' | '\t' | '\u{2028}' | '\u{2029}'))
}

fn escaped_where(text: &str, is_escaped: fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match u32::from(letter) {
            _ if !is_escaped(letter) => shown.push(letter),
            code @ ..0x100 => _ = write!(shown, "\\x{code:02x}"),
            code => _ = write!(shown, "\\u{code:04x}"),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal interprets a character instead of printing it: control characters, and those that change the
/// direction of writing, which can make one name look like another.
fn is_terminal_control(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() && !matches!(letter, '\n' | '\t') || turns
}

/// Removes terminal control sequences from a log, chunk by chunk, except for colours and the like (`ESC [ … m`). A lone
/// carriage return, which would overwrite a line, becomes a new line.
#[derive(Debug, Default)]
pub struct LogFilter {
    state: State,
    /// An incomplete character, an incomplete sequence that may be a colour, or a carriage return.
    held: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    /// After a carriage return.
    Return,
    /// Inside a character, with this many bytes missing.
    Character(usize),
    /// After ESC.
    Escape,
    /// Inside a control sequence (CSI); whether it can still be a colour.
    Sequence(bool),
    /// Inside a string for the terminal (OSC and the like), such as a title; whether the last byte was ESC.
    Title(bool),
}

/// The longest colour sequence, in bytes.
const MAX_COLOUR_BYTES: usize = 64;

/// From this byte on, 8-bit character sets such as ISO 8859-1 have printable characters; bytes 0x80 to 0x9f are control
/// characters.
const FIRST_8_BIT_PRINTABLE: u8 = 0xa0;

impl LogFilter {
    /// The printable part of a chunk. An incomplete character or sequence at its end is held back until the next chunk.
    pub fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(piece.len());
        piece.iter().for_each(|byte| self.take(*byte, &mut shown));
        shown
    }

    fn take(&mut self, byte: u8, shown: &mut Vec<u8>) {
        match self.state {
            State::Text => self.begin(byte, shown),
            State::Return => {
                shown.extend_from_slice(if byte == b'\n' { b"\r\n" } else { b"\n" });
                self.state = State::Text;
                if byte != b'\n' {
                    self.begin(byte, shown);
                }
            }
            State::Character(left) => self.continue_character(byte, left, shown),
            State::Escape => match byte {
                b'[' => self.hold(byte, State::Sequence(true)),
                b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Title(false),
                b' '..=b'/' => {}
                0x30..=0x7e => self.state = State::Text,
                _ => self.begin(byte, shown),
            },
            State::Sequence(may_be_colour) => match byte {
                b'm' if may_be_colour => {
                    shown.append(&mut self.held);
                    shown.push(byte);
                    self.state = State::Text;
                }
                b'0'..=b'9' | b';' | b':' if may_be_colour && self.held.len() < MAX_COLOUR_BYTES => {
                    self.hold(byte, State::Sequence(true));
                }
                b' '..=b'?' => self.state = State::Sequence(false),
                0x40..=0x7e => self.state = State::Text,
                _ => self.begin(byte, shown),
            },
            State::Title(was_escape) => match byte {
                b'\\' if was_escape => self.state = State::Text,
                0x07 => self.state = State::Text,
                // A string ends at the end of its line at the latest, so that the next line is not lost.
                b'\n' => self.begin(byte, shown),
                _ => self.state = State::Title(byte == 0x1b),
            },
        }
    }

    fn hold(&mut self, byte: u8, state: State) {
        self.held.push(byte);
        self.state = state;
    }

    /// A byte outside of any sequence.
    fn begin(&mut self, byte: u8, shown: &mut Vec<u8>) {
        self.held.clear();
        self.state = State::Text;
        match byte {
            b'\n' | b'\t' | b' '..=b'~' => shown.push(byte),
            b'\r' => self.state = State::Return,
            0x1b => self.hold(byte, State::Escape),
            0xc2..=0xdf => self.hold(byte, State::Character(1)),
            0xe0..=0xef => self.hold(byte, State::Character(2)),
            0xf0..=0xf4 => self.hold(byte, State::Character(3)),
            FIRST_8_BIT_PRINTABLE.. => shown.push(byte),
            // Control characters, single bytes or parts of UTF-8.
            _ => {}
        }
    }

    fn continue_character(&mut self, byte: u8, left: usize, shown: &mut Vec<u8>) {
        if !matches!(byte, 0x80..=0xbf) {
            self.print_as_8_bit_text(shown);
            return self.begin(byte, shown);
        }
        self.held.push(byte);
        if left > 1 {
            self.state = State::Character(left - 1);
            return;
        }
        self.state = State::Text;
        match str::from_utf8(&self.held).ok().and_then(|text| text.chars().next()) {
            // The C1 forms of sequences that otherwise begin with ESC.
            Some('\u{9b}') => self.state = State::Sequence(false),
            Some('\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => self.state = State::Title(false),
            Some(letter) if is_terminal_control(letter) => {}
            Some(_) => shown.extend_from_slice(&self.held),
            None => self.print_as_8_bit_text(shown),
        }
        self.held.clear();
    }

    /// The held bytes are not UTF-8: prints those that are printable in 8-bit character sets.
    fn print_as_8_bit_text(&mut self, shown: &mut Vec<u8>) {
        shown.extend(self.held.iter().filter(|byte| **byte >= FIRST_8_BIT_PRINTABLE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        for (text, shown) in [
            ("plain, äöü 日本\n\ttext", "plain, äöü 日本\n\ttext"),
            ("a\x1b]0;t\x07b", "a\\x1b]0;t\\x07b"),
            ("\u{9b}2J\u{85}\x7f\r\0", "\\x9b2J\\x85\\x7f\\x0d\\x00"),
            ("a\u{202e}b\u{2066}", "a\\u202eb\\u2066"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn a_part_of_a_line_stays_in_its_line() {
        assert_eq!(escaped_in_line("plain, äöü 日本"), "plain, äöü 日本");
        assert_eq!(escaped_in_line("a\nb\tc\r\u{2028}\x1b"), "a\\x0ab\\x09c\\x0d\\u2028\\x1b");
    }

    /// Filters the log in one piece, and byte by byte with the same result.
    fn filtered(log: &[u8]) -> Vec<u8> {
        let whole = LogFilter::default().pass(log);
        let mut filter = LogFilter::default();
        let bytes: Vec<u8> = log.iter().flat_map(|byte| filter.pass(&[*byte])).collect();
        assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&bytes));
        whole
    }

    #[test]
    fn logs_keep_colours_and_lose_the_rest() {
        for (log, shown) in [
            ("plain äöü 日本 \u{1f600}\n\ttext\n", "plain äöü 日本 \u{1f600}\n\ttext\n"),
            ("\x1b[31;1mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m", "\x1b[31;1mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m"),
            ("\x1b[2J\x1b[1;1H\x1b[?25l\x1b[>4;1mx\x1b[1 q", "x"),
            ("\x1b]0;title\x07a\x1b]52;c;cm0=\x1b\\b\x1bPq\x1b\\c\x1b_x\x1b\\d", "abcd"),
            ("\x1bcreset\x1b(Bset\x1b#8\x1b7", "resetset"),
            ("\u{9b}31mred\u{9b}2J\u{9d}0;title\u{7}x\u{90}q\x1b\\y\u{85}z", "redxyz"),
            ("a\x07\x08\x0b\x0c\x0e\x7f\0b", "ab"),
            ("a\r\nb\rc\r\r\nd", "a\r\nb\nc\n\r\nd"),
            ("a\u{202e}b", "ab"),
            ("\x1b]0;never ends\nnext\x1b[31", "\nnext"),
            ("\x1b[31\nx\x1b\x1b[1mb", "\nx\x1b[1mb"),
        ] {
            assert_eq!(String::from_utf8_lossy(&filtered(log.as_bytes())), shown, "{log:?}");
        }
        assert_eq!(filtered(b"caf\xe9 \x9b2J\x85 \xc3(\xe4\x80\x1b[1m"), b"caf\xe9 2J \xc3(\xe4\x1b[1m");
        let long = format!("\x1b[{}mx", "1;".repeat(1000));
        assert_eq!(filtered(long.as_bytes()), b"x");
    }
}
