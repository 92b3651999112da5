//! The order of stops: what others depend on stops after them, and branches that do not depend on each other stop at once.

use supervisord_config::model::LogLevel;

use std::sync::Arc;

use super::job::Goal;
use super::ordered_stop::OrderedStop;
use super::{CallId, Effect, Member, ProcessId, Supervisor};
use crate::last_request::RequestedAction;
use crate::plan::Plan;
use crate::process::{AfterStop, Machine, MachineInput, ProcessPhase, StopCause, StopDecision};
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
                self.set_stops_in_turn(*id, Some(StopDecision::rest(StopCause::Request)));
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

    /// Stops these processes, each for its reason and as soon as those of them have stopped that depend on it.
    pub(super) fn intervene_in_order(&mut self, now: Now, decisions: Vec<(ProcessId, StopDecision)>) {
        let ids: Vec<ProcessId> = decisions.iter().map(|(id, _)| *id).collect();
        let after = self.dependencies.dependents_among(&ids);
        let mut plan = Plan::ranked(ids.iter().zip(after).map(|(id, after)| (*id, after, 0)));
        let ready = plan.begin_ready();
        let is_ordered = ready.len() < ids.len();
        for (id, decision) in decisions {
            if plan.has_begun(&id) {
                self.intervene(now, id, decision);
            } else {
                self.set_stops_in_turn(id, Some(decision));
            }
        }
        if is_ordered {
            self.ordered_stops.push(OrderedStop { call: None, wait: false, plan });
            self.moved.extend(ready);
        }
    }

    fn intervene(&mut self, now: Now, id: ProcessId, decision: StopDecision) {
        self.set_stops_in_turn(id, None);
        if decision.then == AfterStop::Rest || matches!(decision.cause, StopCause::DependencyFailure(_)) {
            self.cancel_listener_restart(id);
        }
        self.drive_machine(now, id, MachineInput::Intervene(decision));
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
        let decision = self.set_stops_in_turn(id, None);
        if !self.is(id, Machine::can_be_stopped) {
            return;
        }
        match (call, decision) {
            (Some(call), _) => self.send_stop(now, call, id, wait),
            (None, Some(decision)) if decision.cause == StopCause::Request => {
                self.cancel_listener_restart(id);
                self.note_request(id, RequestedAction::Stop, STOP_OF_BEFORE);
                self.drive_machine(now, id, MachineInput::Stop);
            }
            (None, Some(decision)) => self.intervene(now, id, StopDecision::clone(&decision)),
            // It has been stopped for another reason meanwhile.
            (None, None) => {}
        }
    }

    /// Has it kept why a process is to be stopped when it is its turn. Returns what was kept before.
    fn set_stops_in_turn(&mut self, id: ProcessId, decision: Option<StopDecision>) -> Option<Arc<StopDecision>> {
        let member = self.members.get_mut(&id)?;
        let before = std::mem::replace(&mut member.stops_in_turn, decision.map(Arc::new));
        if before != member.stops_in_turn {
            self.effects.push_back(Effect::PublishRow(id));
        }
        before
    }

    /// Goes on with stops that an earlier daemon had begun.
    pub(super) fn resume_ordered_stop(&mut self, now: Now) {
        let is_concerned = |member: &Member| {
            let is_ending = matches!(member.machine.phase(), ProcessPhase::PreStop | ProcessPhase::Stopping);
            member.stops_in_turn.is_some() || is_ending
        };
        let concerned = self.members.iter().filter(|(_, member)| is_concerned(member)).map(|(id, _)| *id);
        let ids: Vec<ProcessId> = concerned.collect();
        let waiting = ids.iter().filter(|id| self.members[id].stops_in_turn.is_some()).count();
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

    /// Marks the steps as done whose processes have stopped, or have been started again. Only those that have `moved` are looked
    /// at.
    pub(super) fn note_stopped(&self, plan: &mut Plan<ProcessId>, moved: &[ProcessId]) {
        for id in moved {
            // One that is to be started again may wait for what it depends on.
            let has_ended = self.members.get(id).is_none_or(|member| {
                member.machine.is_alive() || !member.machine.has_child() && member.commands.is_empty()
            });
            if plan.has_begun(id) && has_ended {
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
