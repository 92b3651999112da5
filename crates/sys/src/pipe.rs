//! Pipes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::fd::set_nonblocking;

/// The two ends of a pipe; both are closed on exec.
#[derive(Debug)]
pub struct Pipe {
    /// Where the bytes come out.
    pub reader: OwnedFd,
    /// Where they go in.
    pub writer: OwnedFd,
}

/// A pipe whose ends both block.
pub fn pipe() -> io::Result<Pipe> {
    let (reader, writer) = io::pipe()?;
    Ok(Pipe { reader: reader.into(), writer: writer.into() })
}

/// A pipe for the output of a child: the read end does not block.
pub fn from_child() -> io::Result<Pipe> {
    let pipe = pipe()?;
    set_nonblocking(pipe.reader.as_fd(), true)?;
    Ok(pipe)
}

/// A pipe for the input of a child: the write end does not block.
pub fn to_child() -> io::Result<Pipe> {
    let pipe = pipe()?;
    set_nonblocking(pipe.writer.as_fd(), true)?;
    Ok(pipe)
}

/// How many bytes the pipe holds.
#[cfg(target_os = "linux")]
pub fn capacity(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let bytes = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_GETPIPE_SZ)?;
    Ok(bytes.unsigned_abs() as usize)
}

/// Grows or shrinks the pipe and returns what it holds now, which may be more than asked for.
///
/// Fails with EBUSY when more bytes than that are waiting in it, with EPERM beyond the system's limits
/// (`/proc/sys/fs/pipe-max-size`, `pipe-user-pages-soft`).
#[cfg(target_os = "linux")]
pub fn set_capacity(pipe: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    let bytes = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(bytes))?;
    Ok(bytes.unsigned_abs() as usize)
}

/// Only Linux can tell; the error here is always `Unsupported`.
#[cfg(not(target_os = "linux"))]
pub fn capacity(_pipe: BorrowedFd<'_>) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Only Linux can do this; the error here is always `Unsupported`.
#[cfg(not(target_os = "linux"))]
pub fn set_capacity(_pipe: BorrowedFd<'_>, _bytes: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
