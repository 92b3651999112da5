//! The stdout of a listener, which control reads itself.

use std::fs::File;
use std::io::{ErrorKind, Read};

/// How much of what a listener says is read in one turn of the loop.
pub(in crate::control) const MOST_AT_ONCE: usize = 1 << 20;

/// The read end, with the token under which the loop watches it.
pub(in crate::control) struct ListenerPipe {
    pub(super) pipe: File,
    pub(super) token: usize,
}

/// Everything that can be read without waiting, up to [`MOST_AT_ONCE`], so that a flood cannot hold the loop.
pub(super) fn read_available(pipe: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16384];
    while bytes.len() < MOST_AT_ONCE {
        match pipe.read(&mut chunk) {
            Ok(count) => {
                bytes.extend_from_slice(&chunk[..count]);
                // Less than there is room for is all there was: whatever comes later wakes the loop again.
                if count < chunk.len() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes
}
