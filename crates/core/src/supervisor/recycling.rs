//! Programs that are recycled after some time (`recycle_after`): of each group one at a time, in the order in which they become
//! due. The next one has its turn when the one before is up again, or when that cannot be waited for.

use super::{ProcessId, Supervisor};
use crate::process::{MachineInput, Recycling};
use crate::time::Now;

impl Supervisor {
    /// Notes how far a process has got with being recycled.
    pub(super) fn note_recycling(&mut self, id: ProcessId, before: Recycling) {
        let Some(member) = self.members.get(&id) else { return };
        let recycling = member.machine.recycling();
        if recycling == before {
            return;
        }
        match recycling {
            Recycling::Due => self.recycles.add(&member.group, id),
            Recycling::UnderWay => self.recycles.begin(&member.group, id),
            Recycling::No => self.recycles.end(&member.group, id),
        }
    }

    /// Recycles those whose turn it is.
    pub(super) fn advance_recycling(&mut self, now: Now) {
        // Before it is known which children are left, none can be stopped.
        if self.recycles.is_empty() || self.rechecks_waiting || self.is_ending() {
            return;
        }
        while let Some(id) = self.recycles.take_next() {
            self.drive_machine(now, id, MachineInput::Turn);
        }
    }

    /// What is known of it when another supervisor goes on.
    pub(super) fn resume_recycling(&mut self) {
        for id in self.members.keys().copied().collect::<Vec<_>>() {
            self.note_recycling(id, Recycling::No);
        }
    }
}
