//! The talk with event listeners: when it is written down, and how an answer is waited for. Each costs another thread or
//! a sleep, which for a listener of which thousands of events are asked in a second is more than the event itself.

use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use supervisord_core::supervisor::ProcessId;

/// The time between two writings in a flood of events. The last of a flood is written when the loop wakes, which it does
/// by the millisecond: so much may be missing when the daemon is killed.
const PACE: Duration = Duration::from_micros(250);

/// Fewer words than a flood has in this time are all written at once.
const FLOOD: Duration = Duration::from_millis(2);

/// An answer that takes less than this would be delayed by going to sleep.
const QUICK: Duration = Duration::from_micros(50);

/// How long the loop polls for a quick answer before it goes to sleep.
const SPIN_FOR: Duration = Duration::from_micros(25);

/// The messages from and to listeners that the state does not have yet.
#[derive(Default)]
pub(super) struct ListenerBatching {
    /// The listeners of whom something is not written yet.
    unwritten: BTreeSet<ProcessId>,
    /// When the next writing is due in a flood that goes on.
    due: Duration,
    /// When an event was sent that no answer has followed.
    asked: Option<Duration>,
    /// Whether the last answer was quick.
    is_quick: bool,
}

impl ListenerBatching {
    /// A listener gets an event.
    pub(super) fn asked(&mut self, listener: ProcessId, now: Duration) {
        self.unwritten.insert(listener);
        self.asked = Some(now);
    }

    /// A listener has said something.
    pub(super) fn heard(&mut self, listener: ProcessId, now: Duration) {
        self.unwritten.insert(listener);
        if let Some(asked) = self.asked.take() {
            self.is_quick = now.saturating_sub(asked) < QUICK;
        }
    }

    /// Until when it is worth while to poll for an answer before going to sleep.
    pub(super) fn spin_until(&self) -> Option<Duration> {
        self.asked.filter(|_| self.is_quick).map(|asked| asked + SPIN_FOR)
    }

    /// When something is to be written; none when nothing was said.
    pub(super) fn deadline(&self) -> Option<Duration> {
        (!self.unwritten.is_empty()).then(|| self.due.saturating_sub(FLOOD))
    }

    /// Those of whom something is to be written now.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<BTreeSet<ProcessId>> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.due = self.due.max(now) + PACE;
        Some(mem::take(&mut self.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ProcessId = ProcessId(1);
    const SECOND: ProcessId = ProcessId(2);

    #[test]
    fn a_word_is_written_at_once_and_those_of_a_flood_together() {
        let start = Duration::from_secs(1);
        let mut listener_batching = ListenerBatching::default();
        assert_eq!((listener_batching.deadline(), listener_batching.take_due(start)), (None, None));
        for _ in 0..=8 {
            listener_batching.heard(FIRST, start);
            assert_eq!(listener_batching.take_due(start), Some([FIRST].into()));
        }
        listener_batching.heard(SECOND, start);
        listener_batching.asked(FIRST, start);
        assert_eq!((listener_batching.deadline(), listener_batching.take_due(start)), (Some(start + PACE), None));
        assert_eq!(listener_batching.take_due(start + PACE), Some([FIRST, SECOND].into()));
        assert_eq!(listener_batching.deadline(), None);
    }

    #[test]
    fn only_a_listener_that_was_quick_is_polled_for() {
        let at = Duration::from_micros;
        let mut listener_batching = ListenerBatching::default();
        let mut exchange = |asked: u64, answered: u64| {
            listener_batching.asked(FIRST, at(asked));
            let spin_until = listener_batching.spin_until();
            listener_batching.heard(FIRST, at(answered));
            assert_eq!(listener_batching.spin_until(), None, "nothing is expected");
            spin_until
        };
        assert_eq!(exchange(0, 10), None, "nothing is known yet");
        assert_eq!(exchange(100, 200), Some(at(125)));
        assert_eq!(exchange(300, 310), None, "the last one was slow");
        assert_eq!(exchange(400, 410), Some(at(425)));
    }
}
