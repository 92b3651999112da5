//! Waking a loop that sleeps, at most once until it has woken: a thousand messages cost one system call.

use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

/// Rung by those who have put something into a queue, answered by the loop that takes it out.
pub struct Bell {
    waker: Waker,
    is_rung: AtomicBool,
}

impl Bell {
    /// A bell for the loop of this waker.
    pub fn new(waker: Waker) -> Bell {
        Bell { waker, is_rung: AtomicBool::new(false) }
    }

    /// Has the loop look into its queues; what is in them by now will be seen.
    pub fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // It can only fail when the loop is gone.
            let _ = self.waker.wake();
        }
    }

    /// The loop has woken by it, and looks into its queues next.
    pub fn answer(&self) {
        self.is_rung.swap(false, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn each_answer_is_followed_by_another_waking() {
        let mut poll = Poll::new().expect("a loop");
        let bell = Bell::new(Waker::new(poll.registry(), Token(7)).expect("a waker"));
        let mut events = Events::with_capacity(8);
        let mut wakings = |timeout: Duration| {
            poll.poll(&mut events, Some(timeout)).expect("it waits");
            events.iter().count()
        };
        bell.ring();
        bell.ring();
        assert_eq!(wakings(Duration::from_secs(60)), 1);
        bell.ring();
        assert_eq!(wakings(Duration::ZERO), 0, "it has not been answered");
        bell.answer();
        bell.ring();
        assert_eq!(wakings(Duration::from_secs(60)), 1);
    }
}
