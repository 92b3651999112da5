//! Streams: answers that go on until the client leaves. They share a number of connections, and each holds only a few
//! pieces in memory: what is not taken is not read.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::network::reply::{Broken, Content};
use crate::network::socket::Socket;
use crate::network::state::PlaneState;

/// The most bytes in a piece of a stream. One piece waits while another is sent.
pub const PIECE: usize = 16 << 10;

/// How often a stream without news checks its source and whether its client is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What a stream is made of.
pub trait Source {
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
    state: watch::Receiver<PlaneState>,
}

/// The right to one stream.
pub struct Slot {
    permit: OwnedSemaphorePermit,
    state: watch::Receiver<PlaneState>,
}

impl Streams {
    /// At most `limit` streams at a time, but one at least. They end with the plane.
    pub fn new(limit: usize, state: watch::Receiver<PlaneState>) -> Streams {
        Streams { slots: Arc::new(Semaphore::new(limit.max(1))), state }
    }

    /// The right to one more stream; `None` if there are as many as there may be.
    pub fn slot(&self) -> Option<Slot> {
        let permit = self.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { permit, state: self.state.clone() })
    }
}

impl Slot {
    /// Begins to send from a source to the client on `socket`: the body of the answer. It ends when the client leaves. It
    /// breaks off when the source fails or the plane ends, because that is not the end of the source.
    pub fn start(self, mut source: impl Source + 'static, socket: Rc<Socket>) -> Content {
        let (pieces, content) = mpsc::channel(1);
        let Slot { permit, mut state } = self;
        spawn_local(async move {
            let _permit = permit;
            let broken = tokio::select! {
                broken = send_all(&mut source, &pieces, &socket) => broken,
                () = pieces.closed() => return,
                _ = state.wait_for(PlaneState::is_ending) => Broken,
            };
            // The client may have left.
            let _ = pieces.send(Err(broken)).await;
        });
        Content::Pieces(content)
    }
}

/// Sends until that is impossible.
async fn send_all(source: &mut impl Source, pieces: &mpsc::Sender<Result<Bytes, Broken>>, socket: &Socket) -> Broken {
    // One timer for the whole stream: to set one anew after each piece would cost a wake-up each time.
    let mut checks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match source.read().await {
            Err(broken) => return broken,
            Ok(Some(piece)) => {
                if pieces.send(Ok(piece)).await.is_err() {
                    return Broken;
                }
            }
            Ok(None) => tokio::select! {
                () = source.changed() => (),
                // The HTTP library does not look for the end of a client that has sent something after its request, and
                // supervisorctl does: an empty line.
                _ = checks.tick() => match socket.is_hung_up() {
                    true => return Broken,
                    false => source.recheck(),
                },
            },
        }
    }
}
