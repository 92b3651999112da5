//! Listening sockets.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::socket::{AddressFamily, SockaddrStorage, bind, setsockopt, sockopt};

use crate::{Errno, system};

mod error;
mod holder;
mod resolve;
mod self_connection;
mod unix;

pub use error::SocketError;
pub use holder::{Holder, holder_of_path, holder_of_port};
pub use self_connection::refuse_self_connection;
pub use unix::{SocketFileSpec, UnixListening, check_free, listen_unix, remove, remove_dead, replace_unix};

/// The default number of queued connections: the most that the system allows.
pub const MAX_BACKLOG: u32 = libc::SOMAXCONN as u32;

/// Listens on a TCP port. The socket is blocking and closed on exec; the address can be reused at once after it is
/// closed.
///
/// Without a host it listens on all IPv4 interfaces. A name means its first IPv4 address, or else its first IPv6
/// address; the look-up may block. An IPv6 address may be in brackets.
pub fn listen_tcp(host: &str, port: u16, backlog: u32) -> Result<OwnedFd, SocketError> {
    let address = SocketAddr::new(resolve::address(host)?, port);
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = stream_socket(family)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, backlog)?;
    Ok(socket)
}

fn stream_socket(family: libc::c_int) -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_STREAM | system::SOCKET_FLAGS.bits();
    // SAFETY: only creates a new descriptor.
    let number = checked(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor is new, so it has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // For systems without the flag.
    nix::fcntl::fcntl(&socket, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok(socket)
}

fn listen(socket: &OwnedFd, backlog: u32) -> Result<(), Errno> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: no memory is accessed.
    checked(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(())
}

/// Stops listening, for all copies of the socket: new connections are refused.
pub fn stop_listening(socket: &OwnedFd) {
    // It fails only if the socket does not listen.
    let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

/// The address of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A path of the file system.
    Unix(PathBuf),
    /// A TCP port.
    Tcp(u16),
}

/// The address of a listening socket; none if it does not listen, or has another type of address.
pub fn listen_address(socket: &OwnedFd) -> Option<ListenAddress> {
    use nix::sys::socket::{SockaddrLike, getsockname, getsockopt};
    if !getsockopt(socket, sockopt::AcceptConn).ok()? {
        return None;
    }
    let address: SockaddrStorage = getsockname(socket.as_raw_fd()).ok()?;
    match address.family()? {
        AddressFamily::Unix => address.as_unix_addr()?.path().map(|path| ListenAddress::Unix(path.to_owned())),
        AddressFamily::Inet => Some(ListenAddress::Tcp(address.as_sockaddr_in()?.port())),
        AddressFamily::Inet6 => Some(ListenAddress::Tcp(address.as_sockaddr_in6()?.port())),
        _ => None,
    }
}

fn checked(result: libc::c_int) -> Result<libc::c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

#[cfg(test)]
mod tests;
