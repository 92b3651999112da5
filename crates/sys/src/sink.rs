//! Opens and writes logs of any file type (files, FIFOs, terminals, inherited sockets) without blocking.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::socket::{MsgFlags, send};

use crate::trusted::NON_BLOCKING;
use crate::{system, trusted};

/// Opens `path` for appending; creates it with `mode` (less the file mode mask) if it does not exist.
pub fn open_append(path: &str, mode: u32) -> io::Result<File> {
    trusted::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | NON_BLOCKING, mode)
}

/// Opens an existing file for writing. Fails with ENXIO for a FIFO without a reader, and for a socket.
pub fn open_existing(path: &str) -> io::Result<File> {
    trusted::open(path, libc::O_WRONLY | NON_BLOCKING, 0)
}

/// Opens an existing file for reading. Fails with ELOOP for a symbolic link.
pub fn open_unfollowed(path: &str) -> io::Result<File> {
    let opened = OpenOptions::new().read(true).custom_flags(NON_BLOCKING | libc::O_NOFOLLOW).open(path);
    opened.map(system::keep_from_children)
}

/// Opens a FIFO for writing with or without a reader: it is opened for reading as well, so that writing never fails
/// with EPIPE.
pub fn open_fifo(path: &str) -> io::Result<File> {
    trusted::open(path, libc::O_RDWR | NON_BLOCKING, 0)
}

/// A copy of descriptor `number` of this process, closed on exec. Fails with EBADF if it is not open.
pub fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the number may be invalid; the system checks it.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just created this descriptor, so it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A new open file description for descriptor `number` of this process (a pipe or terminal), for non-blocking writes;
/// the mode of the inherited one, which other processes share, does not change. Fails for a socket; `Unsupported` if
/// the system has no way to do it.
pub fn reopen(number: i32) -> io::Result<File> {
    system::reopen(number, NON_BLOCKING)
}

/// Sends as much as fits into a connected socket (EAGAIN: nothing) without blocking, whatever its mode. A closed peer
/// is EPIPE and raises no signal.
pub fn send_now(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | system::SEND_FLAGS)?)
}

/// Writes once to the end of a regular file that was not opened for appending, possibly only a part, and leaves the
/// position there: other processes with this open file continue after it. If the system cannot do that (Linux before
/// 4.16, other systems), it writes at the position.
pub fn append_once(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match system::append_by_flag(file, bytes) {
        Err(error) if UNSUPPORTED_ERRORS.contains(&error.kind()) => crate::fd::write(file, bytes),
        written => written,
    }
}

/// The errors of a system, or of a seccomp filter, without the call.
const UNSUPPORTED_ERRORS: [io::ErrorKind; 3] =
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
    fn a_shared_file_is_appended_to_and_other_writers_continue_after_it() {
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
    fn a_fifo_without_a_reader_does_not_block() {
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
    fn a_full_socket_does_not_block_and_a_closed_one_is_an_error() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let error = loop {
            if let Err(error) = send_now(here.as_fd(), &[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(there);
        // A child of another test holds the other end, too, until it executes its program.
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
    fn reopening_does_not_change_the_mode_of_the_original() {
        let (_reader, writer) = io::pipe().expect("a pipe");
        let again = reopen(writer.as_raw_fd()).expect("opened");
        let flags = |fd: BorrowedFd<'_>| OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).expect("flags"));
        assert!(flags(again.as_fd()).contains(OFlag::O_NONBLOCK));
        assert!(!flags(writer.as_fd()).contains(OFlag::O_NONBLOCK));
    }
}
