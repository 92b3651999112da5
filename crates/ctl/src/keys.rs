//! Decodes the bytes of a terminal into keys.

/// A key or a key combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A printable character.
    Char(char),
    /// Ctrl and this character, in lower case.
    Control(char),
    /// Alt, or Escape before it, and this character.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    WordLeft,
    WordRight,
    /// Escape alone, see [`Decoder::end_escape`].
    Escape,
    /// An unknown sequence.
    Unknown,
}

/// The longest sequence, in bytes.
const MAX_SEQUENCE_BYTES: usize = 32;

/// Collects bytes until they form a key. As in readline, Escape waits for the next key, unless
/// its end is said.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Takes a byte; returns the key that it completes.
    pub fn take(&mut self, byte: u8) -> Option<Key> {
        self.pending.push(byte);
        let key = match self.pending.as_slice() {
            [0x1b] => None,
            [0x1b, b'[' | b'O'] => None,
            [0x1b, b'[', sequence @ ..] | [0x1b, b'O', sequence @ ..] => sequence_key(sequence),
            [0x1b, rest @ ..] => character(rest).map(alt),
            bytes => character(bytes).map(plain),
        };
        if key.is_some() {
            self.pending.clear();
        }
        key
    }
}

impl Decoder {
    /// Whether Escape has been taken, which may be the beginning of another key.
    pub fn has_escape(&self) -> bool {
        self.pending == [0x1b]
    }

    /// The key of an Escape that nothing has followed.
    pub fn end_escape(&mut self) -> Option<Key> {
        let has_escape = self.has_escape();
        has_escape.then(|| self.pending.clear()).map(|()| Key::Escape)
    }
}

fn plain(character: char) -> Key {
    match character {
        '\r' | '\n' => Key::Enter,
        '\t' => Key::Tab,
        '\u{8}' | '\u{7f}' => Key::Backspace,
        '\0'..'\u{20}' => Key::Control(char::from(character as u8 ^ 0x40).to_ascii_lowercase()),
        character => Key::Char(character),
    }
}

fn alt(character: char) -> Key {
    match character {
        // Some terminals send Escape twice for Alt and a key with a sequence.
        '\u{1b}' => Key::Unknown,
        '\u{8}' => Key::Alt('\u{7f}'),
        character => Key::Alt(character),
    }
}

/// The character of these bytes, once they are complete.
fn character(bytes: &[u8]) -> Option<char> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().next(),
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some(char::REPLACEMENT_CHARACTER),
    }
}

/// The key of a sequence after its introducer, once the final byte is there.
fn sequence_key(sequence: &[u8]) -> Option<Key> {
    let (last, parameters) = sequence.split_last()?;
    // The Linux console sends one more letter for F1 to F5.
    let is_final = matches!(last, 0x40..=0x7e) && !(*last == b'[' && parameters.is_empty());
    if !is_final {
        return (sequence.len() >= MAX_SEQUENCE_BYTES).then_some(Key::Unknown);
    }
    let by_words = parameters.ends_with(b";5") || parameters.ends_with(b";3");
    Some(match (last, parameters) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) if by_words => Key::WordRight,
        (b'D', _) if by_words => Key::WordLeft,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"3") => Key::Delete,
        (b'~', b"5") => Key::PageUp,
        (b'~', b"6") => Key::PageDown,
        _ => Key::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.take(*byte)).collect()
    }

    #[test]
    fn multibyte_and_invalid_characters_are_decoded() {
        assert_eq!(keys("aé€".as_bytes()), [Key::Char('a'), Key::Char('é'), Key::Char('€')]);
        assert_eq!(keys(b"\xffa"), [Key::Char('\u{fffd}'), Key::Char('a')]);
        assert_eq!(keys(b"\r\n\t\x7f\x08\x01\x1f"), {
            [Key::Enter, Key::Enter, Key::Tab, Key::Backspace, Key::Backspace, Key::Control('a'), Key::Control('_')]
        });
    }

    #[test]
    fn sequences_of_many_terminals() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5C", Key::WordRight),
            (b"\x1b[1;3D", Key::WordLeft),
            (b"\x1b[3~", Key::Delete),
            (b"\x1b[1~", Key::Home),
            (b"\x1bOF", Key::End),
            (b"\x1b[[A", Key::Up),
            (b"\x1b[200~", Key::Unknown),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1bf", Key::Alt('f')),
            (b"\x1b\x7f", Key::Alt('\u{7f}')),
            (b"\x1b\xc3\xa9", Key::Alt('é')),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:?}");
        }
        let mut decoder = Decoder::default();
        assert_eq!((decoder.take(0x1b), decoder.end_escape(), decoder.end_escape()), (None, Some(Key::Escape), None));
        let mut endless = b"\x1b[".to_vec();
        endless.extend([b'1'; MAX_SEQUENCE_BYTES]);
        assert_eq!(keys(&endless), [Key::Unknown]);
    }
}
