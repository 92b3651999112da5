//! The connection to one client: its transport, and what it is doing, on which time limits and eviction depend.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use supervisord_core::actor::ClientPeer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::memory_budget::Reservation;
use crate::network::transport::{Accepted, Transport};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionPhase {
    /// It waits for the first byte of its first request.
    Fresh,
    /// It has sent a part of the head of a request.
    Head,
    /// It has sent the head of a request. Its credentials are checked, or the body has not come yet.
    Arriving,
    /// It was answered and may send another request.
    Idle,
    /// Its request is being carried out.
    Handling,
    /// It is being answered.
    Replying,
    /// It receives a stream, for as long as it likes.
    Streaming,
    /// It has got its last answer, and is listened to for a moment so that it can read it.
    Leaving,
}

/// One client's socket and the state of its connection; the network thread shares it among its tasks.
pub struct Socket {
    transport: RefCell<Box<dyn Transport>>,
    client: ClientPeer,
    phase: Cell<ConnectionPhase>,
    since: Cell<Instant>,
    blocked: Cell<Option<Instant>>,
    unsent: RefCell<Vec<(Instant, Reservation)>>,
    ended: Cell<bool>,
    changed: Notify,
    evicted: Notify,
}

impl Socket {
    /// A socket that was just accepted.
    pub fn new(Accepted { transport, client }: Accepted) -> Socket {
        Socket {
            transport: RefCell::new(transport),
            client,
            phase: Cell::new(ConnectionPhase::Fresh),
            since: Cell::new(Instant::now()),
            blocked: Cell::new(None),
            unsent: RefCell::default(),
            ended: Cell::new(false),
            changed: Notify::new(),
            evicted: Notify::new(),
        }
    }

    /// The client, as far as the system knows it.
    pub fn client(&self) -> ClientPeer {
        self.client
    }

    /// The address that a TCP client connected to.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.transport.borrow().local_address()
    }

    /// The groups of the user at the other end of a unix socket.
    pub fn peer_groups(&self) -> Vec<u32> {
        self.transport.borrow().peer_groups()
    }

    /// What the connection is doing.
    pub fn phase(&self) -> ConnectionPhase {
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

    /// Enters a phase and wakes whoever enforces the time limits.
    pub fn enter(&self, phase: ConnectionPhase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
        self.changed.notify_one();
    }

    /// Returns when a phase was entered, or writing got stuck, since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A second handle on the connection if it is idle and its transport can be continued: the next request then reaches
    /// whoever reads from the handle as a whole.
    pub fn hand_over(&self) -> Option<OwnedFd> {
        let is_idle =
            matches!(self.phase(), ConnectionPhase::Fresh | ConnectionPhase::Idle) && self.blocked().is_none();
        if !is_idle || self.has_ended() {
            return None;
        }
        self.transport.borrow().hand_over()
    }

    /// Asks the connection to make room for others.
    pub fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Returns when the connection is to make room for others.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Whether the client has closed its sending direction, even if bytes before that have not been read yet.
    pub fn is_hung_up(&self) -> bool {
        self.transport.borrow().is_read_closed()
    }

    /// Sends the end of the stream; the client may go on sending.
    pub async fn close_write(&self) -> io::Result<()> {
        poll_fn(|cx| self.with_transport(|transport| transport.poll_shutdown(cx))).await
    }

    /// Reads and discards until the client has nothing more to say, or has sent `limit` bytes.
    pub async fn discard(&self, limit: usize) -> io::Result<()> {
        // Not within the future: every connection would have the room for it, from its beginning.
        let mut scrap = vec![0; 8192];
        let mut left = limit;
        while left > 0 {
            let mut buffer = ReadBuf::new(&mut scrap);
            poll_fn(|cx| self.with_transport(|transport| transport.poll_read(cx, &mut buffer))).await?;
            match buffer.filled().len() {
                0 => return Ok(()),
                count => left = left.saturating_sub(count),
            }
            // A client that sends quickly must not keep others waiting.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Holds the memory that an answer takes until the client has been sent the last byte of it.
    pub fn hold_until_sent(&self, reservation: Reservation) {
        if reservation.bytes() > 0 {
            self.unsent.borrow_mut().push((Instant::now(), reservation));
        }
    }

    /// Since when the client has been taking an answer whose memory others need.
    pub fn unsent_since(&self) -> Option<Instant> {
        self.unsent.borrow().first().map(|(since, _)| *since)
    }

    fn with_transport<T>(&self, action: impl FnOnce(Pin<&mut dyn Transport>) -> T) -> T {
        action(Pin::new(&mut **self.transport.borrow_mut()))
    }

    fn sent_all(&self) {
        self.unsent.borrow_mut().clear();
    }

    fn received(&self, count: usize) {
        if count == 0 {
            self.ended.set(true);
        } else if matches!(self.phase.get(), ConnectionPhase::Fresh | ConnectionPhase::Idle) {
            self.enter(ConnectionPhase::Head);
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
        let before = buffer.filled().len();
        ready!(self.0.with_transport(|transport| transport.poll_read(cx, buffer)))?;
        self.0.received(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl SocketIo {
    fn poll_send(
        &self,
        send: impl FnOnce(Pin<&mut dyn Transport>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let sent = self.0.with_transport(send);
        match sent {
            Poll::Pending => self.0.stuck(),
            Poll::Ready(_) => self.0.blocked.set(None),
        }
        sent
    }
}

impl AsyncWrite for SocketIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(|transport| transport.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(|transport| transport.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.transport.borrow().is_write_vectored()
    }

    /// The HTTP library flushes when it has written everything it holds.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.with_transport(|transport| transport.poll_flush(cx)))?;
        self.0.sent_all();
        Poll::Ready(Ok(()))
    }

    /// The connection does this itself, once it is through with the HTTP library.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
