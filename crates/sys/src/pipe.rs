//! Pipes.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::system;

/// The two ends of a pipe; both are closed on exec.
#[derive(Debug)]
pub struct Pipe {
    /// The end to read from.
    pub reader: OwnedFd,
    /// The end to write to.
    pub writer: OwnedFd,
}

/// A pipe with two blocking ends.
pub fn pipe() -> io::Result<Pipe> {
    let (reader, writer) = io::pipe()?;
    Ok(Pipe { reader: reader.into(), writer: writer.into() })
}

/// A pipe for the output of a child: the read end is non-blocking.
pub fn from_child() -> io::Result<Pipe> {
    let pipe = pipe()?;
    without_blocking(&pipe.reader)?;
    Ok(pipe)
}

/// A pipe for the input of a child: the write end is non-blocking.
pub fn to_child() -> io::Result<Pipe> {
    let pipe = pipe()?;
    without_blocking(&pipe.writer)?;
    Ok(pipe)
}

/// Overwrites the flags: a new pipe has no others.
fn without_blocking(end: &OwnedFd) -> io::Result<()> {
    fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The capacity of the pipe in bytes. `Unsupported` if the system does not tell.
pub fn capacity(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    system::pipe_capacity(pipe)
}

/// Changes the capacity of the pipe and returns the actual one, which may be more than requested.
///
/// Fails with EBUSY if the pipe contains more bytes than that, with EPERM beyond the system's limits
/// (`/proc/sys/fs/pipe-max-size`, `pipe-user-pages-soft`), with `Unsupported` if pipes have a fixed size.
pub fn set_capacity(pipe: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    system::set_pipe_capacity(pipe, bytes)
}

/// The number of bytes in the pipe.
pub fn waiting(reader: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the call writes one number to the given address.
    let done = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&reader), libc::FIONREAD, &mut count) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(count.unsigned_abs() as usize) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::fcntl::FdFlag;

    use super::*;

    fn blocks(fd: &OwnedFd) -> bool {
        !OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap()).contains(OFlag::O_NONBLOCK)
    }

    #[test]
    fn only_our_own_end_does_not_block() {
        let ends = |pipe: Pipe| (blocks(&pipe.reader), blocks(&pipe.writer));
        assert_eq!(ends(pipe().unwrap()), (true, true));
        assert_eq!(ends(from_child().unwrap()), (false, true));
        assert_eq!(ends(to_child().unwrap()), (true, false));
    }

    #[test]
    fn waiting_bytes_are_counted() {
        let pipe = pipe().unwrap();
        assert_eq!(waiting(pipe.reader.as_fd()).unwrap(), 0);
        crate::fd::write(pipe.writer.as_fd(), &[b'x'; 5000]).unwrap();
        assert_eq!(waiting(pipe.reader.as_fd()).unwrap(), 5000);
    }

    #[test]
    fn both_ends_are_closed_on_exec() {
        let pipe = pipe().unwrap();
        for end in [pipe.reader, pipe.writer] {
            assert_eq!(fcntl(&end, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_grows_and_shrinks() {
        let pipe = pipe().unwrap();
        let before = capacity(pipe.reader.as_fd()).unwrap();
        let grown = set_capacity(pipe.reader.as_fd(), 2 * before).unwrap();
        assert!(grown >= 2 * before);
        assert_eq!(capacity(pipe.writer.as_fd()).unwrap(), grown);
        assert_eq!(set_capacity(pipe.writer.as_fd(), before).unwrap(), before);
    }
}
