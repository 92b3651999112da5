//! The order of stops: what others depend on stops after them, and branches that do not depend on each other stop at once.

use super::job::Goal;
use super::ordered_stop::OrderedStop;
use super::{CallId, ProcessId, Supervisor};
use crate::plan::Plan;
use crate::process::Machine;
use crate::time::Now;

impl Supervisor {
    /// Stops these processes for a call, whose job is open: at once those on which none of the others depends, and each of the
    /// others as soon as those have stopped that depend on it.
    pub(super) fn begin_ordered_stop(&mut self, now: Now, call: CallId, ids: &[ProcessId], wait: bool) {
        let after = self.dependencies.dependents_among(ids);
        let steps = ids.iter().zip(after).map(|(id, after)| (*id, after, 0));
        let mut plan = Plan::ranked(steps);
        let ready = plan.begin_ready();
        for id in ids {
            if plan.has_begun(id) {
                self.begin_stop(now, call, *id, wait);
            } else {
                self.cancel_listener_restart(*id);
                self.add_item(call, *id, Goal::Turn);
                if !wait {
                    self.finish_item(call, *id, Ok(()));
                }
            }
        }
        if ready.len() < ids.len() {
            self.ordered_stops.push(OrderedStop { call, wait, plan });
            self.moved.extend(ready);
        }
    }

    /// A process has changed, which may be what a stop of others waits for.
    pub(super) fn note_moved(&mut self, id: ProcessId) {
        if !self.ordered_stops.is_empty() || self.shutdown.is_some() {
            self.moved.push(id);
        }
    }

    /// Stops the processes whose turn it is.
    pub(super) fn advance_ordered_stops(&mut self, now: Now) {
        if self.ordered_stops.is_empty() {
            return;
        }
        if self.is_ending() {
            // The shutdown stops everything.
            self.ordered_stops.clear();
            return;
        }
        while !self.moved.is_empty() {
            let moved = std::mem::take(&mut self.moved);
            for index in 0..self.ordered_stops.len() {
                let OrderedStop { call, wait, plan } = &mut self.ordered_stops[index];
                let (call, wait) = (*call, *wait);
                let mut plan = std::mem::replace(plan, Plan::independent([]));
                self.note_stopped(&mut plan, &moved);
                let ready = plan.begin_ready();
                self.ordered_stops[index].plan = plan;
                for id in &ready {
                    self.stop_in_turn(now, call, *id, wait);
                }
                // Those that need not be stopped do not move by themselves.
                self.moved.extend(ready);
            }
        }
        self.ordered_stops.retain(|stop| !stop.plan.is_done());
    }

    fn stop_in_turn(&mut self, now: Now, call: CallId, id: ProcessId, wait: bool) {
        if self.is(id, Machine::can_be_stopped) {
            self.send_stop(now, call, id, wait);
        }
    }

    /// Marks the steps as done whose processes have stopped, or have been started again by somebody else. Only those that have
    /// `moved` are looked at.
    pub(super) fn note_stopped(&self, plan: &mut Plan<ProcessId>, moved: &[ProcessId]) {
        for id in moved {
            if plan.has_begun(id) && (self.is_down(*id) || self.is(*id, Machine::is_alive)) {
                plan.finish(id);
            }
        }
    }

    /// The order in which everything stops where programs depend on others: backwards along the graph, by descending priority
    /// number of the groups where the graph does not decide.
    pub(super) fn plan_stop(&self) -> Plan<ProcessId> {
        let order = self.groups_by_priority().into_iter().rev();
        let members = order.flat_map(|index| {
            let rank = self.groups[index].config.priority;
            self.members_by_priority(index).into_iter().rev().map(move |id| (id, rank))
        });
        let (ids, ranks): (Vec<ProcessId>, Vec<i64>) = members.unzip();
        let after = self.dependencies.dependents_among(&ids);
        Plan::ranked(ids.into_iter().zip(after).zip(ranks).map(|((id, after), rank)| (id, after, rank)))
    }
}
