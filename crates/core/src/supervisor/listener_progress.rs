//! What the supervisor knows about an event listener.

use std::time::Duration;

use supervisord_wire::listener::{ListenerProtocol, ListenerState};

use crate::pool::QueuedEvent;

/// The additional state of a process that is an event listener.
#[derive(Clone, Debug, Default)]
pub struct ListenerProgress {
    /// The state of the protocol on its stdout.
    pub protocol: ListenerProtocol,
    /// The event that it is processing.
    pub event: Option<QueuedEvent>,
    /// The number of the pending judgement of its result.
    pub judgement: Option<u64>,
    /// Protocol violations in a row, across restarts.
    pub violations: u32,
    /// When it is restarted after a protocol violation.
    pub restart_at: Option<Duration>,
    /// When it counts as ready for an event, unless it writes something before.
    pub ready_at: Option<Duration>,
}

impl ListenerProgress {
    /// Whether it was sent an event and has not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        self.protocol.state() == ListenerState::Busy
    }
}
