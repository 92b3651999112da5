//! Updates that touch only what has changed: processes are added, removed, restarted or told of their new definitions one by
//! one, and their group goes on.
//!
//! A process that must restart, or is no longer configured, is *renewed*: it is stopped when all renewed processes that depend
//! on it have stopped, and takes its new definition, or goes, when it has stopped itself. It is started when all renewed
//! processes that it depends on have theirs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use supervisord_config::model::{Config, Group, LogLevel, Process, UpdateMode};

use super::autostart::AUTOMATIC;
use super::groups::ActiveGroup;
use super::job::{Goal, ReplyForm};
use super::renewal::Renewal;
use super::{CallId, Effect, ProcessId, Supervisor};
use crate::last_request::RequestedAction;
use crate::output::Channel;
use crate::process::{AfterStop, Machine, MachineInput, StopCause, Wanted};
use crate::time::Now;
use crate::update_plan::{ActiveDefinition, GroupAction, ProcessStep, Standing, UpdateAction, UpdatePlan};

/// Who asks for what another daemon had begun.
const UPDATE_OF_BEFORE: &str = "an update that the daemon before had begun";

impl Supervisor {
    /// What an update to this configuration would do, of all groups or of those that are named. Nothing is changed.
    pub(super) fn plan_update(&self, config: &Config, mode: UpdateMode, only: &[String]) -> UpdatePlan {
        let standing = |id: &ProcessId| {
            self.members.get(id).map_or(Standing::NeverStarted, |member| Standing::of(&member.machine))
        };
        let active: Vec<ActiveDefinition> = self
            .groups
            .iter()
            .map(|ActiveGroup { config, members, .. }| ActiveDefinition {
                group: config.clone(),
                standings: members.iter().map(standing).collect(),
            })
            .collect();
        let only: Option<BTreeSet<String>> = (!only.is_empty()).then(|| only.iter().cloned().collect());
        let mut plan = UpdatePlan::new(&active, &config.groups, mode, only.as_ref());
        plan.scales = config.scales.clone();
        plan.leave_down(|group, process| self.enablement.is_disabled(group, process));
        plan
    }

    /// Carries out a plan that was made of the configuration read last. The job of the call waits for what is stopped.
    pub(super) fn carry_out_plan(&mut self, now: Now, call: CallId, plan: UpdatePlan, only: &[String]) {
        self.open_job(call, ReplyForm::Plan);
        let by = self.asker.clone();
        let renewed = self.begin_update(now, &plan, only, &by);
        for id in renewed {
            self.add_item(call, id, Goal::Renew);
        }
        self.set_plan(call, plan);
        self.advance_renewals(now);
    }

    /// Begins to carry out a plan that was made for these groups. Gives the processes that are renewed, which takes time; what is
    /// new is added after that.
    pub(super) fn begin_update(&mut self, now: Now, plan: &UpdatePlan, only: &[String], by: &str) -> Vec<ProcessId> {
        plan.groups.iter().filter(|step| step.action != GroupAction::Change).for_each(|step| {
            self.log(LogLevel::Info, step.to_string());
        });
        plan.steps.iter().for_each(|step| self.log(LogLevel::Info, step.to_string()));
        let mut renewed = Vec::new();
        let is_retired = |action: GroupAction| matches!(action, GroupAction::Remove | GroupAction::Replace);
        for step in plan.groups.iter().filter(|step| is_retired(step.action)) {
            let Some(index) = self.group_index(&step.group) else { continue };
            if !self.retiring.contains(&step.group) {
                self.retiring.push(step.group.clone());
            }
            renewed.extend(self.groups[index].members.clone());
        }
        let changed = plan.groups.iter().filter(|step| step.action == GroupAction::Change);
        let changed: BTreeSet<&str> = changed.map(|step| &*step.group).collect();
        let mut started = Vec::new();
        let config = self.config.clone();
        let configured = processes_of(&config, &changed);
        let ids = self.changed_members(&changed);
        for step in plan.steps.iter().filter(|step| changed.contains(&*step.group)) {
            let Some(id) = ids.get(&(step.group.clone(), step.process.clone())).copied() else { continue };
            let new = configured.get(&(&*step.group, &*step.process)).map(|process| Arc::clone(process));
            match (step.action, new) {
                (UpdateAction::Remove | UpdateAction::Restart, _) => renewed.push(id),
                (UpdateAction::Start, Some(_)) if self.is(id, Machine::has_failed) => renewed.push(id),
                (UpdateAction::Start, Some(new)) => {
                    self.redefine(now, id, new);
                    started.push(id);
                }
                // It is being stopped, and takes its definition then.
                (UpdateAction::NextStart, Some(_)) if !self.is_down(id) => {
                    self.renewals.insert(id, by.into());
                    self.set_renewal(id, Some(Renewal::Stops));
                }
                (UpdateAction::Apply | UpdateAction::NextStart, Some(new)) => self.redefine(now, id, new),
                (UpdateAction::Add | UpdateAction::Stop, _) | (_, None) => {}
            }
        }
        for id in &renewed {
            self.renewals.insert(*id, by.into());
            self.set_renewal(*id, Some(Renewal::Waits));
        }
        changed.iter().for_each(|group| self.rebuild_group(group));
        self.relink(now);
        for id in started {
            self.start_with_dependencies(now, id, AUTOMATIC);
        }
        self.additions = match self.additions.take() {
            // An earlier update of everything, or this one, includes the other.
            Some(before) if before.is_empty() || only.is_empty() => Some(Vec::new()),
            before => Some(before.unwrap_or_default().into_iter().chain(only.iter().cloned()).collect()),
        };
        renewed
    }

