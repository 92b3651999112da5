//! Children that still run when the control plane has ended.

use std::time::{Duration, Instant};

use supervisord_sys::Pid;
use supervisord_sys::own_child::wait_at_most;
use supervisord_sys::signal::{self, SIGKILL};

/// How long they may take to end by themselves, and then to end when they have been killed.
const REAP_LIMIT: Duration = Duration::from_millis(500);

/// Children that have been told to end and that no control plane reaps.
#[derive(Debug, Default)]
pub struct LeftoverChildren(Vec<Pid>);

impl LeftoverChildren {
    pub(super) fn add(&mut self, pid: u32) {
        self.0.extend(Pid::new(pid));
    }

    /// Waits for them, kills those that do not end, and reaps all.
    pub fn reap(self) {
        let deadline = Instant::now() + REAP_LIMIT;
        for pid in self.0 {
            // An error means that there is nothing to reap.
            if let Ok(None) = wait_at_most(pid, deadline.saturating_duration_since(Instant::now())) {
                let _ = signal::kill(pid, SIGKILL);
                let _ = wait_at_most(pid, REAP_LIMIT);
            }
        }
    }
}
