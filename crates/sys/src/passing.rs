//! Passing descriptors between processes of one machine, over local sockets that keep the bounds of messages.
//!
//! Linux and FreeBSD have such sockets; elsewhere making one fails.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect,
    listen, recvmsg, sendmsg, socket, socketpair,
};

use crate::trusted::{self, NewSocket, NewSocketPlace};

/// The most descriptors that one message can carry (`SCM_MAX_FD` of Linux is 253).
pub const MOST_DESCRIPTORS: usize = 250;

/// Flags of new sockets. macOS, which has no such sockets, has no flags either.
#[cfg(not(target_vendor = "apple"))]
fn flags() -> SockFlag {
    SockFlag::SOCK_CLOEXEC
}

#[cfg(target_vendor = "apple")]
fn flags() -> SockFlag {
    SockFlag::empty()
}

/// Two connected sockets, closed on exec; both block.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags())?)
}

fn new_socket() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, flags(), None)?)
}

/// Listens at `path`, in place of any socket that is there, with mode 0600. The caller sees to it that nobody else
/// listens there; any other kind of file is left alone and is EEXIST. After an error nothing is left behind.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::FileTypeExt;
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut name = OsString::from(path);
    name.push(".new");
    let temporary = PathBuf::from(name);
    // Left behind by a daemon that was killed at this point.
    crate::socket::remove(&temporary)?;
    let listener = new_socket()?;
    let place = NewSocketPlace::of(&temporary)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(&temporary)?)?;
    let published = place.socket().and_then(|made| publish(&listener, &made, &temporary, path));
    if published.is_err() {
        // Nothing better can be done about a file that will not go.
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

/// Connects to whoever listens at `path`. It never waits: a full backlog is EAGAIN. The socket itself blocks.
pub fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let connection = new_socket()?;
    crate::fd::set_nonblocking(connection.as_fd(), true)?;
    connect(connection.as_raw_fd(), &UnixAddr::new(path)?)?;
    crate::fd::set_nonblocking(connection.as_fd(), false)?;
    Ok(connection)
}

/// Takes a connection that waits at a listening socket; it is closed on exec and blocks.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: without an address there is no memory involved; the result is checked before it is owned.
    let raw = unsafe { libc::accept(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let connection = unsafe { OwnedFd::from_raw_fd(raw) };
    nix::fcntl::fcntl(&connection, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok(connection)
}

/// The user and the process at the other end of a connection, as they were when it was made.
#[cfg(target_os = "linux")]
pub fn peer(connection: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let found = nix::sys::socket::getsockopt(&connection, nix::sys::socket::sockopt::PeerCredentials)?;
    Ok((found.uid(), found.pid().unsigned_abs()))
}

/// Only Linux is asked; the error here is always `Unsupported`.
#[cfg(not(target_os = "linux"))]
pub fn peer(_connection: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Why a message could not be sent now, although it may be later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The other side has not taken enough of what was sent before.
    Full,
    /// Too many descriptors of this user are on their way.
    TooManyUnderWay,
}

impl Busy {
    /// What an error of [`send`] means; none where trying again is of no use.
    pub fn of(error: &io::Error) -> Option<Busy> {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Some(Busy::Full),
            Some(libc::ETOOMANYREFS) => Some(Busy::TooManyUnderWay),
            _ => None,
        }
    }
}

/// Sends one message with copies of these descriptors, all or nothing. It never waits: see [`Busy`]. To
/// somebody who has gone it is EPIPE, and SIGPIPE where that is not ignored.
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

/// Takes one message into `buffer`: how long it is, and the descriptors that came with it, closed on exec. The length is
/// 0 at the end of the connection. A message that does not fit is an error, and so are descriptors for which there is no
/// room (EMFILE): those that could be taken are closed again.
pub fn receive(connection: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    #[cfg(not(target_vendor = "apple"))]
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = MsgFlags::empty();
    let (length, cut, mut descriptors) = loop {
        let mut into = [IoSliceMut::new(buffer)];
        match recvmsg::<()>(connection.as_raw_fd(), &mut into, Some(&mut control), flags) {
            Ok(message) => {
                let mut descriptors = Vec::new();
                for part in message.cmsgs()? {
                    if let ControlMessageOwned::ScmRights(numbers) = part {
                        // SAFETY: the system has just made these descriptors for us, and nobody else knows them.
                        descriptors.extend(numbers.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
                    }
                }
                break (message.bytes, message.flags, descriptors);
            }
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if cut.contains(MsgFlags::MSG_TRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if cut.contains(MsgFlags::MSG_CTRUNC) {
        descriptors.clear();
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    Ok((length, descriptors))
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
    fn what_was_sent_is_there_after_the_sender_has_gone() {
        let (here, there) = pair().unwrap();
        send(here.as_fd(), b"last", &[here.as_fd()]).unwrap();
        drop(here);
        let mut buffer = [0; 10];
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap().1.len(), 1);
    }

    #[test]
    fn a_message_without_room_is_an_error_and_waits_for_nobody() {
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
    fn a_listener_has_its_mode_and_takes_the_place_of_a_dead_one() {
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
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