    /// The processes of these active groups, by group and name.
    fn changed_members(&self, groups: &BTreeSet<&str>) -> HashMap<(String, String), ProcessId> {
        let active = groups.iter().filter_map(|name| self.group_index(name)).map(|index| &self.groups[index]);
        let ids = active.flat_map(|group| group.members.iter().map(move |id| (group, *id)));
        let named = ids.filter_map(|(group, id)| {
            let name = self.members.get(&id)?.config.identity.name.clone();
            Some(((group.config.name.clone(), name), id))
        });
        named.collect()
    }

    /// Adds what is new, when everything that is to stop has stopped.
    pub(super) fn advance_additions(&mut self, now: Now) {
        if self.additions.is_none() || self.rechecks_waiting {
            return;
        }
        if self.is_ending() {
            self.additions = None;
            return self.answer_updates();
        }
        // A group in which somebody has started something stays until somebody stops it.
        let is_going = |group: &String| {
            let members = self.group_index(group).map(|index| &self.groups[index].members);
            members.is_some_and(|members| !members.iter().any(|id| self.is(*id, Machine::is_active)))
        };
        if !self.renewals.is_empty() || self.retiring.iter().any(is_going) {
            return;
        }
        let only = self.additions.take().unwrap_or_default();
        let config = self.config.clone();
        let plan = self.plan_update(&config, UpdateMode::Minimal, &only);
        let (mut touched, mut started) = (BTreeSet::new(), Vec::new());
        let changed = plan.groups.iter().filter(|step| step.action == GroupAction::Change);
        let changed: BTreeSet<&str> = changed.map(|step| &*step.group).collect();
        let configured = processes_of(&config, &changed);
        let is_added = |step: &&ProcessStep| step.action == UpdateAction::Add && changed.contains(&*step.group);
        for step in plan.steps.iter().filter(is_added) {
            let Some(new) = configured.get(&(&*step.group, &*step.process)) else { continue };
            started.extend(self.add_process(&step.group, new).filter(|_| step.starts));
            touched.insert(step.group.clone());
        }
        touched.iter().for_each(|group| self.rebuild_group(group));
        self.relink(now);
        for id in started {
            self.start_with_dependencies(now, id, AUTOMATIC);
        }
        for step in plan.groups.iter().filter(|step| step.action == GroupAction::Add) {
            self.activate_by_name(&step.group, now);
        }
        self.recheck_waiting(now);
        self.start_lacking(now);
        self.answer_updates();
    }

    /// Goes on with processes that are renewed, as far as others let them.
    pub(super) fn advance_renewals(&mut self, now: Now) {
        // Before it is known which children are left, none can be stopped.
        if self.renewals.is_empty() || self.rechecks_waiting || self.is_ending() {
            return;
        }
        loop {
            for id in self.renewals.keys().copied().collect::<Vec<_>>() {
                self.stop_for_renewal(now, id);
            }
            let ready: Vec<ProcessId> = self.renewals.keys().copied().filter(|id| self.can_be_renewed(*id)).collect();
            if ready.is_empty() {
                return;
            }
            self.renew(now, ready);
        }
    }

