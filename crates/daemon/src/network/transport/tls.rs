//! TLS over TCP. The handshake is made while the connection waits for its first request, whose time limit it shares; a client
//! in its handshake is a stranger to admission.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use supervisord_core::actor::ClientPeer;
use supervisord_tls::server_certificates::TlsContext;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept as Handshake, TlsAcceptor};

use super::kind::{Accept, Accepted, Transport};
use super::tcp;

struct TlsListener {
    listener: TcpListener,
    context: TlsContext,
}

/// Registers a listening socket with the runtime of this thread.
pub fn accept_on(listener: std::net::TcpListener, context: TlsContext) -> io::Result<Box<dyn Accept>> {
    Ok(Box::new(TlsListener { listener: tcp::listen_on(listener)?, context }))
}

impl Accept for TlsListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, address) = ready!(self.listener.poll_accept(cx))?;
        stream.set_nodelay(true)?;
        Poll::Ready(Ok(self.accepted(stream, address)))
    }

    fn tls(&self) -> Option<&TlsContext> {
        Some(&self.context)
    }

    /// A connection on which nothing has been said yet: the keys of others stay in the program that made them.
    fn resume(&self, connection: OwnedFd) -> io::Result<Accepted> {
        let stream = std::net::TcpStream::from(connection);
        stream.set_nonblocking(true)?;
        let address = stream.peer_addr()?;
        Ok(self.accepted(TcpStream::from_std(stream)?, address))
    }
}

impl TlsListener {
    fn accepted(&self, stream: TcpStream, address: SocketAddr) -> Accepted {
        let local = stream.local_addr().ok();
        let state = TlsState::Silent(stream, TlsAcceptor::from(self.context.current()));
        Accepted { transport: Box::new(TlsTransport { state, local }), client: ClientPeer::Inet(address) }
    }
}

struct TlsTransport {
    state: TlsState,
    local: Option<SocketAddr>,
}

enum TlsState {
    /// The client has not said anything.
    Silent(TcpStream, TlsAcceptor),
    Handshake(Box<Handshake<TcpStream>>),
    Open(Box<TlsStream<TcpStream>>),
    /// The handshake has failed.
    Failed,
}

impl TlsTransport {
    /// The stream, after the handshake.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let TlsState::Silent(stream, _) = &self.state {
            ready!(stream.poll_read_ready(cx))?;
            if let TlsState::Silent(stream, acceptor) = std::mem::replace(&mut self.state, TlsState::Failed) {
                self.state = TlsState::Handshake(Box::new(acceptor.accept(stream)));
            }
        }
        if let TlsState::Handshake(handshake) = &mut self.state {
            let done = ready!(Pin::new(&mut **handshake).poll(cx));
            self.state = match done {
                Ok(stream) => TlsState::Open(Box::new(stream)),
                Err(error) => {
                    self.state = TlsState::Failed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        match &mut self.state {
            TlsState::Open(stream) => Poll::Ready(Ok(Pin::new(stream))),
            TlsState::Silent(..) | TlsState::Handshake(_) | TlsState::Failed => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            TlsState::Open(stream) => Pin::new(stream).poll_flush(cx),
            // Nothing has been written.
            TlsState::Silent(..) | TlsState::Handshake(_) | TlsState::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            TlsState::Open(stream) => Pin::new(stream).poll_shutdown(cx),
            TlsState::Silent(..) | TlsState::Handshake(_) | TlsState::Failed => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl Transport for TlsTransport {
    fn is_read_closed(&self) -> bool {
        match &self.state {
            TlsState::Open(stream) => stream.get_ref().0.is_read_closed(),
            TlsState::Silent(stream, _) => Transport::is_read_closed(stream),
            TlsState::Handshake(handshake) => handshake.get_ref().is_some_and(Transport::is_read_closed),
            TlsState::Failed => true,
        }
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.local
    }

    fn hand_over(&self) -> Option<OwnedFd> {
        match &self.state {
            TlsState::Silent(stream, _) => stream.hand_over(),
            TlsState::Handshake(_) | TlsState::Open(_) | TlsState::Failed => None,
        }
    }
}
