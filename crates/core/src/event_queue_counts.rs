//! What is counted of the queue of a listener pool for metrics, shared with who reads it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of one queue. They begin again with each daemon.
#[derive(Debug, Default)]
pub struct EventQueueCounts {
    queued: AtomicU64,
    accepted: AtomicU64,
    lost: AtomicU64,
}

impl EventQueueCounts {
    /// So many events wait now.
    pub(crate) fn set_queued(&self, events: usize) {
        self.queued.store(events as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// How many events wait.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// How many events the queue has taken.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many events it has dropped because it was full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
