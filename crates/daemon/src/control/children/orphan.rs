//! A program that an earlier daemon spawned: no longer a child of this process, so that a handle tells of its end.

use std::time::Duration;

use supervisord_core::process::ExitStatus;
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::{Pid, proc_stat};

use crate::control::exit_status::exit_status;
use crate::state;

/// How long the new parent of an orphan may take to reap it.
const REAPING_BOUND: Duration = Duration::from_millis(250);

/// What tells of the end of a program that is no child of this process.
pub(super) struct Orphan {
    pub(super) handle: ProcessHandle,
    /// The token under which the loop watches the handle.
    pub(super) token: usize,
    /// It has ended; until when its new parent is waited for, which has to reap it before the system tells how it ended.
    pub(super) reaped_by: Option<Duration>,
}

/// What is known of the end of an orphan.
pub(super) enum OrphanEnd {
    /// It has ended like this, or nobody will ever know how.
    Known(ExitStatus),
    /// It has ended, but its new parent has not reaped it.
    NotReaped,
}

impl Orphan {
    /// How it ended, if it has. `kept` identifies it, `now` is monotonic.
    pub(super) fn end(&mut self, kept: &state::Run, now: Duration) -> Option<OrphanEnd> {
        if !self.handle.has_ended() {
            return None;
        }
        // The system tells once its new parent has reaped it; before, so may its entry in /proc.
        let told = self.handle.exit_status().or_else(|| {
            let stat = Pid::new(kept.pid).and_then(proc_stat::read).filter(|stat| kept.is(stat));
            stat.and_then(|stat| stat.status)
        });
        let deadline = *self.reaped_by.get_or_insert(now + REAPING_BOUND);
        match told {
            Some(status) => Some(OrphanEnd::Known(exit_status(status))),
            None if now < deadline => Some(OrphanEnd::NotReaped),
            None => Some(OrphanEnd::Known(ExitStatus::Unknown)),
        }
    }
}
