//! Passes descriptors between processes of one machine, over local sockets that preserve message boundaries.
//!
//! Linux and FreeBSD have such sockets; elsewhere creating one fails.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockType, UnixAddr, bind, connect, listen, sendmsg, socket,
    socketpair,
};

use crate::trusted::{self, NewSocket, NewSocketPlace};
use crate::{Errno, system};

/// The most descriptors that one message can carry (`SCM_MAX_FD` of Linux is 253).
pub const MAX_DESCRIPTORS: usize = 250;

/// Two connected sockets, closed on exec; both are blocking.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, system::SOCKET_FLAGS)?)
}

fn new_socket() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, system::SOCKET_FLAGS, None)?)
}

/// Listens at `path` with mode 0600, replacing any socket file. The caller makes sure that no other process listens
/// there; any other kind of file is left alone and is EEXIST. After an error no new file remains.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::FileTypeExt;
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut name = OsString::from(path);
    name.push(".new");
    let temporary = PathBuf::from(name);
    // A daemon that was killed at this point may have left the file.
    crate::socket::remove(&temporary)?;
    let listener = new_socket()?;
    let place = NewSocketPlace::of(&temporary)?;
    with_address(&temporary, |address| bind(listener.as_raw_fd(), address))?;
    let published = place.socket().and_then(|made| publish(&listener, &made, &temporary, path));
    if published.is_err() {
        // A file that cannot be removed stays.
        let _ = trusted::remove(&temporary);
    }
    published?;
    Ok(listener)
}

fn publish(listener: &OwnedFd, made: &NewSocket, temporary: &Path, path: &Path) -> io::Result<()> {
    made.set_mode(0o600)?;
    listen(listener, Backlog::new(4)?)?;
    trusted::rename(temporary, path)
}

/// Connects to the listener at `path`. It never blocks: a full backlog is EAGAIN. The socket itself is blocking.
pub fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let connection = new_socket()?;
    crate::fd::set_nonblocking(connection.as_fd(), true)?;
    with_address(path, |address| connect(connection.as_raw_fd(), address))?;
    crate::fd::set_nonblocking(connection.as_fd(), false)?;
    Ok(connection)
}

/// Calls `use_it` with the address of a socket file. A path that is too long for an address (108 bytes) is shortened
/// through a descriptor of its directory, if there is `/proc`.
fn with_address(path: &Path, use_it: impl FnOnce(&UnixAddr) -> nix::Result<()>) -> io::Result<()> {
    let address = match (UnixAddr::new(path), path.parent(), path.file_name()) {
        (Err(nix::errno::Errno::ENAMETOOLONG), Some(directory), Some(name)) => {
            let directory = fs::File::open(directory)?;
            let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
            return Ok(use_it(&UnixAddr::new(&short)?)?);
        }
        (address, ..) => address?,
    };
    Ok(use_it(&address)?)
}

/// Accepts a connection; it is closed on exec and blocking.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: without an address no memory is accessed; the result is checked before it is owned.
    let raw = unsafe { libc::accept(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and has no other owner.
    let connection = unsafe { OwnedFd::from_raw_fd(raw) };
    fcntl(&connection, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(connection)
}

/// The user and the process at the other end of a connection, as of its creation. `Unsupported` if the system does not
/// tell.
pub fn peer(connection: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    system::peer(connection)
}

/// The ids of all groups of the process that opened a connection on a unix socket, as they were then.
pub fn peer_groups(connection: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    system::peer_groups(connection)
}

/// Why a message cannot be sent now, but possibly later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The receiver has not read enough of the earlier messages.
    Full,
    /// Too many descriptors of this user are in flight.
    TooManyUnderWay,
}

impl Busy {
    /// The meaning of an error of [`send`]; none if a retry is useless.
    pub fn of(error: &io::Error) -> Option<Busy> {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Some(Busy::Full),
            Some(libc::ETOOMANYREFS) => Some(Busy::TooManyUnderWay),
            _ => None,
        }
    }
}

