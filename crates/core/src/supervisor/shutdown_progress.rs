//! How far a shutdown has come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::messages::ProcessId;
use crate::plan::Plan;

/// How often the names of the remaining processes are logged.
const REPORT_EVERY: Duration = Duration::from_secs(3);

/// A shutdown in progress.
pub(super) struct ShutdownProgress {
    /// The groups, each of which is stopped when all before it have stopped.
    pub(super) plan: Plan<Arc<str>>,
    /// The processes instead, where programs depend on others.
    pub(super) ordered: Option<Plan<ProcessId>>,
    /// For each group that is being stopped, the index of the member that was not down at the last check. The next check
    /// begins there: a check of all members at the end of each one would take quadratic time.
    pub(super) not_down: HashMap<Arc<str>, usize>,
    /// Until when the supervisor waits for the listeners of the next group to process their events.
    pub(super) heard_until: Option<Duration>,
    /// When the names of the remaining processes were last logged.
    pub(super) reported: Duration,
}

impl ShutdownProgress {
    /// Whether something has been asked to stop, and has not stopped yet, or is still to be asked.
    pub(super) fn is_stopping(&self) -> bool {
        self.plan.begun().next().is_some() || self.ordered.as_ref().is_some_and(|plan| !plan.is_done())
    }

    /// When the names of the remaining processes are logged next.
    pub(super) fn next_report(&self) -> Duration {
        self.reported + REPORT_EVERY
    }

    /// When the supervisor must continue the shutdown without another input.
    pub(super) fn deadline(&self) -> Duration {
        self.heard_until.map_or(self.next_report(), |until| until.min(self.next_report()))
    }
}
