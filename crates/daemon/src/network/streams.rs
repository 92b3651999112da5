//! Streams: answers that go on until the client leaves. They share a number of connections and the memory of what is on its
//! way ([`StreamMemory`]): what is not taken is not read.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::memory_budget::MemoryBudget;
use crate::network::reply::{Broken, Pieces, ReplyContent};
use crate::network::socket::Socket;
use crate::network::state::PlaneState;
use crate::network::stream_memory::StreamMemory;

/// The most bytes in a piece of a stream.
pub const PIECE: usize = 16 << 10;

/// What a stream of events begins with: a browser whose stream breaks off, as at an upgrade, comes back after a second. Without
/// it, browsers wait for three seconds or longer.
pub const COME_BACK_SOON: &str = "retry: 1000\n";

/// How often a stream without news checks its source and whether its client is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What a stream is made of.
pub trait StreamSource {
    /// The next piece, of at most [`PIECE`] bytes; `None` if there is nothing more at present.
    async fn read(&mut self) -> Result<Option<Bytes>, Broken>;

    /// Returns when there may be more to read.
    async fn changed(&mut self);

    /// Called now and then while nothing changes: the source may have changed unnoticed.
    fn recheck(&mut self);
}

/// All streams of the plane.
pub struct Streams {
    slots: Arc<Semaphore>,
    budget: Rc<MemoryBudget>,
    state: watch::Receiver<PlaneState>,
}

/// The right to one stream.
pub struct StreamSlot {
    permit: OwnedSemaphorePermit,
    memory: StreamMemory,
    state: watch::Receiver<PlaneState>,
}

impl Streams {
    /// At most `limit` streams at a time, but one at least, with so many bytes on their way beside one piece of each. They end
    /// with the plane.
    pub fn new(limit: usize, bytes: usize, state: watch::Receiver<PlaneState>) -> Streams {
        let slots = Arc::new(Semaphore::new(limit.max(1)));
        Streams { slots, budget: Rc::new(MemoryBudget::exact(bytes)), state }
    }

    /// The right to one more stream; `None` if there are as many as there may be.
    pub fn slot(&self) -> Option<StreamSlot> {
        let permit = self.slots.clone().try_acquire_owned().ok()?;
        Some(StreamSlot { permit, memory: StreamMemory::new(self.budget.clone()), state: self.state.clone() })
    }
}

impl StreamSlot {
    /// The body of an answer that sends from a source to the client on `socket`. It ends when the client leaves. It breaks off
    /// when the source fails or the plane ends, because that is not the end of the source.
    pub fn start(self, source: impl StreamSource + 'static, socket: Rc<Socket>) -> ReplyContent {
        // One timer for the whole stream: to set one anew after each piece would cost a wake-up each time.
        let mut checks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let StreamSlot { permit, memory, state } = self;
        let stream = Box::new(OpenStream { source, memory, socket, checks, state, _permit: permit });
        ReplyContent::Pieces(Box::new(StreamBody { idle: Some(stream), busy: Box::pin(None), read: OpenStream::read }))
    }
}

/// A stream with what ends it.
struct OpenStream<S> {
    source: S,
    memory: StreamMemory,
    socket: Rc<Socket>,
    checks: Interval,
    state: watch::Receiver<PlaneState>,
    _permit: OwnedSemaphorePermit,
}

impl<S: StreamSource> OpenStream<S> {
    /// Waits for the next piece. The stream is over after an error. It is boxed, because otherwise a body would have the room for it
    /// twice: where it is idle, and where it is being read.
    async fn read(mut self: Box<Self>) -> (Box<OpenStream<S>>, Result<Bytes, Broken>) {
        // A client that takes everything at once must not keep others waiting.
        consume_budget().await;
        let OpenStream { source, memory, socket, checks, state, .. } = &mut *self;
        let held = async {
            let piece = next_piece(source, socket, checks).await?;
            Ok(memory.hold(piece).await)
        };
        let piece = tokio::select! {
            biased;
            piece = held => piece,
            _ = state.wait_for(PlaneState::is_ending) => Err(Broken),
        };
        (self, piece)
    }
}

async fn next_piece(source: &mut impl StreamSource, socket: &Socket, checks: &mut Interval) -> Result<Bytes, Broken> {
    loop {
        if let Some(piece) = source.read().await? {
            return Ok(piece);
        }
        tokio::select! {
            biased;
            () = source.changed() => (),
            // The HTTP library does not look for the end of a client that has sent something after its request, and
            // supervisorctl does: an empty line.
            _ = checks.tick() => match socket.is_hung_up() {
                true => return Err(Broken),
                false => source.recheck(),
            },
        }
    }
}

/// A stream as a body: the HTTP library reads the source itself, on the task of the connection, when the client takes more.
struct StreamBody<S, F, R> {
    /// The stream, unless it is being read.
    idle: Option<S>,
    /// Reads the next piece, and gives the stream back with it.
    busy: Pin<Box<Option<F>>>,
    read: R,
}

impl<S, F: Future<Output = (S, Result<Bytes, Broken>)>, R: Fn(S) -> F> Pieces for StreamBody<S, F, R> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        if let Some(stream) = self.idle.take() {
            self.busy.set(Some((self.read)(stream)));
        }
        let Some(busy) = self.busy.as_mut().as_pin_mut() else { return Poll::Ready(Err(Broken)) };
        let (stream, piece) = ready!(busy.poll(cx));
        self.busy.set(None);
        self.idle = Some(stream);
        Poll::Ready(piece)
    }
}
