//! File descriptors: reading, writing, polling, copying, and their types.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno as NixErrno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::system;

/// Reads once; 0 at the end of file. Retries after an interruption by a signal.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| nix::unistd::read(fd, buffer))
}

/// Reads once from a regular file at `offset` what the system has in memory, and never waits for a disk; 0 at the end of the
/// file. An error, whatever its kind, means that only a read that may wait can tell: the bytes are not in memory, or the
/// system (other than Linux) or the file system (such as tmpfs) has no such read.
pub fn read_cached_at(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    system::read_cached_at(file, buffer, offset)
}

/// Whether the contents of a file have no disk behind them (tmpfs), so that every read of it is one from memory. False where
/// that is not known. It may block.
pub fn is_on_memory_file_system(file: BorrowedFd<'_>) -> bool {
    system::is_on_memory_file_system(file)
}

/// Returns the memory or the disk of a part of a file to the system; the part is zeros afterwards.
///
/// # Errors
/// `Unsupported` where the system or the file system cannot do that.
pub fn discard(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    let in_range = |number| usize::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    system::punch_hole(file, in_range(offset)?, in_range(len)?)
}

/// Closes a descriptor that somebody else has opened. A socket does not wait for its peer to take what was sent, whatever its
/// sender has set (`SO_LINGER`). It may still block where the descriptor is that of a file.
pub fn close_at_once(descriptor: OwnedFd) {
    let no = libc::linger { l_onoff: 0, l_linger: 0 };
    // What is no socket does not linger.
    let _ = nix::sys::socket::setsockopt(&descriptor, nix::sys::socket::sockopt::Linger, &no);
}

/// Writes once, possibly only a part. Retries after an interruption by a signal.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    uninterrupted(|| nix::unistd::write(fd, bytes))
}

/// Turns non-blocking mode on or off. It belongs to the open file description, which other descriptors and processes
/// may share.
pub fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    let mut wanted = flags;
    wanted.set(OFlag::O_NONBLOCK, nonblocking);
    if wanted != flags {
        fcntl(fd, FcntlArg::F_SETFL(wanted))?;
    }
    Ok(())
}

/// Waits until a write would not block, or would fail; false after the timeout.
pub fn poll_writable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    poll_for(fd, PollFlags::POLLOUT, Some(timeout))
}

/// Waits until a read would not block; false after the timeout. Without a timeout it waits for ever.
pub fn poll_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    poll_for(fd, PollFlags::POLLIN, timeout)
}

/// Waits until one of several descriptors can be read, or has reached its end; returns their indices, none after the
/// timeout.
pub fn wait_for_any(descriptors: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<usize>> {
    let mut watched: Vec<PollFd<'_>> = descriptors.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut watched, poll_timeout(timeout)) {
        Ok(_) => Ok((0..watched.len()).filter(|position| watched[*position].any() == Some(true)).collect()),
        Err(NixErrno::EINTR) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn poll_for(fd: BorrowedFd<'_>, events: PollFlags, timeout: Option<Duration>) -> io::Result<bool> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(fd, events)], poll_timeout(left)) {
            Ok(0) if left.is_none_or(|left| left > MAX_POLL) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(NixErrno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The longest timeout of one call of poll.
const MAX_POLL: Duration = Duration::from_millis(i32::MAX as u64);

/// Rounded up, so that a wait does not end early and then repeat without a pause.
fn poll_timeout(left: Option<Duration>) -> PollTimeout {
    left.map_or(PollTimeout::NONE, |left| {
        let up = left.min(MAX_POLL) + Duration::from_nanos(999_999);
        PollTimeout::try_from(up.as_millis().min(MAX_POLL.as_millis())).unwrap_or(PollTimeout::MAX)
    })
}

/// Locks a file for all descriptors of its open file description, in this process and others; false if another open
/// file has the lock. The lock ends when the last of these descriptors is closed.
pub fn try_lock(file: BorrowedFd<'_>) -> Result<bool, crate::Errno> {
    use std::os::fd::AsRawFd;
    // SAFETY: no memory is involved.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(true),
        _ => match crate::Errno::last() {
            error if error.number() == libc::EWOULDBLOCK => Ok(false),
            error => Err(error),
        },
    }
}

/// The type of the file behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A pipe, with or without a name.
    Fifo,
    /// A socket.
    Socket,
    /// A terminal.
    Terminal,
    /// A character or block device that is not a terminal, such as `/dev/null`.
    Device,
    /// Any other type.
    Other,
}

/// The type of the file behind this descriptor.
pub fn kind(fd: BorrowedFd<'_>) -> io::Result<FileKind> {
    let format = nix::sys::stat::fstat(fd)?.st_mode & libc::S_IFMT;
    Ok(match format {
        libc::S_IFREG => FileKind::Regular,
        libc::S_IFDIR => FileKind::Directory,
        libc::S_IFIFO => FileKind::Fifo,
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFCHR if io::IsTerminal::is_terminal(&fd) => FileKind::Terminal,
        libc::S_IFCHR | libc::S_IFBLK => FileKind::Device,
        _ => FileKind::Other,
    })
}

/// Lets programs that are executed from now on inherit a descriptor.
pub fn keep_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// Moves bytes without copying them through this process; 0 at the end of file. One of the two must be a pipe. It never
/// blocks on a pipe (EAGAIN), but may block on a file. A file opened for appending is refused (EINVAL). `Unsupported`
/// if the system has no such call.
pub fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    uninterrupted(|| system::splice(from, to, len))
}

/// Copies bytes from one pipe to another without consuming them; 0 at the end of file. It never blocks. `Unsupported`
/// if the system has no such call.
pub fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    uninterrupted(|| system::tee(from, to, len))
}

