//! The last bytes that a stream has carried, which explain how its process ended.

use supervisord_core::output::last_lines::MOST;

/// The last bytes of a stream. Nothing is allocated before there are any.
#[derive(Debug, Default)]
pub(super) struct EndOfOutput {
    bytes: Vec<u8>,
}

impl EndOfOutput {
    /// Those of a stream that another program read before.
    pub fn resume(bytes: Vec<u8>) -> EndOfOutput {
        let mut end = EndOfOutput::default();
        end.push(&bytes);
        end
    }

    /// Adds what the stream has carried.
    pub fn push(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(MOST)..];
        if new.is_empty() {
            return;
        }
        let surplus = (self.bytes.len() + new.len()).saturating_sub(MOST);
        self.bytes.drain(..surplus);
        self.bytes.reserve_exact(new.len().max(64).min(MOST - self.bytes.len()));
        self.bytes.extend_from_slice(new);
    }

    /// Whether the last line has not ended.
    pub fn is_line_unfinished(&self) -> bool {
        self.bytes.last().is_some_and(|byte| *byte != b'\n')
    }

    /// Gives them away.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_however_they_come() {
        let text: Vec<u8> = (0..3000_u32).map(|number| number as u8).collect();
        for size in [1, 7, 100, MOST - 1, MOST, MOST + 1, 3000] {
            let mut end = EndOfOutput::default();
            text.chunks(size).for_each(|chunk| end.push(chunk));
            assert!(end.bytes.capacity() <= MOST, "pieces of {size}");
            assert_eq!(end.take(), text[3000 - MOST..], "pieces of {size}");
        }
    }

    #[test]
    fn a_silent_stream_takes_no_memory() {
        let mut end = EndOfOutput::default();
        end.push(b"");
        assert_eq!(end.bytes.capacity(), 0);
        end.push(b"short");
        assert!(end.bytes.capacity() <= 64);
        assert_eq!(EndOfOutput::resume(end.take()).take(), b"short");
    }
}
