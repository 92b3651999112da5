//! The programs that are being recycled, of each group one, and those that wait until it is their turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::messages::ProcessId;

/// By group. A group in which nobody is recycled is not in it.
#[derive(Default)]
pub(super) struct RecycleQueue {
    groups: HashMap<Arc<str>, GroupTurns>,
    /// The groups in which somebody may have a turn now.
    changed: Vec<Arc<str>>,
}

#[derive(Default)]
struct GroupTurns {
    under_way: Option<ProcessId>,
    /// In the order in which they became due.
    due: VecDeque<ProcessId>,
}

impl RecycleQueue {
    /// Whether nobody waits and nobody is recycled.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// A process is to be recycled.
    pub(super) fn add(&mut self, group: &Arc<str>, process: ProcessId) {
        self.groups.entry(group.clone()).or_default().due.push_back(process);
        self.changed.push(group.clone());
    }

    /// A process is being recycled.
    pub(super) fn begin(&mut self, group: &Arc<str>, process: ProcessId) {
        let turns = self.groups.entry(group.clone()).or_default();
        turns.due.retain(|other| *other != process);
        turns.under_way = Some(process);
    }

    /// A process has been recycled, or is not to be any more.
    pub(super) fn end(&mut self, group: &Arc<str>, process: ProcessId) {
        let Some(turns) = self.groups.get_mut(group) else { return };
        turns.due.retain(|other| *other != process);
        turns.under_way = turns.under_way.filter(|other| *other != process);
        self.changed.push(group.clone());
    }

    /// Whose turn it is now.
    pub(super) fn take_next(&mut self) -> Option<ProcessId> {
        while let Some(group) = self.changed.pop() {
            let Some(turns) = self.groups.get_mut(&group) else { continue };
            if turns.under_way.is_some() {
                continue;
            }
            match turns.due.pop_front() {
                Some(process) => return Some(process),
                None => _ = self.groups.remove(&group),
            }
        }
        None
    }
}
