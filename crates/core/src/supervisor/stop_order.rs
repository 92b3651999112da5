//! The order of stops: what others depend on stops after them, and branches that do not depend on each other stop at once.

use supervisord_config::model::LogLevel;

use super::job::Goal;
use super::ordered_stop::OrderedStop;
use super::{CallId, Effect, Member, ProcessId, Supervisor};
use crate::last_request::RequestedAction;
use crate::plan::Plan;
use crate::process::{Machine, MachineInput, ProcessPhase, Wanted};
use crate::time::Now;

/// Who stops a process that the daemon before was asked to stop.
const STOP_OF_BEFORE: &str = "a stop that the daemon before had begun";

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
                self.set_stops_in_turn(*id, true);
                self.add_item(call, *id, Goal::Turn);
                if !wait {
                    self.finish_item(call, *id, Ok(()));
                }
            }
        }
        if ready.len() < ids.len() {
            self.ordered_stops.push(OrderedStop { call: Some(call), wait, plan });
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

    fn stop_in_turn(&mut self, now: Now, call: Option<CallId>, id: ProcessId, wait: bool) {
        self.set_stops_in_turn(id, false);
        if !self.is(id, Machine::can_be_stopped) {
            return;
        }
        match call {
            Some(call) => self.send_stop(now, call, id, wait),
            None => {
                self.cancel_listener_restart(id);
                self.note_request(id, RequestedAction::Stop, STOP_OF_BEFORE);
                self.drive_machine(now, id, MachineInput::Stop);
            }
        }
    }

    /// Has it kept that a process is to be stopped when it is its turn.
    fn set_stops_in_turn(&mut self, id: ProcessId, stops_in_turn: bool) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.stops_in_turn != stops_in_turn {
            member.stops_in_turn = stops_in_turn;
            self.effects.push_back(Effect::PublishRow(id));
        }
    }

    /// Goes on with stops that an earlier daemon had begun.
    pub(super) fn resume_ordered_stop(&mut self, now: Now) {
        let is_concerned = |member: &Member| {
            member.stops_in_turn
                || member.machine.phase() == ProcessPhase::Stopping && member.machine.wanted() == Wanted::Down
        };
        let concerned = self.members.iter().filter(|(_, member)| is_concerned(member)).map(|(id, _)| *id);
        let ids: Vec<ProcessId> = concerned.collect();
        let waiting = ids.iter().filter(|id| self.members[id].stops_in_turn).count();
        if waiting == 0 || !self.ordered_stops.is_empty() {
            return;
        }
        let line = format!("going on with a stop that the daemon before had begun, of {waiting} more");
        self.log(LogLevel::Info, line);
        let after = self.dependencies.dependents_among(&ids);
        let mut plan = Plan::ranked(ids.iter().zip(after).map(|(id, after)| (*id, after, 0)));
        let ready = plan.begin_ready();
        self.ordered_stops.push(OrderedStop { call: None, wait: false, plan });
        for id in &ready {
            self.stop_in_turn(now, None, *id, false);
        }
        self.moved.extend(ready);
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
