//! What each kind of socket is asked to do.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use supervisord_core::actor::ClientPeer;
use supervisord_tls::server_certificates::TlsContext;
use tokio::io::{AsyncRead, AsyncWrite, Ready};

/// The byte stream between the daemon and one client.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has closed its sending direction, even if bytes before that have not been read yet.
    fn is_read_closed(&self) -> bool;

    /// The address that the client connected to; `None` for a socket in the file system.
    fn local_address(&self) -> Option<SocketAddr>;

    /// The groups of the user at the other end, where the system tells.
    fn peer_groups(&self) -> Vec<u32> {
        Vec::new()
    }

    /// A second descriptor, with which another process can continue an idle connection; `None` if that is impossible.
    fn hand_over(&self) -> Option<OwnedFd>;
}

/// A connection that was just accepted, or that the previous plane handed over.
pub struct Accepted {
    /// The stream.
    pub transport: Box<dyn Transport>,
    /// The identity of the client: its address, or its user and process.
    pub client: ClientPeer,
}

/// A listening socket.
pub trait Accept: Send {
    /// The next client.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>>;

    /// The certificates of the socket, if it has any.
    fn tls(&self) -> Option<&TlsContext> {
        None
    }

    /// A connection that an earlier plane accepted on this socket.
    fn resume(&self, connection: OwnedFd) -> io::Result<Accepted>;
}

/// Whether a socket whose readiness this is has been closed by the other end.
pub(super) fn is_read_closed(readiness: impl Future<Output = io::Result<Ready>>) -> bool {
    // Another task reads from the socket: this one neither waits nor takes its wake-up.
    let now = pin!(readiness).poll(&mut Context::from_waker(Waker::noop()));
    match now {
        Poll::Ready(ready) => ready.map_or(true, Ready::is_read_closed),
        Poll::Pending => false,
    }
}
