//! A rolling restart that is under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ProcessId;

/// The processes that have not been restarted, and those that are not ready again.
#[derive(Debug)]
pub(super) struct Rollout {
    /// Who asked for it.
    pub(super) by: Arc<str>,
    pub(super) members: BTreeSet<ProcessId>,
    /// Whether it has ended at a failure. The members that are left were restarted at the same time.
    pub(super) has_failed: bool,
}

impl Rollout {
    /// One without members.
    pub(super) fn new(by: Arc<str>) -> Rollout {
        Rollout { by, members: BTreeSet::new(), has_failed: false }
    }
}
