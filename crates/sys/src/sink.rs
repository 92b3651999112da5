//! Opening and writing logs that may be anything (files, FIFOs, terminals, inherited sockets) without ever waiting.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::socket::{MsgFlags, send};

use crate::trusted::NEVER_WAIT;
use crate::{system, trusted};

/// Opens `path` for appending and creates it with `mode` (less the file mode mask) when it is not there.
pub fn open_append(path: &str, mode: u32) -> io::Result<File> {
    trusted::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | NEVER_WAIT, mode)
}

/// Opens what exists at `path` for writing. Fails with ENXIO for a FIFO nobody reads, and for a socket.
pub fn open_existing(path: &str) -> io::Result<File> {
    trusted::open(path, libc::O_WRONLY | NEVER_WAIT, 0)
}

/// Opens what exists at `path` for reading. Fails with ELOOP when that is a symbolic link.
pub fn open_unfollowed(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(NEVER_WAIT | libc::O_NOFOLLOW).open(path)
}

/// Opens a FIFO for writing whether or not somebody reads it: it is opened for reading too, so that it never breaks.
pub fn open_fifo(path: &str) -> io::Result<File> {
    trusted::open(path, libc::O_RDWR | NEVER_WAIT, 0)
}

/// A second descriptor for descriptor `number` of this process, closed on exec. Fails with EBADF when it is not open.
pub fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the number may be anything; the system checks it.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A new open file for what descriptor `number` of this process stands for (a pipe or terminal), for writing without
/// waiting; the mode of the inherited one, which other processes share, does not change. Not possible for a socket;
/// `Unsupported` where the system has no way to do it.
pub fn open_again(number: i32) -> io::Result<File> {
    system::open_again(number, NEVER_WAIT)
}

/// Sends what fits into a connected socket right now (EAGAIN: nothing), whatever its mode. A closed peer is EPIPE and
/// raises no signal.
pub fn send_now(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | system::SEND_FLAGS)?)
}

/// Writes once to the end of a regular file that was not opened for appending, perhaps only a part, and leaves the
/// position there: whoever shares the open file goes on behind it. Where the system cannot do that (Linux before 4.16,
/// other systems), it writes at the position.
pub fn append_once(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match system::append_by_flag(file, bytes) {
        Err(error) if CANNOT.contains(&error.kind()) => crate::fd::write(file, bytes),
        written => written,
    }
}

/// What a system, or a filter of system calls, says that cannot do it.
const CANNOT: [io::ErrorKind; 3] =
    [io::ErrorKind::Unsupported, io::ErrorKind::InvalidInput, io::ErrorKind::PermissionDenied];

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    #[test]
    fn a_file_is_created_with_its_mode_and_appended_to() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log").display().to_string();
        let mut file = open_append(&path, 0o600).expect("created");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        file.write_all(b"ab").expect("written");
        file.rewind().expect("rewound");
        file.write_all(b"cd").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"abcd");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_others_share_is_appended_to_and_they_go_on_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("shared");
        let mut shared = File::create(&path).expect("created");
        let mut other = File::options().append(true).open(&path).expect("opened");
        shared.write_all(b"a").expect("written");
        other.write_all(b"b").expect("written");
        assert_eq!(append_once(shared.as_fd(), b"c").expect("written"), 1);
        other.write_all(b"d").expect("written");
        assert_eq!(append_once(shared.as_fd(), b"e").expect("written"), 1);
        shared.write_all(b"f").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"abcdef");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        assert_eq!(append_once(writer.as_fd(), b"x").expect("written"), 1);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "x");
    }

    #[test]
    fn a_fifo_nobody_reads_makes_nobody_wait() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
        let path = path.display().to_string();
        assert_eq!(open_existing(&path).expect_err("no reader").raw_os_error(), Some(libc::ENXIO));
        let mut fifo = open_fifo(&path).expect("opened");
        let mut written = 0;
        let error = loop {
            match fifo.write(&[0; 4096]) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(written > 0);
    }

    #[test]
    fn a_full_socket_makes_nobody_wait_and_a_closed_one_is_an_error() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let error = loop {
            if let Err(error) = send_now(here.as_fd(), &[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(there);
        // A child that another test has just made holds the other end, too, until it executes its program.
        let error = loop {
            match send_now(here.as_fd(), b"x") {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break error,
                _ => std::thread::yield_now(),
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_duplicate_writes_to_the_same_pipe() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let copy = duplicate(writer.as_raw_fd()).expect("duplicated");
        drop(writer);
        File::from(copy).write_all(b"x").expect("written");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "x");
        assert!(duplicate(-1).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn opening_again_leaves_the_mode_of_the_first_alone() {
        let (_reader, writer) = io::pipe().expect("a pipe");
        let again = open_again(writer.as_raw_fd()).expect("opened");
        let flags = |fd: BorrowedFd<'_>| OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).expect("flags"));
        assert!(flags(again.as_fd()).contains(OFlag::O_NONBLOCK));
        assert!(!flags(writer.as_fd()).contains(OFlag::O_NONBLOCK));
    }
}