/// Sends one message with copies of these descriptors, completely or not at all. It never blocks: see [`Busy`]. If the
/// receiver is gone it is EPIPE, with SIGPIPE unless that is ignored.
pub fn send(connection: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &[][..] } else { &rights[..] };
    loop {
        let sent =
            sendmsg::<()>(connection.as_raw_fd(), &[IoSlice::new(message)], control, MsgFlags::MSG_DONTWAIT, None);
        match sent {
            Ok(_) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one message into `buffer`: returns its length, and its descriptors, closed on exec. The length is 0 at the
/// end of the connection. A message that does not fit is an error, and so are descriptors without room (EMFILE): those
/// that were received are closed.
pub fn receive(connection: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    // Words, because headers must be aligned.
    let mut control = [0_u64; CONTROL_WORDS];
    let mut into = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (length, message) = loop {
        // SAFETY: all zeros is a valid value of this structure of numbers and pointers.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut into;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        // The type of a length differs by system; this one fits all of them.
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the pointers may be written to for the given lengths.
        match unsafe { libc::recvmsg(connection.as_raw_fd(), &raw mut message, system::RECEIVE_FLAGS.bits()) } {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(io::Error::last_os_error()),
            length => break (length.unsigned_abs(), message),
        }
    };
    let descriptors = descriptors_of(&message);
    if system::RECEIVE_FLAGS.is_empty() {
        for descriptor in &descriptors {
            fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
    }
    // Descriptors that are not returned are closed. Of a truncated message the system delivers as many as fit.
    match message.msg_flags {
        flags if flags & libc::MSG_TRUNC != 0 => Err(io::ErrorKind::InvalidData.into()),
        flags if flags & libc::MSG_CTRUNC != 0 => Err(Errno::EMFILE.into()),
        _ => Ok((length, descriptors)),
    }
}

/// Space for a header and [`MAX_DESCRIPTORS`] descriptors.
const CONTROL_WORDS: usize = {
    // SAFETY: it takes a number.
    let bytes = unsafe { libc::CMSG_SPACE((MAX_DESCRIPTORS * size_of::<RawFd>()) as libc::c_uint) };
    (bytes as usize).div_ceil(size_of::<u64>())
};

/// The descriptors of a message that was just received.
fn descriptors_of(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the system has written the headers, and gives their total length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: as above; it is null after the last header.
    while let Some(part) = unsafe { header.as_ref() } {
        if (part.cmsg_level, part.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: it takes a number.
            #[allow(clippy::unnecessary_cast, reason = "its type differs by system")]
            let bytes = part.cmsg_len as usize - unsafe { libc::CMSG_LEN(0) } as usize;
            // SAFETY: the header is followed by as many descriptors as its length says.
            let first = unsafe { libc::CMSG_DATA(part) }.cast::<RawFd>();
            for index in 0..bytes / size_of::<RawFd>() {
                // SAFETY: it is one of those, possibly unaligned. The system has just created it for this process, so
                // it has no other owner.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(first.add(index).read_unaligned()) });
            }
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    descriptors
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_descriptor_arrives_with_its_message() {
        let (here, there) = pair().unwrap();
        let pipe = crate::pipe::pipe().unwrap();
        send(here.as_fd(), b"first", &[pipe.writer.as_fd()]).unwrap();
        send(here.as_fd(), b"second", &[]).unwrap();
        drop(pipe.writer);
        let mut buffer = [0; 100];
        let (length, mut taken) = receive(there.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..length], taken.len()), (&b"first"[..], 1));
        File::from(taken.remove(0)).write_all(b"through the copy").unwrap();
        let mut text = [0; 16];
        File::from(pipe.reader).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"through the copy");
        let (length, taken) = receive(there.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..length], taken.len()), (&b"second"[..], 0));
        drop(here);
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap().0, 0, "the end");
    }

    #[test]
    fn a_message_is_received_after_its_sender_has_exited() {
        let (here, there) = pair().unwrap();
        send(here.as_fd(), b"last", &[here.as_fd()]).unwrap();
        drop(here);
        let mut buffer = [0; 10];
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap().1.len(), 1);
    }

    #[test]
    fn sending_to_a_full_socket_does_not_block() {
        let (here, there) = pair().unwrap();
        send(here.as_fd(), b"long", &[]).unwrap();
        assert_eq!(receive(there.as_fd(), &mut [0; 2]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let full = loop {
            if let Err(error) = send(here.as_fd(), &[0; 1000], &[]) {
                break error;
            }
        };
        assert_eq!(Busy::of(&full), Some(Busy::Full));
    }

    #[test]
    fn descriptors_of_a_truncated_message_are_closed() {
        let (here, there) = pair().unwrap();
        let pipe = crate::pipe::pipe().unwrap();
        let too_many = [pipe.writer.as_fd(); MAX_DESCRIPTORS + 3];
        send(here.as_fd(), b"cut", &too_many).unwrap();
        send(here.as_fd(), b"whole", &[]).unwrap();
        drop(pipe.writer);
        let mut buffer = [0; 100];
        let cut = receive(there.as_fd(), &mut buffer).unwrap_err();
        assert_eq!(cut.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap().0, 5, "the next one arrives");
        // A child of another test may hold the other end for a moment.
        let limit = Some(std::time::Duration::from_secs(60));
        assert!(crate::fd::poll_readable(pipe.reader.as_fd(), limit).unwrap(), "the end");
    }

    #[test]
    fn a_listener_has_its_mode_and_replaces_a_stale_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keeper");
        drop(listen_at(&path).unwrap());
        let listener = listen_at(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let connection = connect_to(&path).unwrap();
        let accepted = accept(listener.as_fd()).unwrap();
        let myself = (crate::user::effective_uid(), crate::Pid::current().get());
        assert_eq!(peer(accepted.as_fd()).unwrap(), myself);
        assert_eq!(peer(connection.as_fd()).unwrap(), myself);
        let own_group = nix::unistd::getegid().as_raw();
        assert!(peer_groups(accepted.as_fd()).unwrap().contains(&own_group));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        let long = directory.path().join("d".repeat(200));
        fs::create_dir(&long).unwrap();
        let far_away = listen_at(&long.join("keeper")).unwrap();
        connect_to(&long.join("keeper")).unwrap();
        accept(far_away.as_fd()).unwrap();
        fs::remove_dir_all(&long).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
