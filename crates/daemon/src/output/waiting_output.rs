//! Output that waits for a log, within the room that one log has and within that which all logs have together.

use std::sync::atomic::{AtomicUsize, Ordering};

use supervisord_config::model::WhenBlocked;
use supervisord_core::output::backlog::Backlog;

/// The most bytes that wait for one log: room for the last words of a few processes beside what waits already.
pub(super) const FULL: usize = 4 << 20;

/// The most bytes that wait for all logs.
const FULL_OF_ALL: usize = 64 << 20;

/// How many bytes wait for all logs of this daemon.
pub(super) fn waiting_bytes() -> usize {
    WAITING.load(Ordering::Relaxed)
}

/// With less room than that for all logs, those whose programs wait are fed in small pieces.
const SCARCE: usize = 1 << 20;

/// How many bytes wait for all logs of this daemon.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Whether there is hardly any room for output that waits.
pub(super) fn is_room_scarce() -> bool {
    WAITING.load(Ordering::Relaxed) + SCARCE > FULL_OF_ALL
}

/// What waits for one log.
#[derive(Debug)]
pub(super) struct WaitingOutput {
    backlog: Backlog,
    /// How many bytes wait for all logs.
    of_all: &'static AtomicUsize,
    /// How many of them are these.
    counted: usize,
}

/// How many bytes were lost because there was no room for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow {
    pub lost: usize,
    /// Whether this log alone would have had room.
    pub is_of_all: bool,
}

/// Why output is lost that one log would have room for.
pub(super) const ALL_IS_FULL: &str = "too much output waits for all logs together";

impl Default for WaitingOutput {
    fn default() -> WaitingOutput {
        WaitingOutput::counted_in(&WAITING)
    }
}

impl WaitingOutput {
    fn counted_in(of_all: &'static AtomicUsize) -> WaitingOutput {
        WaitingOutput { backlog: Backlog::default(), of_all, counted: 0 }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.backlog.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.backlog.is_empty()
    }

    /// The oldest bytes; all of them if they are not many.
    pub fn oldest(&self) -> &[u8] {
        self.backlog.oldest()
    }

    /// Whether the log ends in a part of a line, of which the rest comes next.
    pub fn is_within_line(&self) -> bool {
        self.backlog.is_within_line()
    }

    /// These bytes have been written without having waited.
    pub fn passed(&mut self, bytes: &[u8]) {
        self.backlog.passed(bytes);
    }

    /// So many of the oldest bytes have been written.
    pub fn written(&mut self, count: usize) {
        self.backlog.written(count);
        self.count();
    }

    /// Forgets what waits, and gives how many bytes that were.
    pub fn give_up(&mut self) -> usize {
        let lost = self.backlog.give_up();
        self.count();
        lost
    }

    /// Adds bytes behind those that wait. Where there is no room, the policy says what is lost. A program that waits for its log
    /// has written what is added before it was known that it has to wait: there is as much room again for such output alone.
    pub fn push(&mut self, bytes: &[u8], policy: Option<WhenBlocked>) -> Overflow {
        let limit = if policy == Some(WhenBlocked::Block) { 2 * FULL_OF_ALL } else { FULL_OF_ALL };
        let others = self.of_all.load(Ordering::Relaxed).saturating_sub(self.counted);
        let room = limit.saturating_sub(others);
        let is_of_all = room < FULL;
        let lost = self.backlog.push(bytes, FULL.min(room), policy);
        self.count();
        Overflow { lost, is_of_all }
    }

    fn count(&mut self) {
        let now = self.backlog.len();
        self.of_all.fetch_add(now, Ordering::Relaxed);
        self.of_all.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = now;
    }
}

impl Drop for WaitingOutput {
    fn drop(&mut self) {
        self.of_all.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_logs_together_have_a_bound_and_programs_that_wait_have_room_beyond_it() {
        let of_all: &'static AtomicUsize = Box::leak(Box::default());
        let piece = [&[b'x'; FULL - 1][..], b"\n"].concat();
        let fill = |policy| {
            let mut waiting = WaitingOutput::counted_in(of_all);
            (waiting.push(&piece, Some(policy)), waiting)
        };
        let fits = Overflow { lost: 0, is_of_all: false };
        let mut full: Vec<WaitingOutput> = Vec::new();
        for _ in 0..FULL_OF_ALL / FULL {
            let (overflow, waiting) = fill(WhenBlocked::DropNewest);
            assert_eq!(overflow, fits);
            full.push(waiting);
        }
        for policy in [WhenBlocked::DropNewest, WhenBlocked::DropOldest] {
            assert_eq!(fill(policy).0, Overflow { lost: FULL, is_of_all: true });
        }
        assert_eq!(of_all.load(Ordering::Relaxed), FULL_OF_ALL);
        let (overflow, waiting) = fill(WhenBlocked::Block);
        assert_eq!(overflow, fits);
        drop(waiting);
        // One that has got rid of something has room again, and so have others.
        full[0].written(10);
        let mut small = WaitingOutput::counted_in(of_all);
        assert_eq!(small.push(b"123456789\n", None).lost, 0);
        assert_eq!(small.push(b"1", None), Overflow { lost: 1, is_of_all: true });
        assert_eq!(full.pop().map(|mut last| last.give_up()), Some(FULL));
        assert_eq!(small.push(b"1", None).lost, 0);
        drop((full, small));
        assert_eq!(of_all.load(Ordering::Relaxed), 0);
    }
}
