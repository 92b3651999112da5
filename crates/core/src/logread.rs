//! The bytes of a log that a request means, and their text.
//!
//! Offsets and lengths count bytes; a request may have any number as either.

use std::ops::Range;

use crate::call::{Reason, Refusal};

/// The most bytes in one answer. The default of `logfile_maxbytes` is 50 MB: such a log can be read in one answer.
pub const MAX_BYTES: u64 = 64 << 20;

/// The bytes that `readLog` and similar methods return, by the size of the log.
///
/// A combination of offset and length without a meaning is refused, and so is a range longer than [`MAX_BYTES`].
pub fn read_range(size: u64, offset: i64, length: i64) -> Result<Range<u64>, Refusal> {
    if length < 0 || (offset < 0 && length != 0) {
        return Err(Refusal::new(Reason::BadArguments));
    }
    let start = if offset < 0 { size.saturating_sub(offset.unsigned_abs()) } else { size.min(offset.unsigned_abs()) };
    let end = if length == 0 { size } else { size.min(start.saturating_add(length.unsigned_abs())) };
    if end - start > MAX_BYTES {
        let text = format!("{} bytes asked for, {MAX_BYTES} are answered at most", end - start);
        return Err(Refusal::with(Reason::Failed, text));
    }
    Ok(start..end)
}

/// The result of `tailProcessStdoutLog` and similar methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailRange {
    /// The bytes to read.
    pub range: Range<u64>,
    /// The offset for the next request: the size of the log.
    pub offset: u64,
    /// Whether there are more bytes between the requested offset and the end than were requested.
    pub overflow: bool,
}

/// The end of a log of this size. A length above [`MAX_BYTES`] is reduced to that.
///
/// Like the original (`tailFile` in `supervisor/options.py`) this returns the last `length` bytes for any offset, so
/// that the text may begin before the offset; only an offset at or after the end, where no new output can be, returns
/// nothing.
pub fn tail_range(size: u64, offset: i64, length: i64) -> TailRange {
    let length = length.min(MAX_BYTES as i64);
    let wanted_end = i128::from(offset) + i128::from(length);
    let overflow = i128::from(size) > wanted_end;
    let nothing_new = !overflow && i128::from(offset) >= i128::from(size);
    let length = if nothing_new { 0 } else { size.min(length.max(0).unsigned_abs()) };
    TailRange { range: size - length..size, offset: size, overflow }
}

/// The text of a part of a log; invalid UTF-8 is replaced.
///
/// The remaining bytes of a character that was cut at the start of the part become one replacement character.
pub fn text(bytes: Vec<u8>, from_the_beginning: bool) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let bytes = error.as_bytes();
        let is_continuation = |byte: &&u8| **byte & 0xc0 == 0x80;
        let cut = bytes.iter().take(3).take_while(is_continuation).count();
        if cut == 0 || from_the_beginning {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        format!("{}{}", char::REPLACEMENT_CHARACTER, String::from_utf8_lossy(&bytes[cut..]))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "0123456789";

    fn read(offset: i64, length: i64) -> Result<&'static str, Refusal> {
        read_range(10, offset, length).map(|range| &LOG[range.start as usize..range.end as usize])
    }

    fn tail(offset: i64, length: i64) -> (&'static str, u64, bool) {
        let TailRange { range, offset, overflow } = tail_range(10, offset, length);
        (&LOG[range.start as usize..range.end as usize], offset, overflow)
    }

    #[test]
    fn read_ranges_match_the_original() {
        for ((offset, length), text) in [
            ((0, 0), LOG),
            ((0, 4), "0123"),
            ((3, 4), "3456"),
            ((8, 100), "89"),
            ((10, 0), ""),
            ((100, 5), ""),
            ((100, 0), ""),
            ((-4, 0), "6789"),
            ((-100, 0), LOG),
            ((i64::MIN, 0), LOG),
            ((i64::MAX, i64::MAX), ""),
            ((3, i64::MAX), "3456789"),
        ] {
            assert_eq!(read(offset, length), Ok(text), "({offset}, {length})");
        }
    }

    #[test]
    fn invalid_combinations_are_refused() {
        for (offset, length) in [(-4, 1), (-4, -1), (0, -1), (3, -3), (-1, i64::MIN)] {
            assert_eq!(read(offset, length), Err(Refusal::new(Reason::BadArguments)), "({offset}, {length})");
        }
    }

    #[test]
    fn a_read_is_limited() {
        assert_eq!(read_range(u64::MAX, 0, MAX_BYTES as i64), Ok(0..MAX_BYTES));
        let refusal = read_range(MAX_BYTES + 1, 0, 0).expect_err("one byte too many");
        let detail = "67108865 bytes asked for, 67108864 are answered at most";
        assert_eq!(refusal, Refusal::with(Reason::Failed, detail));
    }

    #[test]
    fn tail_ranges_match_the_original() {
        for ((offset, length), text, overflow) in [
            ((0, 4), "6789", true),
            ((0, 0), "", true),
            ((5, 0), "", true),
            ((0, 10), LOG, false),
            ((0, 20), LOG, false),
            ((3, 7), "3456789", false),
            ((3, 8), "23456789", false),
            ((3, 3), "789", true),
            ((5, 5), "56789", false),
            ((5, 6), "456789", false),
            ((8, 100), LOG, false),
            ((8, 5), "56789", false),
            ((9, 1), "9", false),
            ((10, 5), "", false),
            ((100, 5), "", false),
            ((-4, 3), "789", true),
            ((-20, 5), "56789", true),
            ((-4, 20), LOG, false),
            ((0, -1), "", true),
            ((20, -5), "", false),
            ((i64::MAX, i64::MAX), "", false),
            ((i64::MIN, i64::MIN), "", true),
        ] {
            assert_eq!(tail(offset, length), (text, 10, overflow), "({offset}, {length})");
        }
        assert_eq!(tail_range(0, 0, 5), TailRange { range: 0..0, offset: 0, overflow: false });
    }

    #[test]
    fn a_tail_is_limited() {
        let size = 10 * MAX_BYTES;
        let limited = TailRange { range: size - MAX_BYTES..size, offset: size, overflow: true };
        assert_eq!(tail_range(size, 0, i64::MAX), limited);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let shown = |bytes: &[u8], from_the_beginning| text(bytes.to_vec(), from_the_beginning);
        assert_eq!(shown("aé".as_bytes(), true), "aé");
        assert_eq!(shown(&"€uro €".as_bytes()[1..], false), "\u{fffd}uro €");
        assert_eq!(shown(&"€uro €".as_bytes()[..8], true), "€uro \u{fffd}");
        assert_eq!(shown(b"\xff\xfea", true), "\u{fffd}\u{fffd}a");
        assert_eq!(shown(b"\x80\x80", true), "\u{fffd}\u{fffd}");
        assert_eq!(shown(b"", false), "");
    }

    proptest! {
        #[test]
        fn ranges_lie_in_the_log(size in any::<u64>(), offset in any::<i64>(), length in any::<i64>()) {
            if let Ok(range) = read_range(size, offset, length) {
                prop_assert!(range.start <= range.end && range.end <= size);
            }
            let TailRange { range, .. } = tail_range(size, offset, length);
            prop_assert!(range.start <= range.end && range.end == size && range.end - range.start <= MAX_BYTES);
        }
    }
}