    fn stop_for_renewal(&mut self, now: Now, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        // Somebody may have started it meanwhile.
        let is_to_stop = member.renewal == Some(Renewal::Waits) || member.machine.is_active();
        if !is_to_stop || self.is_awaited_by_renewed(id) {
            return;
        }
        self.set_renewal(id, Some(Renewal::Stops));
        let Some(member) = self.members.get(&id) else { return };
        if member.is_at_rest() && member.machine.wanted() == Wanted::Down {
            return;
        }
        let is_followed = self.successor(id).is_some();
        let then = if is_followed { AfterStop::Replace } else { AfterStop::Rest };
        self.cancel_listener_restart(id);
        let by = self.renewals.get(&id).cloned().unwrap_or_default();
        let action = if is_followed { RequestedAction::Restart } else { RequestedAction::Stop };
        self.note_request(id, action, &format!("{by}, by an update"));
        self.drive_machine(now, id, MachineInput::Retire(then));
    }

    /// Whether a renewed process that depends on it has not stopped.
    fn is_awaited_by_renewed(&self, id: ProcessId) -> bool {
        let mut dependents = self.dependencies.dependents(id).iter();
        dependents.any(|dependent| self.renewals.contains_key(dependent) && !self.is_down(*dependent))
    }

    /// Whether it has stopped, and what it depends on has been renewed.
    fn can_be_renewed(&self, id: ProcessId) -> bool {
        let Some(member) = self.members.get(&id) else { return true };
        let mut needs = self.dependencies.needs(id).iter().flat_map(|need| need.members.iter());
        // A group that is to go as a whole is removed, or replaced, when all of it has stopped.
        member.renewal == Some(Renewal::Stops)
            && member.is_at_rest()
            && !self.retiring.iter().any(|group| **group == *member.group)
            && !needs.any(|needed| *needed != id && self.renewals.contains_key(needed))
    }

    /// Gives processes that have stopped their new definitions, and starts those that are to be started.
    fn renew(&mut self, now: Now, ids: Vec<ProcessId>) {
        let mut touched = BTreeSet::new();
        let (mut started, mut gone) = (Vec::new(), Vec::new());
        for id in ids {
            let by = self.renewals.remove(&id).unwrap_or_default();
            self.set_renewal(id, None);
            let Some(member) = self.members.get(&id) else { continue };
            let group = member.group.to_string();
            let decision = member.machine.stop_decision();
            let is_followed = decision.is_some_and(|decision| {
                decision.cause == StopCause::Configuration && decision.then == AfterStop::Replace
            });
            match self.successor(id) {
                Some(new) => {
                    self.redefine(now, id, new);
                    started.extend(is_followed.then_some((id, by)));
                    if !is_followed {
                        self.finish_renewal(id);
                    }
                }
                None => gone.push(id),
            }
            touched.insert(group);
        }
        for id in gone {
            self.finish_renewal(id);
            let Some(member) = self.members.get(&id) else { continue };
            let (group, process) = (member.group.clone(), member.config.identity.name.clone());
            self.forget_process(id);
            if let Some(index) = self.group_index(&group) {
                self.groups[index].members.retain(|member| *member != id);
            }
            self.effects.push_back(Effect::WithdrawRow { group, process });
        }
        touched.iter().for_each(|group| self.rebuild_group(group));
        self.relink(now);
        for (id, by) in started {
            self.start_with_dependencies(now, id, &format!("{by}, by an update"));
            self.finish_renewal(id);
        }
    }

    fn finish_renewal(&mut self, id: ProcessId) {
        for call in self.calls_with(id, |goal| *goal == Goal::Renew) {
            self.finish_item(call, id, Ok(()));
        }
    }

    /// The definition of a process in the configuration read last.
    fn successor(&self, id: ProcessId) -> Option<Arc<Process>> {
        let member = self.members.get(&id)?;
        let group = self.config.groups.iter().find(|group| *group.name == *member.group)?;
        group.processes.iter().find(|process| process.identity.name == member.config.identity.name).cloned()
    }

