//! The order of starts: programs wait for what they depend on, and react when it fails.
//!
//! The machine of a process asks whether its dependencies are met ([`MachineContext`](crate::process::MachineContext)) whenever
//! it is about to make a child, also after an exit and at another attempt. Here is decided what else is started with it, whom a
//! change concerns, and who hears why something does not start.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use supervisord_config::dependency::{Dependency, DependencyCondition, OnDependencyFailure};
use supervisord_config::model::LogLevel;
use supervisord_wire::name::{Namespec, namespec};

use super::autostart::AUTOMATIC;
use super::job::Goal;
use super::{ProcessId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::dependencies::{AwaitedDependency, DependencyGraph, Dependent, HindranceCause, Need, waiting_for};
use crate::last_request::RequestedAction;
use crate::process::{AfterStop, Machine, MachineInput, ProcessPhase, StopCause, StopDecision};
use crate::texts;
use crate::time::Now;

/// Through how many programs it is followed what one waits for.
const LONGEST_CHAIN: usize = 32;

impl Supervisor {
    /// Makes the graph of the active processes.
    pub(super) fn link(&mut self) {
        let depends = self.members.values().any(|member| !member.config.dependencies().is_empty());
        if !depends {
            self.dependencies = DependencyGraph::default();
            return;
        }
        let mut by_group: HashMap<&str, Arc<[ProcessId]>> = HashMap::new();
        let mut by_name: HashMap<(&str, &str), ProcessId> = HashMap::new();
        for group in self.groups.iter() {
            by_group.insert(&group.config.name, group.members.as_slice().into());
            for id in &group.members {
                let Some(member) = self.members.get(id) else { continue };
                by_name.insert((&group.config.name, &member.config.identity.name), *id);
            }
        }
        let need = |dependency: &Dependency| match dependency {
            Dependency::Written(name) => {
                // A plug-in made the process before what it depends on was there.
                let group: Arc<str> = name.as_str().into();
                Need { process: Some(group.clone()), group, condition: DependencyCondition::Ready, members: [].into() }
            }
            Dependency::On { group, process: None, condition } => {
                let members = by_group.get(group.as_str()).cloned().unwrap_or_else(|| [].into());
                Need { group: group.as_str().into(), process: None, condition: *condition, members }
            }
            Dependency::On { group, process: Some(process), condition } => {
                let members = by_name.get(&(group.as_str(), process.as_str())).copied();
                let members = members.into_iter().collect::<Vec<_>>().into();
                Need {
                    group: group.as_str().into(),
                    process: Some(process.as_str().into()),
                    condition: *condition,
                    members,
                }
            }
        };
        let mut dependents = Vec::new();
        for (id, member) in &self.members {
            dependents.push(Dependent {
                id: *id,
                group: member.group.clone(),
                name: member.config.identity.name.as_str().into(),
                needs: member.config.dependencies().iter().map(need).collect(),
            });
        }
        let (graph, left_out) = DependencyGraph::new(dependents);
        let before = std::mem::replace(&mut self.dependencies, graph);
        self.dependencies.resume(before);
        // Only groups of different configurations, or processes of plug-ins, can depend on each other in a circle.
        for (process, dependency) in left_out {
            self.log(LogLevel::Warn, texts::circle(&process, &dependency));
        }
    }

    /// Makes the graph again, because processes have come or gone, and starts what can be started by it.
    pub(super) fn relink(&mut self, now: Now) {
        let was_empty = self.dependencies.is_empty();
        self.link();
        if was_empty && self.dependencies.is_empty() {
            return;
        }
        self.recheck_waiting(now);
    }

    /// Starts those that wait and have nothing left to wait for.
    pub(super) fn recheck_waiting(&mut self, now: Now) {
        let waiting = self.members.iter().filter(|(_, member)| member.machine.awaits_dependencies());
        let waiting: Vec<ProcessId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.recheck(now, id, None);
        }
    }

    /// Whether what a process depends on, and its commands that still run, allow it to start. Before it is known which children are
    /// left, nothing holds for sure.
    pub(super) fn are_dependencies_met(&self, id: ProcessId) -> bool {
        if self.members.get(&id).is_some_and(|member| !member.commands.is_empty()) {
            return false;
        }
        self.dependencies.needs(id).is_empty()
            || !self.rechecks_waiting && self.dependencies.is_met(id, |id| machine(&self.members, id))
    }

    /// Starts a process, and before it what it depends on, directly or not, as far as that has to be started.
    pub(super) fn start_with_dependencies(&mut self, now: Now, id: ProcessId, by: &str) {
        let is_asked_for = by != AUTOMATIC;
        if !self.dependencies.needs(id).is_empty() {
            // One that was given up need not wait for its second life, nor one that somebody asks for in its place among others.
            let can_start = |machine: &Machine| {
                machine.obstacle_to_start().is_none()
                    && (machine.is_down()
                        || machine.phase() == ProcessPhase::GivenUp
                        || is_asked_for && machine.awaits_turn())
            };
            let foundation = self.dependencies.foundation(id, |id| machine(&self.members, id), can_start);
            for dependency in foundation.into_iter().filter(|id| !self.is_disabled(*id)).collect::<Vec<_>>() {
                // One that is started automatically anyway is not started for another one's sake.
                let starts_anyway = self.members.get(&dependency).is_some_and(|member| member.config.start.autostart);
                if is_asked_for || !starts_anyway {
                    let by = format!("{by}, for {}, which depends on it", self.member_name(id));
                    self.note_request(dependency, RequestedAction::Start, &by);
                }
                if is_asked_for {
                    self.put_first(dependency);
                }
                self.drive_machine(now, dependency, MachineInput::Start);
                self.note_lack(dependency);
            }
        }
        if is_asked_for {
            self.put_first(id);
        }
        self.drive_machine(now, id, MachineInput::Start);
        self.note_lack(id);
    }

    /// Notes whether something that a process waits for is not active.
    fn note_lack(&mut self, id: ProcessId) {
        let lacks = self.is(id, Machine::awaits_dependencies)
            && self.dependencies.needs(id).iter().any(|need| need.members.is_empty());
        if let Some(member) = self.members.get_mut(&id) {
            member.lacks_dependency = lacks;
        }
    }

    /// Starts what has become active and was lacking when a process that waits for it was started: an update adds one group
    /// after the other, and starts the same as a daemon that knows all of them from the beginning.
    pub(super) fn start_lacking(&mut self, now: Now) {
        let lacking = self.members.iter().filter(|(_, member)| member.lacks_dependency);
        for id in lacking.map(|(id, _)| *id).collect::<Vec<_>>() {
            let never_started = |machine: &Machine| machine.never_started();
            let foundation = self.dependencies.foundation(id, |id| machine(&self.members, id), never_started);
            for dependency in foundation.into_iter().filter(|id| !self.is_disabled(*id)).collect::<Vec<_>>() {
                let by = format!("{}, for {}, which depends on it", AUTOMATIC, self.member_name(id));
                self.note_request(dependency, RequestedAction::Start, &by);
                self.drive_machine(now, dependency, MachineInput::Start);
                self.note_lack(dependency);
            }
            self.note_lack(id);
        }
    }

    /// Tells those that depend on a process that it has changed.
    pub(super) fn process_moved(&mut self, now: Now, id: ProcessId) {
        if self.is(id, Machine::awaits_dependencies) {
            self.recheck(now, id, None);
        } else {
            self.dependencies.forget_awaited(id);
        }
        if !self.dependencies.is_empty() {
            self.tell_dependents(now, id);
        }
    }

    fn tell_dependents(&mut self, now: Now, id: ProcessId) {
        let dependents = self.dependencies.dependents(id).iter().copied();
        let waiting: Vec<ProcessId> = dependents.filter(|id| self.is(*id, Machine::awaits_dependencies)).collect();
        for dependent in waiting {
            self.recheck(now, dependent, Some(id));
        }
    }

    /// Starts a waiting process where nothing is left to wait for; otherwise those learn of it that want to know what it waits
    /// for.
    fn recheck(&mut self, now: Now, id: ProcessId, changed: Option<ProcessId>) {
        // Before it is known which children are left, none must be made.
        if !self.is(id, Machine::awaits_dependencies) || self.is_ending() || self.rechecks_waiting {
            return;
        }
        if self.are_dependencies_met(id) {
            self.drive_machine(now, id, MachineInput::DependenciesMet);
            return;
        }
        let members = &self.members;
        if let Some(before) = self.dependencies.refresh(id, changed, |id| machine(members, id)) {
            self.log_waiting(id, &before);
            self.effects.push_back(super::Effect::PublishRow(id));
            // Whether it waits in vain is known to those that wait for it.
            self.tell_dependents(now, id);
        }
        self.answer_waiting(id);
    }

    fn log_waiting(&mut self, id: ProcessId, before: &[AwaitedDependency]) {
        let Some(member) = self.members.get(&id) else { return };
        let name = member.config.identity.name.as_str();
        let awaited = self.dependencies.awaited(id);
        let is_hindered =
            |awaited: &[AwaitedDependency]| awaited.iter().any(|awaited| self.is_in_vain(awaited, LONGEST_CHAIN));
        let (level, line) = match (before.is_empty(), is_hindered(awaited)) {
            (_, true) if !is_hindered(before) => (LogLevel::Warn, texts::waits_in_vain(name, &waiting_for(awaited))),
            (true, false) => (LogLevel::Info, texts::waits(name, &waiting_for(awaited))),
            _ => return,
        };
        self.log(level, line);
    }

    /// Whether something is waited for that nothing is about to bring: an update adds one group after the other. What others wait
    /// for is followed through so many of them.
    fn is_in_vain(&self, awaited: &AwaitedDependency, through: usize) -> bool {
        let Some(hindrance) = &awaited.hindrance else { return false };
        match hindrance.cause {
            HindranceCause::Inactive => !self.config.groups.iter().any(|group| group.name == *awaited.group),
            HindranceCause::Waits if through > 0 => {
                let Namespec { group, process } = Namespec::parse(&hindrance.name);
                let id = process.and_then(|process| self.find(&group, &process));
                id.is_none_or(|id| {
                    self.dependencies.awaited(id).iter().any(|awaited| self.is_in_vain(awaited, through - 1))
                })
            }
            HindranceCause::Waits | HindranceCause::Is(_) | HindranceCause::Exited(_) | HindranceCause::Unhealthy => {
                true
            }
        }
    }

    /// Answers the calls for the start of a waiting process that need not, or cannot, be waited for.
    pub(super) fn answer_waiting(&mut self, id: ProcessId) {
        if self.jobs.is_empty() {
            return;
        }
        let is_hindered = self.dependencies.waits_in_vain(id);
        for call in self.calls_with(id, |goal| matches!(goal, Goal::Spawn { .. })) {
            match self.goal(call, id) {
                Some(Goal::Spawn { wait: false }) => self.finish_item(call, id, Ok(())),
                Some(Goal::Spawn { wait: true }) if is_hindered => {
                    let (name, reason) = (self.item_name(call, id), waiting_for(self.dependencies.awaited(id)));
                    let refusal = Refusal::with(Reason::DependencyFailed, format!("{name}: {reason}"));
                    self.finish_item(call, id, Err(refusal));
                }
                _ => {}
            }
        }
    }

    /// What a process waits for; empty where it does not wait.
    pub(super) fn awaited(&self, id: ProcessId) -> Vec<AwaitedDependency> {
        if self.is(id, Machine::awaits_dependencies) { self.dependencies.awaited(id).to_vec() } else { Vec::new() }
    }

    /// Lets those react that depend on a process which ended unexpectedly, became FATAL or unhealthy: all of them, or those with
    /// a condition that this is about. One that is stopped for that reason has failed for those that depend on it.
    pub(super) fn dependency_failed(
        &mut self,
        now: Now,
        id: ProcessId,
        failure: &str,
        condition: Option<DependencyCondition>,
    ) {
        let decisions = self.reactions_to_failure(id, failure, condition);
        self.intervene_in_order(now, decisions);
    }

    /// Decides, logs and notes who reacts to the failure of a process, and how.
    pub(super) fn reactions_to_failure(
        &mut self,
        id: ProcessId,
        failure: &str,
        condition: Option<DependencyCondition>,
    ) -> Vec<(ProcessId, StopDecision)> {
        let mut decisions = Vec::new();
        if self.is_ending() {
            return decisions;
        }
        let origin = id;
        let mut seen = HashSet::from([id]);
        let mut failed = VecDeque::from([(id, failure.to_owned())]);
        while let Some((id, failure)) = failed.pop_front() {
            let name = self.member_name(id);
            let dependents = self.dependencies.dependents(id).iter().copied();
            let is_concerned = |dependent: &ProcessId| match condition.filter(|_| id == origin) {
                Some(condition) => self.needs_it(*dependent, id, |needed| needed == condition),
                None => self.needs_it(*dependent, id, |needed| !needed.is_an_end()),
            };
            let concerned: Vec<ProcessId> =
                dependents.filter(|dependent| is_concerned(dependent) && !seen.contains(dependent)).collect();
            for dependent in concerned {
                let Some(member) = self.members.get(&dependent) else { continue };
                let (is_active, is_alive) = (member.machine.is_active(), member.machine.is_alive());
                let (action, verb, then) = match member.config.order.on_dependency_failure {
                    OnDependencyFailure::Stop if is_active => (RequestedAction::Stop, "stopping", AfterStop::Rest),
                    OnDependencyFailure::Restart if is_alive => {
                        (RequestedAction::Restart, "restarting", AfterStop::Restart)
                    }
                    _ => continue,
                };
                seen.insert(dependent);
                let line = texts::dependency_failed(verb, &self.member_name(dependent), &name, &failure);
                self.log(LogLevel::Warn, line);
                let failure = format!("{name} {failure}");
                self.note_request(dependent, action, &format!("on_dependency_failure, because {failure}"));
                let cause = StopCause::DependencyFailure(failure.clone());
                decisions.push((dependent, StopDecision { cause, then }));
                let followed = if then == AfterStop::Rest { "is stopped" } else { "is restarted" };
                failed.push_back((dependent, format!("{followed} ({failure})")));
            }
        }
        self.reactions.extend(decisions.iter().rev().map(|(dependent, _)| *dependent));
        decisions
    }

    /// The processes that have reacted to the failure of others since the last call. Whoever keeps the state keeps these in this
    /// order, before anything else: the next daemon makes up for reactions to a failure only while it does not know the failure.
    pub fn take_reactions(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.reactions)
    }

    /// Whether a process needs another one in such a condition.
    fn needs_it(&self, id: ProcessId, dependency: ProcessId, is_meant: impl Fn(DependencyCondition) -> bool) -> bool {
        let mut needs = self.dependencies.needs(id).iter();
        needs.any(|need| is_meant(need.condition) && need.members.contains(&dependency))
    }

    /// Says who depends on processes that are stopped, and is not among them.
    pub(super) fn log_dependents_beside(&mut self, stopped: &[ProcessId]) {
        let all: HashSet<ProcessId> = stopped.iter().copied().collect();
        stopped.iter().for_each(|id| self.log_dependents(*id, &all));
    }

    /// Says who depends on a process that is stopped, and goes on.
    fn log_dependents(&mut self, id: ProcessId, stopped: &HashSet<ProcessId>) {
        let is_concerned = |dependent: &&ProcessId| {
            !stopped.contains(dependent)
                && self.is(**dependent, Machine::is_active)
                && self.needs_it(**dependent, id, |condition| !condition.is_an_end())
        };
        let dependents = self.dependencies.dependents(id).iter().filter(is_concerned);
        let names: Vec<String> = dependents.map(|dependent| self.member_name(*dependent)).collect();
        if !names.is_empty() {
            let line = texts::stopped_under(&self.member_name(id), &names);
            self.log(LogLevel::Info, line);
        }
    }

    /// The name by which clients know a process.
    pub(super) fn member_name(&self, id: ProcessId) -> String {
        let member = self.members.get(&id);
        member.map(|member| namespec(&member.group, &member.config.identity.name)).unwrap_or_default()
    }
}

fn machine(members: &super::Members, id: ProcessId) -> Option<&Machine> {
    members.get(&id).map(|member| &member.machine)
}
