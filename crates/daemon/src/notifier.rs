//! Waking a loop that sleeps, at most once until it has woken: a thousand messages cost one system call.

use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

/// Notified by those who have put something into a queue, acknowledged by the loop that takes it out.
pub struct Notifier {
    waker: Waker,
    is_pending: AtomicBool,
}

impl Notifier {
    /// A notifier for the loop of this waker.
    pub fn new(waker: Waker) -> Notifier {
        Notifier { waker, is_pending: AtomicBool::new(false) }
    }

    /// Has the loop look into its queues; what is in them by now will be seen.
    pub fn notify(&self) {
        if !self.is_pending.swap(true, Ordering::AcqRel) {
            // It can only fail when the loop is gone.
            let _ = self.waker.wake();
        }
    }

    /// Whether the loop has not woken since it was notified.
    pub fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    /// The loop has woken by it, and looks into its queues next.
    pub fn acknowledge(&self) {
        self.is_pending.swap(false, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn each_acknowledgement_allows_another_wake_up() {
        let mut poll = Poll::new().expect("a loop");
        let notifier = Notifier::new(Waker::new(poll.registry(), Token(7)).expect("a waker"));
        let mut events = Events::with_capacity(8);
        let mut wakings = |timeout: Duration| {
            poll.poll(&mut events, Some(timeout)).expect("it waits");
            events.iter().count()
        };
        notifier.notify();
        notifier.notify();
        assert_eq!(wakings(Duration::from_secs(60)), 1);
        notifier.notify();
        assert_eq!(wakings(Duration::ZERO), 0, "it has not been acknowledged");
        assert!(notifier.is_pending());
        notifier.acknowledge();
        assert!(!notifier.is_pending());
        notifier.notify();
        assert_eq!(wakings(Duration::from_secs(60)), 1);
    }
}
