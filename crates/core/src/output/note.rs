//! The format of the notes about a pipeline's state after every chunk, for a daemon that takes the stream over: short,
//! and cheap to write and to read. Numbers are little-endian, and bytes follow their length.

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends some bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a number written by [`put_number`].
pub(super) fn take_number(note: &mut &[u8]) -> Option<u64> {
    let (number, rest) = note.split_first_chunk()?;
    *note = rest;
    Some(u64::from_le_bytes(*number))
}

/// Takes bytes written by [`put_bytes`].
pub(super) fn take_bytes(note: &mut &[u8]) -> Option<Vec<u8>> {
    let count = usize::try_from(take_number(note)?).ok()?;
    let (bytes, rest) = note.split_at_checked(count)?;
    *note = rest;
    Some(bytes.to_vec())
}

/// Takes one byte.
pub(super) fn take_byte(note: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = note.split_first()?;
    *note = rest;
    Some(*byte)
}
