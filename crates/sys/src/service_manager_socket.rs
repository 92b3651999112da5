//! The socket on which the service manager that started this process (systemd) is told how it is: `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{MsgFlags, UnixAddr, sendto};

use crate::system;

/// The variable with its address.
pub const VARIABLE: &str = "NOTIFY_SOCKET";

/// A socket that sends to the service manager.
#[derive(Debug)]
pub struct ServiceManagerSocket {
    socket: OwnedFd,
    address: UnixAddr,
}

impl ServiceManagerSocket {
    /// For the address in `NOTIFY_SOCKET`: an absolute path, or `@` and an abstract name.
    ///
    /// # Errors
    /// It is neither, or the system has no such addresses or sockets.
    pub fn open(address: &OsStr) -> io::Result<ServiceManagerSocket> {
        Ok(ServiceManagerSocket { socket: UnixDatagram::unbound()?.into(), address: parse(address)? })
    }

    /// Sends one message, and never waits.
    ///
    /// # Errors
    /// `WouldBlock` where the service manager does not take what was sent before; others where there is none at the address.
    pub fn send(&self, message: &str) -> io::Result<()> {
        sendto(self.socket.as_raw_fd(), message.as_bytes(), &self.address, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}

/// A socket of its own that is connected to this address, for messages with descriptors.
///
/// # Errors
/// As those of [`ServiceManagerSocket::open`], and where nobody is there.
pub fn connect(address: &OsStr) -> io::Result<OwnedFd> {
    let socket = OwnedFd::from(UnixDatagram::unbound()?);
    nix::sys::socket::connect(socket.as_raw_fd(), &parse(address)?)?;
    Ok(socket)
}

fn parse(address: &OsStr) -> io::Result<UnixAddr> {
    match address.as_bytes() {
        [b'/', ..] => Ok(UnixAddr::new(address)?),
        [b'@', name @ ..] => Ok(system::abstract_address(name)?),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_reach_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let socket = ServiceManagerSocket::open(path.as_os_str()).unwrap();
        socket.send("READY=1\n").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(manager.recv(&mut buffer).map(|length| buffer[..length].to_vec()).unwrap(), b"READY=1\n");
        drop(manager);
        assert!(socket.send("READY=1\n").is_err());
        assert!(ServiceManagerSocket::open(OsStr::new("notify")).is_err());
        assert!(ServiceManagerSocket::open(OsStr::new("")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn messages_reach_an_abstract_name() {
        let manager = crate::notification_socket::NotificationSocket::open().unwrap();
        ServiceManagerSocket::open(OsStr::new(manager.address())).unwrap().send("READY=1").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(manager.receive(&mut buffer).unwrap().length, 7);
    }
}
