//! A client's socket with what its connection is doing, as far as time limits and room for others depend on it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use supervisord_core::actor::Client;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::memory_budget::Reservation;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for the first byte of its first request.
    Fresh,
    /// It has sent a part of the head of a request.
    Head,
    /// It was answered and may send another request.
    Idle,
    /// Its request is being carried out.
    Handling,
    /// It is being answered.
    Replying,
    /// It is being sent a log for as long as it likes.
    Streaming,
}

/// Who is at the other end, as access lines show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP client.
    Inet(SocketAddr),
    /// A client on a socket in the file system.
    Local,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Inet(address) => write!(f, "{}:{}", address.ip(), address.port()),
            Peer::Local => f.write_str("localhost:0"),
        }
    }
}

/// A connected stream of either kind.
pub enum Stream {
    /// TCP.
    Inet(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
}

macro_rules! either {
    ($socket:expr, $stream:ident => $action:expr) => {
        match $socket {
            Stream::Inet($stream) => $action,
            Stream::Unix($stream) => $action,
        }
    };
}

/// One client's socket and the state of its connection; the network thread shares it among its tasks.
pub struct Socket {
    stream: Stream,
    peer: Peer,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    blocked: Cell<Option<Instant>>,
    owed: RefCell<Vec<(Instant, Reservation)>>,
    ended: Cell<bool>,
    changed: Notify,
    evicted: Notify,
}

impl Socket {
    /// A socket that was just accepted.
    pub fn new(stream: Stream, peer: Peer) -> Socket {
        Socket {
            stream,
            peer,
            phase: Cell::new(Phase::Fresh),
            since: Cell::new(Instant::now()),
            blocked: Cell::new(None),
            owed: RefCell::default(),
            ended: Cell::new(false),
            changed: Notify::new(),
            evicted: Notify::new(),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The client, as far as the system knows it.
    pub fn client(&self) -> Client {
        match (&self.stream, self.peer) {
            (_, Peer::Inet(address)) => Client::Inet(address),
            (Stream::Unix(stream), Peer::Local) => {
                let credentials = stream.peer_cred().ok();
                let (uid, pid) = (credentials.map(|known| known.uid()), credentials.and_then(|known| known.pid()));
                Client::Unix { uid, pid }
            }
            (Stream::Inet(_), Peer::Local) => Client::Unix { uid: None, pid: None },
        }
    }

    /// The address that a TCP client connected to.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.stream {
            Stream::Inet(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// What the connection is doing.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Since when it has been doing that.
    pub fn since(&self) -> Instant {
        self.since.get()
    }

    /// Since when the client has not taken what is ready for it.
    pub fn blocked(&self) -> Option<Instant> {
        self.blocked.get()
    }

    /// Whether the client has sent its last byte, as far as the connection has read.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Enters a phase and tells whoever watches the time.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
        self.changed.notify_one();
    }

    /// Returns when a phase was entered, or writing got stuck, since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A second handle on the connection, where nothing is under way on it: what the client says next is whole, for whoever
    /// reads it.
    pub fn hand_over(&self) -> Option<OwnedFd> {
        let is_at_rest = matches!(self.phase(), Phase::Fresh | Phase::Idle) && self.blocked().is_none();
        if !is_at_rest || self.has_ended() {
            return None;
        }
        either!(&self.stream, stream => stream.as_fd().try_clone_to_owned()).ok()
    }

    /// Asks the connection to make room for others.
    pub fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Returns when the connection is to make room for others.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Whether the client has closed its sending direction, even where bytes before that were not read yet.
    pub async fn is_hung_up(&self) -> bool {
        let readiness = async { either!(&self.stream, stream => stream.ready(Interest::READABLE).await) };
        tokio::select! {
            biased;
            ready = readiness => ready.map_or(true, |ready| ready.is_read_closed()),
            () = std::future::ready(()) => false,
        }
    }

    /// Sends the end of the stream; the client may go on sending.
    pub fn close_write(&self) -> io::Result<()> {
        // The asynchronous types can do this only when owned; a duplicate acts on the same connection.
        match &self.stream {
            Stream::Inet(stream) => {
                std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?).shutdown(std::net::Shutdown::Write)
            }
            Stream::Unix(stream) => std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?)
                .shutdown(std::net::Shutdown::Write),
        }
    }

    /// Reads and forgets until the client has nothing more to say, or has said so many bytes.
    pub async fn discard(&self, most: usize) -> io::Result<()> {
        let mut scrap = [0; 8192];
        let mut left = most;
        while left > 0 {
            either!(&self.stream, stream => stream.readable().await)?;
            match either!(&self.stream, stream => stream.try_read(&mut scrap)) {
                Ok(0) => return Ok(()),
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Err(error),
            }
            // A client that is quick with its bytes is no reason to leave others waiting.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Remembers the memory that an answer takes until the client has been sent the last byte of it.
    pub fn owe(&self, reservation: Reservation) {
        if reservation.bytes() > 0 {
            self.owed.borrow_mut().push((Instant::now(), reservation));
        }
    }

    /// Since when the client has been taking an answer that others need the memory of.
    pub fn owes_since(&self) -> Option<Instant> {
        self.owed.borrow().first().map(|(since, _)| *since)
    }

    fn sent_all(&self) {
        self.owed.borrow_mut().clear();
    }

    fn heard(&self, count: usize) {
        if count == 0 {
            self.ended.set(true);
        } else if matches!(self.phase.get(), Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    fn stuck(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(Instant::now()));
            self.changed.notify_one();
        }
    }
}

/// The end of a [`Socket`] that the HTTP library reads and writes.
pub struct SocketIo(pub Rc<Socket>);

impl AsyncRead for SocketIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = &*self.0;
        loop {
            ready!(either!(&socket.stream, stream => stream.poll_read_ready(cx)))?;
            match either!(&socket.stream, stream => stream.try_read_buf(buffer)) {
                Ok(count) => {
                    socket.heard(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl SocketIo {
    fn poll_send(&self, cx: &mut Context<'_>, send: impl Fn(&Stream) -> io::Result<usize>) -> Poll<io::Result<usize>> {
        let socket = &*self.0;
        loop {
            match either!(&socket.stream, stream => stream.poll_write_ready(cx))? {
                Poll::Ready(()) => (),
                Poll::Pending => {
                    socket.stuck();
                    return Poll::Pending;
                }
            }
            match send(&socket.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                sent => {
                    socket.blocked.set(None);
                    return Poll::Ready(sent);
                }
            }
        }
    }
}

impl AsyncWrite for SocketIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| either!(stream, stream => stream.try_write(bytes)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| either!(stream, stream => stream.try_write_vectored(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The HTTP library flushes when it has written everything it holds.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.sent_all();
        Poll::Ready(Ok(()))
    }

    /// The connection does this itself, once it is through with the HTTP library.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
