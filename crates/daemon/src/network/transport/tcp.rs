//! TCP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use supervisord_core::actor::ClientPeer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::kind::{Accept, Accepted, Transport, is_read_closed};

/// Registers a listening socket with the runtime of this thread.
pub fn accept_on(listener: std::net::TcpListener) -> io::Result<Box<dyn Accept>> {
    Ok(Box::new(listen_on(listener)?))
}

/// The same, as a TCP socket.
pub(super) fn listen_on(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    // Accepted sockets inherit keep-alive, which ends the connections of clients that vanished.
    let same = std::net::TcpStream::from(listener.as_fd().try_clone_to_owned()?);
    TcpSocket::from_std_stream(same).set_keepalive(true)?;
    TcpListener::from_std(listener)
}

impl Accept for TcpListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, address) = ready!(TcpListener::poll_accept(self, cx))?;
        // The daemon writes replies whole; to wait for a full segment would only delay them.
        Poll::Ready(stream.set_nodelay(true).map(|()| accepted(stream, address)))
    }

    fn resume(&self, connection: OwnedFd) -> io::Result<Accepted> {
        let stream = std::net::TcpStream::from(connection);
        stream.set_nonblocking(true)?;
        let address = stream.peer_addr()?;
        Ok(accepted(TcpStream::from_std(stream)?, address))
    }
}

fn accepted(stream: TcpStream, address: SocketAddr) -> Accepted {
    Accepted { transport: Box::new(stream), client: ClientPeer::Inet(address) }
}

impl Transport for TcpStream {
    fn is_read_closed(&self) -> bool {
        is_read_closed(self.ready(tokio::io::Interest::READABLE))
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn hand_over(&self) -> Option<OwnedFd> {
        self.as_fd().try_clone_to_owned().ok()
    }
}
