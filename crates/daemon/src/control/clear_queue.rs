//! Calls that wait for logs to be cleared.

use std::collections::VecDeque;
use std::time::Duration;

use supervisord_core::call::Refusal;
use supervisord_core::supervisor::{CallId, ProcessId};

/// A call that waits for logs to be cleared.
pub(super) struct Clearing {
    /// Until when, on the monotonic clock.
    pub(super) deadline: Duration,
    /// Whose logs; none for the activity log.
    pub(super) process: Option<ProcessId>,
    pub(super) call: CallId,
    /// The refusal where it cannot be done, or not in time.
    pub(super) failure: Refusal,
}

/// All of them, the earliest deadline first.
#[derive(Default)]
pub(super) struct ClearQueue(VecDeque<Clearing>);

impl ClearQueue {
    /// Its deadline is not before that of any other.
    pub(super) fn add(&mut self, clearing: Clearing) {
        self.0.push_back(clearing);
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.0.front().map(|clearing| clearing.deadline)
    }

    /// One whose deadline has come.
    pub(super) fn take_overdue(&mut self, now: Duration) -> Option<Clearing> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.0.pop_front()
    }

    /// The one that waits for this, if it still does.
    pub(super) fn take(&mut self, process: Option<ProcessId>, call: CallId) -> Option<Clearing> {
        let position = self.0.iter().position(|clearing| (clearing.process, clearing.call) == (process, call))?;
        self.0.remove(position)
    }
}
