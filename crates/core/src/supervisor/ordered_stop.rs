//! The stop of several processes, some of which wait for others.

use super::messages::{CallId, ProcessId};
use crate::plan::Plan;

/// How far such a stop has come.
pub(super) struct OrderedStop {
    /// The call that asked for it; none where an earlier daemon was asked.
    pub(super) call: Option<CallId>,
    /// Whether the call waits until all have stopped.
    pub(super) wait: bool,
    /// The processes, each of which is stopped when all before it have stopped.
    pub(super) plan: Plan<ProcessId>,
}
