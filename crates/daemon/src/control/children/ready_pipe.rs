//! The pipe into which a program writes a line when it is ready.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use supervisord_sys::{fd, pipe};

use crate::control::survival;
use crate::keeper::Name;
use crate::output::RunId;

/// The read end, with the token under which the loop watches it.
pub(in crate::control) struct ReadyPipe {
    pub(super) pipe: File,
    pub(super) token: usize,
}

/// What has come out of the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Heard {
    /// Nothing that counts.
    Nothing,
    /// The end of a line: the program is ready.
    Ready,
    /// Nothing that counts so far, and there is more to be read.
    More,
    /// The end: nobody has the other end any more, and nothing was said.
    Closed,
}

/// How many pieces are read in one turn of the loop, so that a flood cannot hold it.
const MOST_PIECES: usize = 16;
const PIECE: usize = 4096;

/// What a pipe holds at the most, unless a privileged program has given it more room.
const MOST_IN_PIPE: usize = 1024 * 1024;

impl ReadyPipe {
    pub(super) fn new(pipe: OwnedFd, token: usize) -> ReadyPipe {
        ReadyPipe { pipe: pipe.into(), token }
    }

    /// Reads what can be read without waiting, and not too much at once.
    pub(super) fn hear(&mut self) -> Heard {
        let mut piece = [0; PIECE];
        let mut pieces = 0;
        while pieces < MOST_PIECES {
            let looked = self.look(&mut piece);
            let is_unread = looked.is_ok();
            match looked.or_else(|error| match error.kind() {
                ErrorKind::WouldBlock => Err(error),
                // Without room for another pipe, or on a system that cannot copy from one, it is read at once.
                _ => self.pipe.read(&mut piece),
            }) {
                Ok(0) => return Heard::Closed,
                Ok(count) if piece[..count].contains(&b'\n') => return Heard::Ready,
                Ok(count) => {
                    pieces += 1;
                    if is_unread && self.pipe.read_exact(&mut piece[..count]).is_err() {
                        return Heard::Closed;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Heard::Nothing,
                Err(_) => return Heard::Closed,
            }
        }
        Heard::More
    }

    /// Copies what can be read, and leaves it in the pipe: what makes a program ready is there until the state says that it is
    /// ready, so that a daemon that is killed in between does not take it along. Returns 0 at the end.
    fn look(&self, piece: &mut [u8]) -> io::Result<usize> {
        let copy = pipe::pipe()?;
        match fd::tee(self.pipe.as_fd(), copy.writer.as_fd(), piece.len())? {
            0 => Ok(0),
            count => File::from(copy.reader).read(&mut piece[..count]),
        }
    }

    /// Reads everything that was in the pipe at this moment.
    pub(super) fn hear_out(&mut self) -> Heard {
        let mut heard = Heard::More;
        for _ in 0..MOST_IN_PIPE.div_ceil(MOST_PIECES * PIECE) {
            heard = self.hear();
            if heard != Heard::More {
                break;
            }
        }
        heard
    }

    /// By what the keeper knows it.
    pub(super) fn held(&self, run: RunId) -> Option<(Name, BorrowedFd<'_>)> {
        Some((survival::readiness(run), self.pipe.as_fd()))
    }
}

impl AsFd for ReadyPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_line_counts_and_the_end_of_the_pipe_does_not() {
        for (written, expected) in [(&b""[..], Heard::Nothing), (b"soon", Heard::Nothing), (b"so\non", Heard::Ready)] {
            let pipe = pipe::from_child().unwrap();
            let mut ready = ReadyPipe::new(pipe.reader, 0);
            if !written.is_empty() {
                fd::write(pipe.writer.as_fd(), written).unwrap();
            }
            assert_eq!(ready.hear(), expected);
            drop(pipe.writer);
            // The line stays where it is, for the next daemon if this one is killed.
            let stays = expected == Heard::Ready && cfg!(target_os = "linux");
            let end = loop {
                match ready.hear() {
                    // A child of another test may hold the other end until it executes its program.
                    Heard::Nothing => std::thread::yield_now(),
                    end => break end,
                }
            };
            assert_eq!(end, if stays { Heard::Ready } else { Heard::Closed });
        }
    }

    /// Whoever writes a lot before the line goes on being heard, and cannot hold the loop.
    #[test]
    fn a_flood_before_the_line_is_read_in_turns() {
        let pipe = pipe::from_child().unwrap();
        let mut ready = ReadyPipe::new(pipe.reader, 0);
        let flood = [b'x'; MOST_PIECES * PIECE];
        for _ in 0..3 {
            assert_eq!(fd::write(pipe.writer.as_fd(), &flood).unwrap(), flood.len(), "that is how much a pipe holds");
            assert_eq!((ready.hear(), ready.hear()), (Heard::More, Heard::Nothing));
        }
        fd::write(pipe.writer.as_fd(), &flood).unwrap();
        assert_eq!(ready.hear_out(), Heard::Nothing);
        fd::write(pipe.writer.as_fd(), b"\n").unwrap();
        assert_eq!(ready.hear_out(), Heard::Ready);
    }
}
