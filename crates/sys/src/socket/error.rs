//! Why a socket could not be opened.

use std::io;

use crate::Errno;

/// Why a socket could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// The host name has no address; the error code of the resolver (-2 for an unknown name on Linux).
    #[error("the host name cannot be resolved (code {0})")]
    Resolve(i32),
    /// Another process listens there.
    #[error("somebody is already listening")]
    InUse,
    /// The path is too long for a socket address.
    #[error("AF_UNIX path too long")]
    PathTooLong,
    /// The owner of the socket file may not be changed to the configured one.
    #[error("not permitted to change the owner")]
    Owner,
    /// Any other error.
    #[error("{0}")]
    System(Errno),
}

impl From<Errno> for SocketError {
    fn from(errno: Errno) -> SocketError {
        if errno == Errno::EADDRINUSE { SocketError::InUse } else { SocketError::System(errno) }
    }
}

impl From<nix::errno::Errno> for SocketError {
    fn from(errno: nix::errno::Errno) -> SocketError {
        Errno::from(errno).into()
    }
}

impl From<io::Error> for SocketError {
    fn from(error: io::Error) -> SocketError {
        Errno::from(error).into()
    }
}
