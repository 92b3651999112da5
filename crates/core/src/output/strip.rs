//! Removal of terminal control sequences from output that arrives in chunks.
//!
//! Like the original, it removes only sequences that begin with `ESC [`; titles and other escapes stay. Unlike the
//! original's, the parser keeps its state between chunks, and it knows every final byte (0x40 to 0x7E).

use super::note;

/// The first byte of every escape sequence.
const ESCAPE: u8 = 0x1b;

/// Removes control sequences; the split of the input makes no difference to the output.
#[derive(Clone, Debug, Default)]
pub struct Stripper {
    /// Where it is.
    pub state: StripState,
}

/// The position in the text, as far as the next byte depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StripState {
    /// Ordinary text.
    #[default]
    Text,
    /// An escape was seen and is held back until the next byte determines its kind.
    Escape,
    /// Inside a sequence.
    Sequence,
}

impl Stripper {
    /// Appends the filtered `chunk` to `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            rest = match self.state {
                StripState::Text => self.text(rest, out),
                StripState::Escape => self.after_escape(rest, out),
                StripState::Sequence => self.sequence(rest),
            };
        }
    }

    /// Ends the input: a held-back escape is text.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.state == StripState::Escape {
            out.push(ESCAPE);
        }
        self.state = StripState::Text;
    }

    /// Whether no bytes are held back.
    pub fn is_at_rest(&self) -> bool {
        self.state == StripState::Text
    }

    /// Appends its state to a note.
    pub(super) fn note(&self, out: &mut Vec<u8>) {
        out.push(self.state as u8);
    }

    /// Restores the state from its note.
    pub(super) fn from_note(note: &mut &[u8]) -> Option<Stripper> {
        let state = [StripState::Text, StripState::Escape, StripState::Sequence]
            .get(usize::from(note::take_byte(note)?))
            .copied();
        Some(Stripper { state: state? })
    }

    fn text<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        match rest.iter().position(|byte| *byte == ESCAPE) {
            Some(position) => {
                out.extend_from_slice(&rest[..position]);
                self.state = StripState::Escape;
                &rest[position + 1..]
            }
            None => {
                out.extend_from_slice(rest);
                &[]
            }
        }
    }

    fn after_escape<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if rest[0] == b'[' {
            self.state = StripState::Sequence;
            return &rest[1..];
        }
        out.push(ESCAPE);
        self.state = StripState::Text;
        rest
    }

    /// Drops parameters and the final byte. Any other byte cannot be part of a sequence: it ends an invalid one and
    /// stays, so that a stray `ESC [` costs at most its own parameters.
    fn sequence<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some(position) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
            return &[];
        };
        self.state = StripState::Text;
        match rest[position] {
            0x40..=0x7e => &rest[position + 1..],
            _ => &rest[position..],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::cuts::{cut, cuts};

    fn strip(chunks: &[&[u8]]) -> Vec<u8> {
        let mut stripper = Stripper::default();
        let mut out = Vec::new();
        for chunk in chunks {
            stripper.push(chunk, &mut out);
        }
        stripper.finish(&mut out);
        out
    }

    #[test]
    fn sequences_are_removed_and_text_stays() {
        assert_eq!(strip(&[b"\x1b[31mred \x1b[0m"]), b"red ");
        assert_eq!(strip(&[b"\x1b[2Ghello"]), b"hello");
        assert_eq!(strip(&[b"\x1b[1;38;5;4mx\x1b[?25ly\x1b[4 qz"]), b"xyz");
        assert_eq!(strip(&[b"plain"]), b"plain");
    }

    #[test]
    fn other_escapes_stay() {
        assert_eq!(strip(&[b"\x1b]0;title\x07 \x1b(B \x1b"]), b"\x1b]0;title\x07 \x1b(B \x1b");
        assert_eq!(strip(&[b"\x1b\x1b[1mx"]), b"\x1bx");
    }

    #[test]
    fn a_sequence_may_be_cut_anywhere() {
        assert_eq!(strip(&[b"x \x1b[3", b"1mtail"]), b"x tail");
        assert_eq!(strip(&[b"x \x1b", b"[31mtail"]), b"x tail");
    }

    #[test]
    fn a_broken_sequence_does_not_eat_the_next_line() {
        assert_eq!(strip(&[b"a\x1b[31\nb\x1b[\x1b[1mc"]), b"a\nbc");
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            text in proptest::collection::vec(prop_oneof![
                Just(ESCAPE), Just(b'['), Just(b'm'), Just(b'3'), Just(b'\n'), any::<u8>()
            ], 0..80),
            cuts in cuts(),
        ) {
            prop_assert_eq!(strip(&cut(&text, &cuts)), strip(&[&text]));
        }
    }
}
