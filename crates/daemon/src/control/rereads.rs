//! The readings of the configuration for a restart (SIGHUP), each on a thread of its own.
//!
//! A disk or a name server that does not answer keeps a reading. It is given up after a while, so that it holds up nothing else;
//! while some are kept like that, no further thread is spent on others.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::host::{MOST_UNFINISHED_READINGS, READING_LIMIT};

/// The readings of a daemon.
#[derive(Default)]
pub(super) struct Rereads {
    last: u64,
    /// Those that are waited for, the earliest deadline first.
    awaited: VecDeque<Reread>,
    /// All that are not finished, each as long as its thread lasts.
    unfinished: Vec<Weak<()>>,
}

struct Reread {
    number: u64,
    deadline: Duration,
}

impl Rereads {
    /// Begins one: its number, and what its thread holds as long as it lasts. None where too many are not finished.
    pub(super) fn begin(&mut self, now: Duration) -> Option<(u64, Arc<()>)> {
        if self.number_unfinished() >= MOST_UNFINISHED_READINGS {
            return None;
        }
        let held = Arc::new(());
        self.unfinished.push(Arc::downgrade(&held));
        self.last += 1;
        self.awaited.push_back(Reread { number: self.last, deadline: now + READING_LIMIT });
        Some((self.last, held))
    }

    /// Whether the result of this one was waited for. It is not any more.
    pub(super) fn finish(&mut self, number: u64) -> bool {
        let place = self.awaited.iter().position(|reading| reading.number == number);
        place.and_then(|place| self.awaited.remove(place)).is_some()
    }

    /// Gives one up that has taken too long, if there is one.
    pub(super) fn give_up_overdue(&mut self, now: Duration) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now) && self.awaited.pop_front().is_some()
    }

    /// When one has taken too long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.awaited.front().map(|reading| reading.deadline)
    }

    fn number_unfinished(&mut self) -> usize {
        self.unfinished.retain(|reading| reading.strong_count() > 0);
        self.unfinished.len()
    }

    /// Whether one that was given up is not finished.
    pub(super) fn hang(&mut self) -> bool {
        self.number_unfinished() > self.awaited.len()
    }

    /// Whether one is waited for.
    pub(super) fn are_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn one_that_hangs_is_given_up_and_its_late_result_is_ignored() {
        let mut rereads = Rereads::default();
        let (hanging, _held) = rereads.begin(START).unwrap();
        let (quick, _) = rereads.begin(START + Duration::from_secs(1)).unwrap();
        assert!(rereads.finish(quick) && !rereads.finish(quick));
        assert!(
            rereads.are_awaited()
                && !rereads.hang()
                && !rereads.give_up_overdue(START + READING_LIMIT - Duration::from_millis(1))
        );
        assert_eq!(rereads.deadline(), Some(START + READING_LIMIT));
        assert!(rereads.give_up_overdue(START + READING_LIMIT) && !rereads.give_up_overdue(START + READING_LIMIT * 2));
        assert!(!rereads.are_awaited() && !rereads.finish(hanging));
    }

    #[test]
    fn no_more_threads_are_spent_while_some_hang() {
        let mut rereads = Rereads::default();
        let held: Vec<_> = (0..MOST_UNFINISHED_READINGS).map(|_| rereads.begin(START).unwrap()).collect();
        while rereads.give_up_overdue(START + READING_LIMIT) {}
        assert!(!rereads.are_awaited() && rereads.hang() && rereads.begin(START + READING_LIMIT).is_none());
        drop(held);
        assert!(!rereads.hang());
        assert!(rereads.begin(START + READING_LIMIT).is_some());
    }
}