    /// Gives a process another definition, of which that counts from now on what does not need a restart.
    fn redefine(&mut self, now: Now, id: ProcessId, new: Arc<Process>) {
        let Some(member) = self.members.get(&id) else { return };
        let old = member.config.clone();
        let was_recycling = member.machine.recycling();
        let (before, after) = (&old.logging, &new.logging);
        let is_redirected = before.redirect_stderr != after.redirect_stderr;
        let (other_stdout, other_stderr) =
            (before.stdout.file != after.stdout.file, before.stderr.file != after.stderr.file || is_redirected);
        let stdout_log = other_stdout.then(|| self.resolve_log(&new, Channel::Stdout));
        let stderr_log = other_stderr.then(|| self.resolve_log(&new, Channel::Stderr));
        let random = self.random.next();
        let Some(member) = self.members.get_mut(&id) else { return };
        member.config = new.clone();
        member.stdout_log = stdout_log.unwrap_or_else(|| member.stdout_log.take());
        member.stderr_log = stderr_log.unwrap_or_else(|| member.stderr_log.take());
        member.machine.follow_definition(&old, &new, random, now.mono);
        self.refile(id, now);
        self.note_recycling(id, was_recycling);
        if old.logging != new.logging {
            self.effects.push_back(Effect::FollowLogging(id));
        }
        self.effects.push_back(Effect::PublishRow(id));
    }

    /// Adds a process to an active group, without starting it. The caller makes the definition of the group again.
    fn add_process(&mut self, group: &str, process: &Arc<Process>) -> Option<ProcessId> {
        let index = self.group_index(group)?;
        let definition = self.groups[index].config.clone();
        let id = self.register(&group.into(), &definition, process);
        self.groups[index].members.push(id);
        self.effects.push_back(Effect::PublishRow(id));
        Some(id)
    }

    /// Makes the definition of an active group that of its processes, in the order of the configuration read last. Those that the
    /// configuration does not have stand behind.
    fn rebuild_group(&mut self, name: &str) {
        let Some(index) = self.group_index(name) else { return };
        let configured = self.config.groups.iter().find(|group| group.name == name).cloned();
        let place: HashMap<&str, usize> = configured
            .iter()
            .flat_map(|group| &group.processes)
            .enumerate()
            .map(|(place, process)| (process.identity.name.as_str(), place))
            .collect();
        let mut members = self.groups[index].members.clone();
        let place_of = |id: &ProcessId| {
            let name = self.members.get(id).map(|member| member.config.identity.name.as_str());
            name.and_then(|name| place.get(name)).copied().unwrap_or(usize::MAX)
        };
        members.sort_by_cached_key(place_of);
        let processes = members.iter().filter_map(|id| self.members.get(id)).map(|member| member.config.clone());
        let before = &self.groups[index].config;
        let definition = Group {
            name: name.to_owned(),
            priority: configured.as_ref().map_or(before.priority, |group| group.priority),
            kind: before.kind.clone(),
            processes: processes.collect(),
        };
        self.groups[index].config = Arc::new(definition);
        self.groups[index].members = members;
        self.effects.push_back(Effect::PublishGroup(name.into()));
    }

    /// Has it kept how far a process has got with being renewed.
    fn set_renewal(&mut self, id: ProcessId, renewal: Option<Renewal>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let is_news = member.renewal.is_some() != renewal.is_some();
        member.renewal = renewal;
        if is_news {
            self.effects.push_back(Effect::PublishRow(id));
        }
    }

    /// Goes on with an update that another supervisor had begun.
    pub(super) fn resume_renewals(&mut self) {
        let renewed: Vec<ProcessId> =
            self.members.iter().filter(|(_, member)| member.renewal.is_some()).map(|(id, _)| *id).collect();
        for id in renewed {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let is_stopped_for_it = member.machine.stop_decision().is_some_and(|decision| {
                decision.cause == StopCause::Configuration && decision.then != AfterStop::Restart
            });
            let has_begun = is_stopped_for_it && !member.machine.is_alive();
            member.renewal = Some(if has_begun { Renewal::Stops } else { Renewal::Waits });
            self.renewals.insert(id, UPDATE_OF_BEFORE.into());
            self.additions = Some(Vec::new());
        }
    }
}

/// The processes of these groups, by group and name.
fn processes_of<'c>(config: &'c Config, groups: &BTreeSet<&str>) -> HashMap<(&'c str, &'c str), &'c Arc<Process>> {
    let named = config.groups.iter().filter(|group| groups.contains(&*group.name));
    let processes = named.flat_map(|group| group.processes.iter().map(|process| (&*group.name, process)));
    processes.map(|(group, process)| ((group, &*process.identity.name), process)).collect()
}
