//! What programs say on the socket for notifications.
//!
//! The kernel says which process sent a datagram. It counts for the program whose main process that is, in whose process group
//! it is, or from whom it descends through parents that live.

use supervisord_core::supervisor::SupervisorInput;
use supervisord_sys::{Pid, proc_stat};

use super::Control;
use super::children::Children;
use super::notification_queue::Notified;
use crate::output::RunId;

/// How many ancestors of a sender are looked at.
const MOST_ANCESTORS: usize = 32;

/// The program for which a process speaks.
fn sender(pid: u32, children: &Children) -> Option<RunId> {
    if let Some(run) = children.program_of(pid) {
        return Some(run);
    }
    let mut pid = Pid::new(pid)?;
    for _ in 0..MOST_ANCESTORS {
        let (parent, group) = proc_stat::family_of(pid)?;
        let found = children.program_of(group.get()).or_else(|| children.program_of(parent.get()));
        if found.is_some() || parent == Pid::current() || parent.get() == 1 {
            return found;
        }
        pid = parent;
    }
    None
}

impl Control {
    /// Takes what programs have sent, while their processes have not been reaped.
    pub(super) fn collect_notifications(&mut self) {
        let mut queue = std::mem::take(&mut self.children.spawner.notifications);
        let all_taken = queue.collect(|pid| sender(pid, &self.children), &self.tools);
        self.children.spawner.notifications = queue;
        self.has_more_notifications |= !all_taken;
    }

    /// Tells the supervisor what programs have sent.
    pub(super) fn take_notifications(&mut self) {
        self.has_more_notifications = false;
        self.collect_notifications();
        self.deliver_notifications();
    }

    /// Tells the supervisor what has been taken.
    pub(super) fn deliver_notifications(&mut self) {
        while let Some(Notified { run, notification, descriptors }) = self.children.spawner.notifications.next() {
            self.input_said(run, SupervisorInput::Notified { run, notification });
            self.children.spawner.notifications.close(descriptors, &self.tools.closing);
        }
    }
}
