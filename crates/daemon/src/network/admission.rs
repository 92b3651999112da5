//! Room for connections: each server holds a limited number, and closes the least useful one for a new client.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::memory_budget::MemoryBudget;
use crate::network::socket::{ConnectionPhase, Socket};

/// How long a client that has just connected may be silent before it can be evicted.
const GRACE: Duration = Duration::from_millis(50);

/// The pause between two evictions of slow readers while others wait for the memory of answers.
const EVICT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take nothing of a long answer while others wait for the memory.
const UNTAKEN: Duration = Duration::from_secs(2);

/// How long it may take over a long answer while others wait for the memory.
const TAKEN_SLOWLY: Duration = Duration::from_secs(20);

/// How long a call may take while others wait for the connection. The call goes on; only its answer is lost.
const LONG_CALL: Duration = Duration::from_secs(20);

/// Why a connection may be closed for the sake of others; the first reason is the best one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EvictionReason {
    /// Its client is a stranger, like those of more than half of all connections.
    OneOfManyStrangers,
    /// Its client was served and is silent.
    Silent,
    /// Its client does not take the answer.
    TakesNothing,
    /// Its client takes the answer too slowly.
    TakesLittle,
    /// Its call takes very long.
    LongCall,
    /// Its client is a stranger.
    Stranger,
}

/// Whether a client has no request under way that is complete and permitted, and was not served before or is leaving.
fn is_stranger(socket: &Socket) -> bool {
    use ConnectionPhase::{Arriving, Fresh, Handling, Head, Idle, Leaving, Replying, Streaming};
    match socket.phase() {
        Fresh | Head | Arriving | Leaving => true,
        Idle | Handling | Replying | Streaming => false,
    }
}

/// The open connections of one server.
pub struct Connections {
    limit: usize,
    open: RefCell<BTreeMap<u64, Rc<Socket>>>,
    next_id: Cell<u64>,
    closed: Notify,
}

impl Connections {
    /// At most `limit` connections.
    pub fn new(limit: usize) -> Rc<Connections> {
        Rc::new(Connections { limit, open: RefCell::default(), next_id: Cell::default(), closed: Notify::default() })
    }

    /// Returns when there is room for one more connection; evicts if necessary.
    pub async fn make_room(&self) {
        while self.open.borrow().len() >= self.limit {
            if let Some(socket) = self.eviction_candidate() {
                socket.evict();
            }
            tokio::select! {
                () = self.closed.notified() => (),
                // A connection may have become idle, which nobody reports.
                () = sleep(GRACE) => (),
            }
        }
    }

    /// Counts a connection until the returned value is dropped.
    pub fn admit(self: &Rc<Self>, socket: Rc<Socket>) -> Admission {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        self.open.borrow_mut().insert(id, socket);
        Admission { connections: self.clone(), id }
    }

    /// Returns when all connections have ended, which each does by itself when the plane ends.
    pub async fn all_closed(&self) {
        while !self.open.borrow().is_empty() {
            self.closed.notified().await;
        }
    }

    /// Strangers, who have not completed a request, if they have more than half of the connections; then those who are served
    /// and silent, those who do not take what they asked for, and those whose call takes very long; the longest first.
    /// `None` if that would be a stranger who has only just come.
    fn eviction_candidate(&self) -> Option<Rc<Socket>> {
        let open = self.open.borrow();
        let strangers = open.values().filter(|socket| is_stranger(socket)).count();
        let candidates = open.values().filter_map(|socket| {
            let reason = match (socket.phase(), socket.blocked()) {
                _ if is_stranger(socket) => match strangers * 2 > self.limit {
                    true => (EvictionReason::OneOfManyStrangers, socket.since()),
                    false => (EvictionReason::Stranger, socket.since()),
                },
                (ConnectionPhase::Idle, _) => (EvictionReason::Silent, socket.since()),
                (ConnectionPhase::Replying | ConnectionPhase::Streaming, Some(blocked)) => {
                    (EvictionReason::TakesNothing, blocked)
                }
                (ConnectionPhase::Handling, _) if socket.since().elapsed() > LONG_CALL => {
                    (EvictionReason::LongCall, socket.since())
                }
                _ => return None,
            };
            Some((reason, socket))
        });
        let ((_, since), socket) = candidates.min_by_key(|(reason, _)| *reason)?;
        let has_just_come = is_stranger(socket) && since.elapsed() < GRACE;
        (!has_just_come).then(|| socket.clone())
    }

    /// Evicts those who hold memory for an answer that they do not take, as long as others wait for the memory.
    pub async fn evict_slow_readers(&self, answers: &MemoryBudget) {
        loop {
            answers.wanted().await;
            if let Some(socket) = self.slowest_reader() {
                socket.evict();
            }
            sleep(EVICT_PAUSE).await;
        }
    }

    /// First those who take nothing, then those who take little; the longest first.
    fn slowest_reader(&self) -> Option<Rc<Socket>> {
        let open = self.open.borrow();
        let candidates = open.values().filter_map(|socket| {
            let owes = socket.unsent_since()?;
            let reason = match socket.blocked() {
                Some(blocked) if blocked.elapsed() > UNTAKEN => (EvictionReason::TakesNothing, blocked),
                _ if owes.elapsed() > TAKEN_SLOWLY => (EvictionReason::TakesLittle, owes),
                _ => return None,
            };
            Some((reason, socket))
        });
        candidates.min_by_key(|(reason, _)| *reason).map(|(_, socket)| socket.clone())
    }
}

/// The place of an open connection, until it is dropped.
pub struct Admission {
    connections: Rc<Connections>,
    id: u64,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.connections.open.borrow_mut().remove(&self.id);
        self.connections.closed.notify_one();
    }
}