fn uninterrupted<T, E: Into<io::Error>>(mut call: impl FnMut() -> Result<T, E>) -> io::Result<T> {
    loop {
        match call().map_err(E::into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::pipe::pipe;

    fn fill(writer: &OwnedFd) -> usize {
        let mut total = 0;
        while let Ok(written) = write(writer.as_fd(), &[b'x'; 4096]) {
            total += written;
        }
        total
    }

    #[test]
    fn a_full_or_empty_nonblocking_pipe_would_block() {
        let pipe = pipe().unwrap();
        set_nonblocking(pipe.reader.as_fd(), true).unwrap();
        set_nonblocking(pipe.writer.as_fd(), true).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(read(pipe.reader.as_fd(), &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(poll_writable(pipe.writer.as_fd(), Duration::ZERO).unwrap());
        let mut left = fill(&pipe.writer);
        assert!(!poll_writable(pipe.writer.as_fd(), Duration::from_millis(1)).unwrap());
        assert!(poll_readable(pipe.reader.as_fd(), None).unwrap());
        while left > 0 {
            left -= read(pipe.reader.as_fd(), &mut [0; 4096]).unwrap();
        }
        assert!(poll_writable(pipe.writer.as_fd(), Duration::from_secs(10)).unwrap());
        drop(pipe.writer);
        // A child that another test is starting may hold a copy until its exec.
        assert!(poll_readable(pipe.reader.as_fd(), None).unwrap());
        assert_eq!(read(pipe.reader.as_fd(), &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_pipe_without_a_reader_is_writable_and_broken() {
        crate::signal::ignore_write_signals().unwrap();
        let pipe = pipe().unwrap();
        drop(pipe.reader);
        assert!(poll_writable(pipe.writer.as_fd(), Duration::ZERO).unwrap());
        // A child that another test is starting may hold a copy until its exec.
        let error = loop {
            if let Err(error) = write(pipe.writer.as_fd(), b"x") {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_lock_is_shared_by_copies_of_its_descriptor_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = File::open(file.path()).unwrap();
        let copy = first.try_clone().unwrap();
        let other = File::open(file.path()).unwrap();
        assert!(try_lock(first.as_fd()).unwrap() && try_lock(copy.as_fd()).unwrap());
        drop(first);
        assert!(!try_lock(other.as_fd()).unwrap());
        drop(copy);
        // A child that another test is starting may hold a copy until its exec.
        crate::retry_until::retry_until(|| try_lock(other.as_fd()).unwrap().then_some(()));
    }

    #[test]
    fn wait_for_any_returns_the_readable_descriptors() {
        let (first, second) = (pipe().unwrap(), pipe().unwrap());
        let both = [first.reader.as_fd(), second.reader.as_fd()];
        assert_eq!(wait_for_any(&both, Some(Duration::from_millis(1))).unwrap(), []);
        write(second.writer.as_fd(), b"x").unwrap();
        assert_eq!(wait_for_any(&both, None).unwrap(), [1]);
    }

    #[test]
    fn nonblocking_mode_can_be_switched_on_and_off() {
        let pipe = pipe().unwrap();
        let is_nonblocking = || {
            let flags = fcntl(&pipe.reader, FcntlArg::F_GETFL).unwrap();
            OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
        };
        for wanted in [true, true, false, false] {
            set_nonblocking(pipe.reader.as_fd(), wanted).unwrap();
            assert_eq!(is_nonblocking(), wanted);
        }
    }

    #[test]
    fn file_kinds_are_distinguished() {
        let pipe = pipe().unwrap();
        let (socket, _other) = UnixStream::pair().unwrap();
        let pty = nix::pty::openpty(None, None).unwrap();
        assert_eq!(kind(pipe.reader.as_fd()).unwrap(), FileKind::Fifo);
        assert_eq!(kind(socket.as_fd()).unwrap(), FileKind::Socket);
        assert_eq!(kind(pty.slave.as_fd()).unwrap(), FileKind::Terminal);
        assert_eq!(kind(tempfile::tempfile().unwrap().as_fd()).unwrap(), FileKind::Regular);
        assert_eq!(kind(File::open("/dev/null").unwrap().as_fd()).unwrap(), FileKind::Device);
        assert_eq!(kind(File::open("/").unwrap().as_fd()).unwrap(), FileKind::Directory);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn splice_moves_bytes_from_a_pipe_to_a_file() {
        use std::io::{Read, Seek};
        let pipe = pipe().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        write(pipe.writer.as_fd(), b"hello world").unwrap();
        assert_eq!(splice(pipe.reader.as_fd(), file.as_fd(), 5).unwrap(), 5);
        assert_eq!(splice(pipe.reader.as_fd(), file.as_fd(), 100).unwrap(), 6);
        let empty = splice(pipe.reader.as_fd(), file.as_fd(), 100).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        drop(pipe.writer);
        assert!(poll_readable(pipe.reader.as_fd(), None).unwrap());
        assert_eq!(splice(pipe.reader.as_fd(), file.as_fd(), 100).unwrap(), 0);
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello world");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn bytes_that_were_just_written_are_read_from_memory() {
        let file = tempfile::tempfile().unwrap();
        write(file.as_fd(), b"hello world").unwrap();
        let mut buffer = [0; 8];
        match read_cached_at(file.as_fd(), &mut buffer, 6) {
            // Some file systems have no such read.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP)),
            Ok(count) => {
                assert_eq!(&buffer[..count], b"world");
                assert_eq!(read_cached_at(file.as_fd(), &mut buffer, 11).unwrap(), 0);
            }
        }
    }

    /// It would hang otherwise.
    #[test]
    fn a_socket_that_is_to_linger_is_closed_at_once() {
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        while client.write(&[b'x'; 65536]).is_ok() {}
        let linger = libc::linger { l_onoff: 1, l_linger: 1000 };
        nix::sys::socket::setsockopt(&client, nix::sys::socket::sockopt::Linger, &linger).unwrap();
        close_at_once(client.into());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_file_systems_are_recognized() {
        assert!(!is_on_memory_file_system(File::open("/proc/self/stat").unwrap().as_fd()));
        if let Ok(shared) = File::open("/dev/shm") {
            assert!(is_on_memory_file_system(shared.as_fd()));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn tee_does_not_consume_the_bytes() {
        let (from, to) = (pipe().unwrap(), pipe().unwrap());
        write(from.writer.as_fd(), b"hello").unwrap();
        assert_eq!(tee(from.reader.as_fd(), to.writer.as_fd(), 4).unwrap(), 4);
        for (pipe, text) in [(from, &b"hello"[..]), (to, b"hell")] {
            let mut buffer = [0; 8];
            let count = read(pipe.reader.as_fd(), &mut buffer).unwrap();
            assert_eq!(&buffer[..count], text);
        }
    }
}
