//! The stdin of a child: bytes wait here while the pipe is full.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use supervisord_core::supervisor::FeedFailure;

/// How many bytes may wait for a child that does not read.
const LIMIT: usize = 16 << 20;

/// The write end of a pipe, non-blocking, with what did not fit into it.
pub(super) struct Stdin {
    pipe: std::fs::File,
    waiting: VecDeque<u8>,
    /// The token under which the loop watches for room; none while nothing waits.
    pub(super) watched: Option<usize>,
}

impl Stdin {
    pub(super) fn new(pipe: OwnedFd) -> Stdin {
        Stdin { pipe: pipe.into(), waiting: VecDeque::new(), watched: None }
    }

    /// A pipe for which bytes wait already.
    pub(super) fn with_waiting(pipe: OwnedFd, waiting: Vec<u8>) -> Stdin {
        Stdin { waiting: waiting.into(), ..Stdin::new(pipe) }
    }

    /// The pipe and what waits for it.
    pub(super) fn into_parts(self) -> (OwnedFd, Vec<u8>) {
        (self.pipe.into(), self.waiting.into())
    }

    /// Takes all bytes or none; says whether some still wait.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<bool, FeedFailure> {
        if self.waiting.len() + bytes.len() > LIMIT {
            return Err(FeedFailure::Full);
        }
        self.waiting.extend(bytes);
        self.flush()
    }

    /// Writes what fits; says whether some still waits.
    pub(super) fn flush(&mut self) -> Result<bool, FeedFailure> {
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match self.pipe.write(front) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(FeedFailure::Closed),
            }
        }
        Ok(false)
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
