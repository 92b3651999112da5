//! Sockets in the file system.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use supervisord_core::actor::ClientPeer;
use supervisord_sys::passing;
use tokio::net::{UnixListener, UnixStream};

use super::kind::{Accept, Accepted, Transport, is_read_closed};

/// Registers a listening socket with the runtime of this thread.
pub fn accept_on(listener: std::os::unix::net::UnixListener) -> io::Result<Box<dyn Accept>> {
    listener.set_nonblocking(true)?;
    Ok(Box::new(UnixListener::from_std(listener)?))
}

impl Accept for UnixListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, _) = ready!(UnixListener::poll_accept(self, cx))?;
        Poll::Ready(Ok(accepted(stream)))
    }

    fn resume(&self, connection: OwnedFd) -> io::Result<Accepted> {
        let stream = std::os::unix::net::UnixStream::from(connection);
        stream.set_nonblocking(true)?;
        Ok(accepted(UnixStream::from_std(stream)?))
    }
}

fn accepted(stream: UnixStream) -> Accepted {
    let credentials = stream.peer_cred().ok();
    let (uid, pid) = (credentials.map(|known| known.uid()), credentials.and_then(|known| known.pid()));
    Accepted { transport: Box::new(stream), client: ClientPeer::Unix { uid, pid } }
}

impl Transport for UnixStream {
    fn is_read_closed(&self) -> bool {
        is_read_closed(self.ready(tokio::io::Interest::READABLE))
    }

    fn local_address(&self) -> Option<SocketAddr> {
        None
    }

    fn peer_groups(&self) -> Vec<u32> {
        passing::peer_groups(self.as_fd()).unwrap_or_default()
    }

    fn hand_over(&self) -> Option<OwnedFd> {
        self.as_fd().try_clone_to_owned().ok()
    }
}
