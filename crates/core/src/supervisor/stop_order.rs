//! The order of stops: what others depend on stops after them, and branches that do not depend on each other stop at once.

use super::job::Goal;
use super::ordered_stop::OrderedStop;
use super::{CallId, ProcessId, Supervisor};
use crate::plan::Plan;
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
            if ready.contains(id) {
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
        let mut stops = std::mem::take(&mut self.ordered_stops);
        for OrderedStop { call, wait, plan } in &mut stops {
            self.note_stopped(plan);
            loop {
                let ready = plan.begin_ready();
                if ready.is_empty() {
                    break;
                }
                for id in ready {
                    self.stop_in_turn(now, *call, id, *wait);
                }
                self.note_stopped(plan);
            }
        }
        stops.retain(|stop| !stop.plan.is_done());
        self.ordered_stops = stops;
    }

    fn stop_in_turn(&mut self, now: Now, call: CallId, id: ProcessId, wait: bool) {
        if self.members.get(&id).is_some_and(|member| member.machine.can_be_stopped()) {
            self.send_stop(now, call, id, wait);
        }
    }

    /// Marks the steps as done whose processes have stopped, or have been started again by somebody else.
    pub(super) fn note_stopped(&self, plan: &mut Plan<ProcessId>) {
        let begun: Vec<ProcessId> = plan.begun().copied().collect();
        for id in begun {
            let is_up_again = self.members.get(&id).is_some_and(|member| member.machine.is_alive());
            if self.is_down(id) || is_up_again {
                plan.finish(&id);
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
