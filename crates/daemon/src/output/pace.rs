//! How soon a stream is read after it has something to read.
//!
//! A quiet stream is read at once. A busy one that writes in small pieces is left alone for a few milliseconds, so that
//! one turn moves many of them; its pipe is grown meanwhile, so that the writer need not wait.

use std::mem;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use supervisord_sys::pipe;

use super::stream::Turn;

/// The longest time output is left in a pipe.
const LONGEST: Duration = Duration::from_millis(4);
/// The first step towards it.
const SHORTEST: Duration = Duration::from_millis(1);
/// Readings closer together than this are many for little if they bring few bytes.
const CLOSE: Duration = Duration::from_millis(1);
/// How many bytes the pipe of a busy stream holds.
const BUSY_CAPACITY: usize = 1 << 20;
/// How many a pipe usually holds.
const USUAL_CAPACITY: usize = 64 << 10;
/// How long a stream must be quiet until its pipe is made small again.
const QUIET: Duration = Duration::from_secs(5);

/// The pace of one stream.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long to wait after a reading before the next one.
    delay: Duration,
    /// When the pipe was last read empty.
    emptied: Instant,
    /// Bytes moved since then.
    moved: usize,
    /// How many bytes the pipe holds.
    capacity: usize,
    /// How many it held before it was grown.
    former_capacity: Option<usize>,
    cannot_grow: bool,
}

impl Pace {
    /// The pace of a stream that has been quiet so far.
    pub fn new(now: Instant, pipe: Option<BorrowedFd<'_>>) -> Pace {
        let capacity = pipe.and_then(|pipe| pipe::capacity(pipe).ok()).unwrap_or(USUAL_CAPACITY);
        Pace { delay: Duration::ZERO, emptied: now, moved: 0, capacity, former_capacity: None, cannot_grow: false }
    }

    /// When to read; none for at once.
    pub fn due(&self) -> Option<Instant> {
        (!self.delay.is_zero()).then(|| self.emptied + self.delay)
    }

    /// Learns from a turn.
    pub fn note(&mut self, turn: Turn, now: Instant, pipe: BorrowedFd<'_>) {
        match turn {
            Turn::More(count) => self.moved += count,
            Turn::Empty | Turn::Closed => {
                let (moved, since) = (self.moved, now.saturating_duration_since(self.emptied));
                if moved > 0 {
                    self.adapt(moved, since, pipe);
                    (self.emptied, self.moved) = (now, 0);
                }
            }
        }
    }

    /// Whether the pipe was grown.
    pub fn is_grown(&self) -> bool {
        self.former_capacity.is_some()
    }

    /// How many bytes the pipe holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes the pipe small again if the stream has been quiet.
    pub fn calm_down(&mut self, now: Instant, pipe: BorrowedFd<'_>) {
        if now.saturating_duration_since(self.emptied) >= QUIET
            && let Some(capacity) = self.former_capacity.take()
        {
            self.delay = Duration::ZERO;
            // What has just been written into it can be in the way; then it stays large until the process ends.
            self.capacity = pipe::set_capacity(pipe, capacity).unwrap_or(self.capacity);
        }
    }

    /// `moved` bytes were there `since` the last time.
    fn adapt(&mut self, moved: usize, since: Duration, pipe: BorrowedFd<'_>) {
        if moved >= self.capacity / 4 * 3 {
            // The writer may be waiting for room.
            self.delay = if self.delay > SHORTEST { self.delay / 2 } else { Duration::ZERO };
            self.grow(pipe);
        } else if moved < self.capacity / 16 && since < CLOSE.max(self.delay * 2) {
            self.delay = (self.delay * 2).clamp(SHORTEST, LONGEST);
            self.grow(pipe);
        } else if since > LONGEST * 4 {
            self.delay = Duration::ZERO;
        }
    }

    fn grow(&mut self, pipe: BorrowedFd<'_>) {
        if self.is_grown() || self.cannot_grow || self.capacity >= BUSY_CAPACITY {
            return;
        }
        match pipe::set_capacity(pipe, BUSY_CAPACITY) {
            Ok(capacity) => self.former_capacity = Some(mem::replace(&mut self.capacity, capacity)),
            Err(_) => self.cannot_grow = true,
        }
    }
}
