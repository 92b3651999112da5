//! Connections that a socket made to itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::linger;
use nix::sys::socket::{SockaddrStorage, getpeername, getsockname, setsockopt, sockopt};

use crate::Errno;

/// Refuses, with ECONNREFUSED, a TCP connection that has itself as its peer.
///
/// A client that connects to a local port on which nobody listens may get this very port as its own, if the port is in the
/// range that the system takes such ports from. The two ends are then the same socket: the connection is made, and all
/// that is sent comes back. Such a socket resets its connection when it is closed, so that it does not keep the port.
pub fn refuse_self_connection(socket: &impl AsFd) -> io::Result<()> {
    let number = socket.as_fd().as_raw_fd();
    let own: SockaddrStorage = getsockname(number)?;
    // It may have been closed by the peer already.
    let is_own = getpeername::<SockaddrStorage>(number).is_ok_and(|peer| peer == own);
    if !is_own {
        return Ok(());
    }
    setsockopt(&socket.as_fd(), sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 })?;
    Err(io::Error::from_raw_os_error(Errno::ECONNREFUSED.number()))
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, connect, socket};

    use super::*;

    #[test]
    fn a_socket_that_reached_itself_is_refused_and_frees_its_port() {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let own: SockaddrStorage = getsockname(socket.as_raw_fd()).unwrap();
        connect(socket.as_raw_fd(), &own).unwrap();
        let error = refuse_self_connection(&socket).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        drop::<OwnedFd>(socket);
        let port = own.as_sockaddr_in().unwrap().port();
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }

    #[test]
    fn other_connections_are_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        refuse_self_connection(&client).unwrap();
        drop(listener);
        refuse_self_connection(&client).unwrap();
    }
}
