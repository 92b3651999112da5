//! Splits a stream of bytes only between UTF-8 characters.

use std::borrow::Cow;

use super::note;

/// Holds back a character whose last bytes are still missing. Invalid bytes pass unchanged.
#[derive(Clone, Debug, Default)]
pub struct WholeCharacters {
    /// The bytes of an incomplete character.
    pub held: Vec<u8>,
}

impl WholeCharacters {
    /// The held-back bytes and `chunk`, without an incomplete character at their end.
    pub fn push<'a>(&mut self, chunk: &'a [u8]) -> Cow<'a, [u8]> {
        let mut bytes = if self.held.is_empty() {
            Cow::Borrowed(chunk)
        } else {
            Cow::Owned([std::mem::take(&mut self.held).as_slice(), chunk].concat())
        };
        let unfinished = unfinished_at_end(&bytes);
        if unfinished > 0 {
            let whole = bytes.len() - unfinished;
            self.held = bytes[whole..].to_vec();
            match &mut bytes {
                Cow::Borrowed(bytes) => *bytes = &bytes[..whole],
                Cow::Owned(bytes) => bytes.truncate(whole),
            }
        }
        bytes
    }

    /// Ends the input and returns the held-back bytes.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Whether no bytes are held back.
    pub fn is_at_rest(&self) -> bool {
        self.held.is_empty()
    }

    /// Appends its state to a note.
    pub(super) fn note(&self, out: &mut Vec<u8>) {
        note::put_bytes(out, &self.held);
    }

    /// Restores the state from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<WholeCharacters> {
        Some(WholeCharacters { held: note::take_bytes(note)? })
    }
}

/// The number of bytes at the end that begin an incomplete character: 0 to 3.
fn unfinished_at_end(bytes: &[u8]) -> usize {
    let longest = bytes.len().min(3);
    (1..=longest).find(|length| is_unfinished(&bytes[bytes.len() - length..])).unwrap_or(0)
}

/// Whether more bytes could complete these to one character.
fn is_unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::cuts::{cut, cuts};

    #[test]
    fn a_character_may_be_cut_anywhere() {
        let mut whole = WholeCharacters::default();
        assert_eq!(&*whole.push(b"a\xe2"), b"a");
        assert_eq!(&*whole.push(b"\x82"), b"");
        assert_eq!(&*whole.push(b"\xacb"), "€b".as_bytes());
        assert_eq!(whole.finish(), b"");
    }

    #[test]
    fn invalid_bytes_pass_at_once() {
        let mut whole = WholeCharacters::default();
        assert_eq!(&*whole.push(b"a\xff"), b"a\xff");
        assert_eq!(&*whole.push(b"\xc3"), b"");
        assert_eq!(&*whole.push(b"x"), b"\xc3x");
        assert_eq!(&*whole.push(b"y\xf0\x9f"), b"y");
        assert_eq!(whole.finish(), b"\xf0\x9f");
    }

    proptest! {
        #[test]
        fn characters_are_never_split(text in "\\PC{0,20}", cuts in cuts()) {
            let mut whole = WholeCharacters::default();
            let mut seen = String::new();
            for piece in cut(text.as_bytes(), &cuts) {
                seen.push_str(std::str::from_utf8(&whole.push(piece)).expect("whole characters"));
            }
            prop_assert_eq!(seen, text);
            prop_assert_eq!(whole.finish(), b"");
        }
    }
}
