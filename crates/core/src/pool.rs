//! The queue of events of a listener pool.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use supervisord_wire::event::EventType;

use crate::event::RenderedEvent;
use crate::event_queue_counts::EventQueueCounts;

/// An event with its serial numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEvent {
    /// The event, shared by all pools that accept it.
    pub event: Arc<RenderedEvent>,
    /// Its number in this daemon; the same in every pool.
    pub serial: u64,
    /// Its number in this pool.
    pub pool_serial: u64,
}

/// The queue of one pool.
#[derive(Clone, Debug)]
pub struct PoolQueue(PoolData, Arc<EventQueueCounts>);

/// A queue as plain data, for whoever stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolData {
    /// The types of events that it accepts.
    pub subscriptions: Vec<EventType>,
    /// Its capacity.
    pub buffer_size: usize,
    /// The queued events, the oldest first.
    pub queue: VecDeque<QueuedEvent>,
    /// The number of the next event in this pool.
    pub next_serial: u64,
    /// How often in a row the event at the head was rejected.
    pub refusals: u32,
    /// When the event at the head is sent again, on the monotonic clock.
    pub held_until: Option<Duration>,
}

impl From<PoolData> for PoolQueue {
    fn from(data: PoolData) -> PoolQueue {
        let counts = EventQueueCounts::default();
        counts.set_queued(data.queue.len());
        PoolQueue(data, Arc::new(counts))
    }
}

/// The longest pause before a rejected event is sent again.
const MAX_HOLD: Duration = Duration::from_secs(30);

impl PoolQueue {
    /// An empty queue of a pool with these subscriptions.
    pub fn new(subscriptions: Vec<EventType>, buffer_size: usize) -> PoolQueue {
        PoolData { subscriptions, buffer_size, queue: VecDeque::new(), next_serial: 0, refusals: 0, held_until: None }
            .into()
    }

    /// What is counted of it.
    pub fn counts(&self) -> &Arc<EventQueueCounts> {
        &self.1
    }

    /// The queue as plain data.
    pub fn data(&self) -> &PoolData {
        &self.0
    }

    /// Whether the pool accepts events of this type.
    pub fn wants(&self, kind: EventType) -> bool {
        self.0.subscriptions.iter().any(|wanted| kind.is_a(*wanted))
    }

    /// Appends an event; if the queue is full, the oldest one is dropped and returned.
    #[must_use]
    pub fn accept(&mut self, event: Arc<RenderedEvent>, serial: u64) -> Option<QueuedEvent> {
        let dropped = self.make_room();
        self.0.queue.push_back(QueuedEvent { event, serial, pool_serial: self.0.next_serial });
        self.0.next_serial = (self.0.next_serial + 1) & i64::MAX as u64;
        self.1.add_accepted();
        self.1.set_queued(self.0.queue.len());
        dropped
    }

    /// Whether an event is queued that may be sent now.
    pub fn is_due(&self) -> bool {
        !self.0.queue.is_empty() && self.0.held_until.is_none()
    }

    /// When the pool must be processed again without an input.
    pub fn deadline(&self) -> Option<Duration> {
        if self.0.queue.is_empty() { None } else { self.0.held_until }
    }

    /// Makes a rejected event available again when its pause is over.
    pub fn release(&mut self, now: Duration) {
        self.0.held_until = self.0.held_until.filter(|until| *until > now);
    }

    /// Removes the oldest event.
    pub fn take(&mut self) -> Option<QueuedEvent> {
        let event = self.0.queue.pop_front();
        self.1.set_queued(self.0.queue.len());
        event
    }

    /// The number of queued events.
    pub fn len(&self) -> usize {
        self.0.queue.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }

    /// The capacity of the queue.
    pub fn buffer_size(&self) -> usize {
        self.0.buffer_size
    }

    /// Puts an event back at the head; if the queue is full, the oldest other one is dropped and returned.
    #[must_use]
    pub fn put_back(&mut self, event: QueuedEvent) -> Option<QueuedEvent> {
        let dropped = self.make_room();
        self.0.queue.push_front(event);
        self.1.set_queued(self.0.queue.len());
        dropped
    }

    /// Records that a listener rejected the event at the head. After the first rejection it is sent again at once, as
    /// in the original; later pauses grow, so that a listener that always rejects cannot keep the processor busy.
    pub fn refused(&mut self, now: Duration) {
        self.0.refusals = self.0.refusals.saturating_add(1);
        self.0.held_until = match self.0.refusals {
            0 | 1 => None,
            many => Some(now + Duration::from_secs(1 << (many - 2).min(6)).min(MAX_HOLD)),
        };
    }

    /// Records that a listener accepted an event.
    pub fn accepted(&mut self) {
        self.0.refusals = 0;
        self.0.held_until = None;
    }

    fn make_room(&mut self) -> Option<QueuedEvent> {
        let dropped = if self.0.queue.len() >= self.0.buffer_size { self.0.queue.pop_front() } else { None };
        if dropped.is_some() {
            self.1.add_lost();
        }
        dropped
    }
}
