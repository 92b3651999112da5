//! How soon a stream is read after it has something to read.
//!
//! A quiet stream is read at once. A busy one is left alone until its pipe is about half full, at most for a few
//! milliseconds, so that one turn moves many small writes; where its pipe is too small for that, it is grown. A flood
//! that would fill even the grown pipe in less than a millisecond is read without a pause.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use supervisord_sys::pipe;

/// The longest time output is left in a pipe.
const LONGEST: Duration = Duration::from_millis(4);
/// The shortest pause worth taking, which is also the finest time the loop can wait for.
const SHORTEST: Duration = Duration::from_millis(1);
/// How long the rate of a stream is measured before anything follows from it.
const WINDOW: Duration = Duration::from_millis(2);
/// How many a pipe usually holds.
const USUAL_CAPACITY: usize = 64 << 10;
/// How many a pipe of lines may be made to hold: as many as a flood writes in twice the longest time.
const LINES_CAPACITY: usize = 1 << 20;
/// How long a stream must be quiet until its pipe is made small again.
const QUIET: Duration = Duration::from_secs(5);

/// When to read one stream next.
#[derive(Debug)]
pub(super) struct ReadCoalescing {
    /// How long to wait after a turn before the next one.
    delay: Duration,
    /// When the last turn was that moved anything.
    last: Instant,
    /// Whether that turn took as much as a turn may take, so that more is there already.
    was_cut_short: bool,
    window: Window,
    /// How many bytes the pipe holds, once that had to be known.
    capacity: Option<usize>,
    /// How many it held before it was grown.
    former_capacity: Option<usize>,
    cannot_grow: bool,
}

/// What a turn can move.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnLimits {
    /// So many bytes at once.
    at_once: usize,
    /// As long as the pipe may become.
    capacity: usize,
}

impl TurnLimits {
    /// Of output that is written as it is read. The pipe is never grown beyond what one turn can move: a turn that is cut short may
    /// tear what the program has written at once.
    pub fn of_bytes(at_once: usize) -> TurnLimits {
        TurnLimits { at_once, capacity: at_once }
    }

    /// Of output of which lines are written, wherever a turn ends.
    pub fn of_lines(at_once: usize) -> TurnLimits {
        TurnLimits { at_once, capacity: LINES_CAPACITY.max(at_once) }
    }
}

/// What has been moved lately.
#[derive(Debug)]
struct Window {
    start: Instant,
    bytes: usize,
    turns: u32,
}

impl ReadCoalescing {
    /// Begins with a stream that has been quiet so far.
    pub fn new(now: Instant) -> ReadCoalescing {
        ReadCoalescing {
            delay: Duration::ZERO,
            last: now,
            was_cut_short: false,
            window: Window { start: now, bytes: 0, turns: 0 },
            capacity: None,
            former_capacity: None,
            cannot_grow: false,
        }
    }

    /// When to read; none for at once.
    pub fn due(&self) -> Option<Instant> {
        (!self.delay.is_zero() && !self.was_cut_short).then(|| self.last + self.delay)
    }

    /// Learns from a turn that moved so many bytes.
    pub fn note(&mut self, moved: usize, limits: TurnLimits, now: Instant, pipe: BorrowedFd<'_>) {
        self.last = now;
        self.was_cut_short = moved >= limits.at_once;
        self.window.bytes += moved;
        self.window.turns += u32::from(!self.was_cut_short);
        let elapsed = now.saturating_duration_since(self.window.start);
        if elapsed >= WINDOW {
            self.adapt(elapsed, limits.capacity, pipe);
            self.window = Window { start: now, bytes: 0, turns: 0 };
        }
    }

    /// Whether the pipe was grown.
    pub fn is_grown(&self) -> bool {
        self.former_capacity.is_some()
    }

    /// Makes the pipe small again if the stream has been quiet.
    pub fn calm_down(&mut self, now: Instant, pipe: BorrowedFd<'_>) {
        if now.saturating_duration_since(self.last) >= QUIET
            && let Some(capacity) = self.former_capacity.take()
        {
            self.delay = Duration::ZERO;
            // What has just been written into it can be in the way; then it stays large until the process ends.
            self.capacity = pipe::set_capacity(pipe, capacity).ok().or(self.capacity);
        }
    }

    fn adapt(&mut self, elapsed: Duration, limit: usize, pipe: BorrowedFd<'_>) {
        let is_busy = elapsed <= self.window.turns.max(1) * SHORTEST.max(self.delay * 2);
        if !is_busy {
            self.delay = Duration::ZERO;
            return;
        }
        let mut capacity = *self.capacity.get_or_insert_with(|| capacity(pipe));
        if self.time_to_half(capacity, elapsed) < LONGEST {
            capacity = self.grow(capacity, limit, pipe);
        }
        let delay = self.time_to_half(capacity, elapsed).min(LONGEST);
        self.delay = if delay < SHORTEST { Duration::ZERO } else { delay };
    }

    /// How long it takes at the present rate until the pipe is half full.
    fn time_to_half(&self, capacity: usize, elapsed: Duration) -> Duration {
        elapsed.mul_f64(capacity as f64 / 2.0 / self.window.bytes.max(1) as f64)
    }

    /// Grows a pipe of this capacity to `limit` bytes; returns the capacity it has then.
    fn grow(&mut self, capacity: usize, limit: usize, pipe: BorrowedFd<'_>) -> usize {
        if self.is_grown() || self.cannot_grow || capacity >= limit {
            return capacity;
        }
        match pipe::set_capacity(pipe, limit) {
            Ok(grown) => {
                self.former_capacity = Some(capacity);
                self.capacity = Some(grown);
                grown
            }
            Err(_) => {
                self.cannot_grow = true;
                capacity
            }
        }
    }
}

/// How many bytes a pipe holds.
pub(super) fn capacity(pipe: BorrowedFd<'_>) -> usize {
    pipe::capacity(pipe).unwrap_or(USUAL_CAPACITY)
}
