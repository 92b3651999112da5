//! What a command writes that no log gets. It stays in the pipe until the command has ended, so that the next daemon finds all of
//! it, whatever becomes of this one. Before that, only its amount is looked at.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use supervisord_sys::pipe;

use super::listener_pipe::read_available;
use crate::control::spawn::MOST_TOLD;

/// The room of the pipe. A write that does not fit into the rest of the last page begins another one, so that two pages in a row have at
/// least as many bytes as one: in this room is always more than is taken.
const ROOM: usize = 2 * MOST_TOLD;

/// The read end, with the token under which the loop watches it.
pub(super) struct Capture {
    pipe: File,
    pub(super) token: usize,
}

impl Capture {
    pub(super) fn new(pipe: OwnedFd, token: usize) -> Capture {
        // Where the system has no more room for pipes, too much may be noticed only when the command has ended.
        let _ = pipe::set_capacity(pipe.as_fd(), ROOM);
        Capture { pipe: pipe.into(), token }
    }

    /// Whether there is more than is taken.
    pub(super) fn is_too_much(&self) -> bool {
        pipe::waiting(self.pipe.as_fd()).is_ok_and(|count| count >= MOST_TOLD)
    }

    /// All of it, once the command has ended.
    pub(super) fn read(mut self) -> Vec<u8> {
        read_available(&mut self.pipe)
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl From<Capture> for OwnedFd {
    fn from(capture: Capture) -> OwnedFd {
        capture.pipe.into()
    }
}

#[cfg(test)]
mod tests {
    use supervisord_sys::fd;

    use super::*;

    /// Each of these writes takes a page of its own.
    #[test]
    fn too_much_is_noticed_before_the_pipe_is_full_whatever_the_writes_are() {
        for piece in [2049, 4096, 65_537] {
            let pipe = pipe::to_child().unwrap();
            let capture = Capture::new(pipe.reader, 0);
            fd::write(pipe.writer.as_fd(), &[b'x'; MOST_TOLD - 1]).unwrap();
            assert!(!capture.is_too_much());
            drop((pipe.writer, capture));
            let pipe = pipe::to_child().unwrap();
            let capture = Capture::new(pipe.reader, 0);
            while fd::write(pipe.writer.as_fd(), &vec![b'x'; piece]).is_ok() {}
            assert!(capture.is_too_much(), "{piece}");
            drop(pipe.writer);
            assert!(capture.read().len() >= MOST_TOLD);
        }
    }
}
