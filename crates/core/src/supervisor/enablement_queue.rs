//! Which programs are disabled, and the changes of that which are to be stored.

use std::collections::VecDeque;
use std::sync::Arc;

use super::messages::CallId;
use crate::disabled::{DisabledPrograms, Disabling};
use crate::event::ProcessName;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnablementAction {
    /// Stop them, and start them no more.
    Disable {
        /// Whether the answer comes when they have stopped.
        wait: bool,
    },
    /// Let them be started again.
    Enable,
}

/// A request that has not been carried out yet.
pub(super) struct EnablementChange {
    pub(super) call: CallId,
    pub(super) action: EnablementAction,
    pub(super) names: Vec<ProcessName>,
    pub(super) disabling: Arc<Disabling>,
}

/// The disabled programs, and the changes of them.
#[derive(Default)]
pub(super) struct Enablement {
    /// As they were stored last.
    pub(super) disabled: Arc<DisabledPrograms>,
    pub(super) waiting: VecDeque<EnablementChange>,
    /// The change that is being stored, and what is stored.
    pub(super) under_way: Option<(EnablementChange, Arc<DisabledPrograms>)>,
}

impl Enablement {
    /// Who has disabled a program; none where it is not disabled.
    pub(super) fn disabling(&self, group: &str, process: &str) -> Option<Arc<Disabling>> {
        self.disabled.get(group, process).cloned()
    }

    /// Whether a program is disabled, which need not be there.
    pub(super) fn is_disabled(&self, group: &str, process: &str) -> bool {
        self.disabled.get(group, process).is_some()
    }
}
