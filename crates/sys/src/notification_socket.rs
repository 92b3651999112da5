//! A socket on which programs notify the daemon, as they notify systemd: the kernel says who has sent a datagram.
//!
//! Its name is an abstract one: it is no file, so that nobody has to remove it, and processes of every user reach it, also
//! those with another root directory, but not those with a network namespace of their own. Only Linux has such names.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub use crate::datagram::Datagram;
use crate::{random, system};

/// What all names begin with.
const PREFIX: &str = "supervisord/notify/";

/// The socket; it does not block, and is closed on exec.
#[derive(Debug)]
pub struct NotificationSocket {
    socket: OwnedFd,
    address: String,
}

impl NotificationSocket {
    /// A socket with a name that nobody can guess.
    ///
    /// # Errors
    /// `Unsupported` where the system has no such names.
    pub fn open() -> io::Result<NotificationSocket> {
        let digits: String = random::bytes::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{PREFIX}{digits}");
        let socket = system::open_notification_socket(name.as_bytes())?;
        Ok(NotificationSocket { socket, address: format!("@{name}") })
    }

    /// One that another program of the daemon has opened.
    ///
    /// # Errors
    /// It is no such socket.
    pub fn from_passed(socket: OwnedFd) -> io::Result<NotificationSocket> {
        let name = String::from_utf8(system::abstract_name_of(socket.as_fd())?);
        let name = name.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(NotificationSocket { socket, address: format!("@{name}") })
    }

    /// Its address, as `NOTIFY_SOCKET` has it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets others send descriptors, or has the kernel refuse their messages with EPERM.
    ///
    /// # Errors
    /// The system cannot refuse them: Linux before 6.16.
    pub fn accept_descriptors(&self, accepts: bool) -> io::Result<()> {
        system::accept_descriptors(self.socket.as_fd(), accepts)
    }

    /// Receives a datagram.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        system::receive_datagram(self.socket.as_fd(), buffer)
    }
}

impl AsFd for NotificationSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<NotificationSocket> for OwnedFd {
    fn from(socket: NotificationSocket) -> OwnedFd {
        socket.socket
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

    use super::*;

    fn send(address: &str, bytes: &[u8], descriptors: usize) {
        let null = std::fs::File::open("/dev/null").unwrap();
        let numbers = vec![null.as_raw_fd(); descriptors];
        let rights = [ControlMessage::ScmRights(&numbers)];
        let control = if numbers.is_empty() { &[][..] } else { &rights[..] };
        let from = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let to = UnixAddr::new_abstract(address.strip_prefix('@').unwrap().as_bytes()).unwrap();
        sendmsg(from.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::empty(), Some(&to)).unwrap();
    }

    #[test]
    fn a_datagram_tells_who_sent_it() {
        let socket = NotificationSocket::open().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(socket.address(), b"READY=1", 0);
        let datagram = socket.receive(&mut buffer).unwrap();
        assert_eq!((&buffer[..datagram.length], datagram.is_whole), (&b"READY=1"[..], true));
        assert_eq!((datagram.pid, datagram.uid), (std::process::id(), nix::unistd::getuid().as_raw()));
    }

    #[test]
    fn all_descriptors_of_a_datagram_are_taken() {
        let socket = NotificationSocket::open().unwrap();
        let mut buffer = [0; 16];
        send(socket.address(), &[b'x'; 1000], 200);
        let datagram = socket.receive(&mut buffer).unwrap();
        assert_eq!((datagram.length, datagram.is_whole), (16, false));
        assert_eq!(datagram.pid, std::process::id());
        assert_eq!(datagram.descriptors.len(), 200, "the kernel would wait for each that it has to close");
        send(socket.address(), b"BARRIER=1", 1);
        assert_eq!(socket.receive(&mut buffer).unwrap().descriptors.len(), 1);
    }

    #[test]
    fn descriptors_can_be_refused() {
        let socket = NotificationSocket::open().unwrap();
        // Where the kernel cannot refuse them there is nothing to see.
        if socket.accept_descriptors(false).is_err() {
            return;
        }
        let null = std::fs::File::open("/dev/null").unwrap();
        let numbers = [null.as_raw_fd()];
        let from = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let to = UnixAddr::new_abstract(socket.address().strip_prefix('@').unwrap().as_bytes()).unwrap();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let sent = sendmsg(from.as_raw_fd(), &[IoSlice::new(b"X=1")], &rights, MsgFlags::empty(), Some(&to));
        assert_eq!(sent, Err(nix::errno::Errno::EPERM));
        send(socket.address(), b"READY=1", 0);
        let mut buffer = [0; 16];
        assert_eq!(socket.receive(&mut buffer).unwrap().pid, std::process::id(), "who sent it is known all the same");
        socket.accept_descriptors(true).unwrap();
        send(socket.address(), b"BARRIER=1", 1);
        assert_eq!(socket.receive(&mut buffer).unwrap().descriptors.len(), 1);
    }

    #[test]
    fn the_name_stays_when_the_socket_is_passed_on() {
        let socket = NotificationSocket::open().unwrap();
        let address = socket.address().to_owned();
        let passed = NotificationSocket::from_passed(socket.into()).unwrap();
        assert_eq!(passed.address(), address);
        assert!(NotificationSocket::from_passed(std::fs::File::open("/dev/null").unwrap().into()).is_err());
    }
}
