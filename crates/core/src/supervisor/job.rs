//! A call that takes time, and what it waits for.

use std::sync::Arc;
use std::time::Duration;

use super::messages::{CallId, ProcessId};
use crate::call::Status;

/// How often a slow stop is reported in the activity log.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(2);

/// A call that waits for one or more processes.
pub(super) struct Job {
    pub(super) call: CallId,
    /// Who asks.
    pub(super) by: Arc<str>,
    pub(super) shape: ReplyForm,
    pub(super) open: Vec<Item>,
    /// In the order in which the items finished.
    pub(super) done: Vec<Status>,
}

/// The form of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyForm {
    /// Done, or the refusal of the only item, with the process named as in the request.
    Single,
    /// The result of each item.
    Array,
}

/// A process that a job waits for.
pub(super) struct Item {
    pub(super) process: ProcessId,
    /// The name in refusals.
    pub(super) name: String,
    pub(super) goal: Goal,
    /// When "waiting for NAME to stop" was last logged.
    pub(super) reported: Duration,
}

/// What an item waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The check of the command; then the process is started.
    Check { wait: bool },
    /// The spawn of the child.
    Spawn { wait: bool },
    /// The RUNNING state, or the failure to reach it.
    Run,
    /// The stop of the processes that depend on it; then it is stopped.
    Turn,
    /// The stop signal.
    Kill { wait: bool },
    /// A stopped state.
    Stop,
    /// The signal.
    Signal,
    /// The write to stdin.
    Feed,
    /// The clearing of the logs.
    Clear,
}

impl Job {
    pub(super) fn next_report(&self) -> Option<Duration> {
        let stopping = self.open.iter().filter(|item| item.goal == Goal::Stop);
        stopping.map(|item| item.reported + REPORT_EVERY).min()
    }
}
