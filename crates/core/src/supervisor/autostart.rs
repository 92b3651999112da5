//! The processes that start by themselves.

use super::{ProcessId, Supervisor};
use crate::event::{Event, SupervisorState};
use crate::plan::Plan;
use crate::process::Machine;
use crate::time::Now;

/// Who asked for what is started by itself.
pub(super) const AUTOMATIC: &str = "autostart";

impl Supervisor {
    pub(super) fn start(&mut self, now: Now) {
        if self.is_ending() {
            return;
        }
        self.emit(Event::SupervisorState(SupervisorState::Running));
        let plan = self.plan_start(self.groups_by_priority());
        self.carry_out_start(now, plan);
    }

    pub(super) fn autostart(&mut self, now: Now, index: usize) {
        self.link();
        let plan = self.plan_start(vec![index]);
        self.carry_out_start(now, plan);
        // Now that it is known what the new processes do.
        self.start_lacking(now);
        self.recheck_waiting(now);
    }

    /// The processes of these groups that start automatically, group by group, and within each in the order of definition.
    fn plan_start(&self, groups: Vec<usize>) -> Plan<ProcessId> {
        let starts = |id: &ProcessId| {
            self.members.get(id).is_some_and(|member| {
                member.config.start.autostart && member.machine.never_started() && member.disabled.is_none()
            })
        };
        let members = groups.into_iter().flat_map(|index| self.groups[index].members.iter().copied());
        Plan::independent(members.filter(starts))
    }

    fn carry_out_start(&mut self, now: Now, mut plan: Plan<ProcessId>) {
        // All steps are ready at once: a program that waits for another one does so by itself.
        for id in plan.begin_ready() {
            // Another one may have needed it.
            if self.is(id, Machine::never_started) {
                self.start_with_dependencies(now, id, AUTOMATIC);
            }
        }
    }
}
