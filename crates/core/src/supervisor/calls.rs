//! What each call does. Waiting for it to be done is the business of [`super::jobs`].

use std::sync::Arc;

use supervisord_config::diff::diff;
use supervisord_config::model::{Config, Group, LogLevel, Process, UpdateMode};
use supervisord_config::signal;
use supervisord_wire::name::Namespec;
use supervisord_wire::state::Mood;

use super::enablement_queue::EnablementAction;
use super::job::{Goal, ReplyForm};
use super::{CallId, Effect, FeedFailure, ProcessId, Supervisor};
use crate::actor::Actor;
use crate::audit;
use crate::call::{Answer, Call, CallOutcome, Reason, Refusal};
use crate::event::Event;
use crate::output::Channel;
use crate::process::{Machine, Obstacle};
use crate::scope::ProgramScope;
use crate::time::Now;

/// The processes a name stands for.
enum Target {
    One(ProcessId),
    Group(Vec<ProcessId>),
}

impl Target {
    fn into_ids(self) -> Vec<ProcessId> {
        match self {
            Target::One(id) => vec![id],
            Target::Group(members) => members,
        }
    }
}

impl Supervisor {
    pub(super) fn call(&mut self, now: Now, id: CallId, actor: &Actor, call: Call) {
        if self.logs(LogLevel::Debug) {
            self.log(LogLevel::Debug, audit::line(actor, &call));
        }
        if self.mood != Mood::Running && !matches!(call, Call::SendRemoteCommEvent { .. }) {
            return self.reply(id, Err(Refusal::new(Reason::ShuttingDown)));
        }
        self.collecting = Some(id);
        self.asker = actor.to_string().into();
        let result = self.perform(now, id, &actor.programs, call);
        self.collecting = None;
        match result {
            Ok(CallProgress::Done(answer)) => self.reply(id, Ok(answer)),
            Ok(CallProgress::Waiting) => self.close_job(id),
            Err(refusal) => {
                self.drop_job(id);
                self.reply(id, Err(refusal));
            }
        }
    }

    /// Does what somebody asks for whom only the programs of this scope exist.
    fn perform(&mut self, now: Now, id: CallId, scope: &ProgramScope, call: Call) -> Result<CallProgress, Refusal> {
        match call {
            Call::Shutdown => self.set_mood(Mood::Shutdown),
            Call::Restart { config } => self.restart(config),
            Call::ReloadConfig { config } => return Ok(CallProgress::Done(self.reload(*config))),
            Call::PlanUpdate { config, mode, groups } => {
                let mode = mode.unwrap_or(config.supervisord.update);
                let plan = self.plan_update(&config, mode, &groups);
                return Ok(CallProgress::Done(Answer::Plan(Box::new(plan))));
            }
            Call::UpdateMinimally { groups } => {
                let plan = self.plan_update(&self.config, UpdateMode::Minimal, &groups);
                self.carry_out_plan(now, id, plan, &groups);
                return Ok(CallProgress::Waiting);
            }
            Call::Scale { config, section, numprocs: _, based_on } => {
                self.check_present_number(&section, based_on)?;
                self.scale(now, id, scope, *config, &section)?;
                return Ok(CallProgress::Waiting);
            }
            Call::AddProcessGroup { group } => self.add_group(now, &group)?,
            Call::RemoveProcessGroup { group } => self.remove_group(now, &group)?,
            Call::RegisterProcess { group, process } => self.register_process(now, &group, *process)?,
            Call::UnregisterProcess { group, process } => self.unregister_process(now, &group, &process)?,
            Call::SendRemoteCommEvent { kind, data } => {
                self.emit(Event::RemoteCommunication { kind, data });
            }
            Call::StartProcess { name, wait } => return self.start_one(id, scope, &name, wait),
            Call::StartProcessGroup { group, wait } => {
                let members = self.members_of_group(scope, &group)?;
                return Ok(self.start_many(id, members, wait));
            }
            Call::StartAllProcesses { wait } => return Ok(self.start_many(id, self.all_by_priority(scope), wait)),
            Call::StopProcess { name, wait } => return self.stop_one(now, id, scope, &name, wait),
            Call::StopWithDependents { name, wait } => return self.stop_with_dependents(now, id, scope, &name, wait),
            Call::StopProcessGroup { group, wait } => {
                let members = self.members_of_group(scope, &group)?;
                return Ok(self.stop_many(now, id, members, wait));
            }
            Call::StopAllProcesses { wait } => return Ok(self.stop_many(now, id, self.all_by_priority(scope), wait)),
            Call::SignalProcess { name, signal } => return self.signal_one(id, scope, &name, &signal),
            Call::SignalProcessGroup { group, signal } => {
                let members = self.members_of_group(scope, &group)?;
                return Ok(self.signal_many(id, members, &signal));
            }
            Call::SignalAllProcesses { signal } => {
                return Ok(self.signal_many(id, self.all_by_priority(scope), &signal));
            }
            Call::ActOn { action, processes, wait } => {
                self.act_on(now, id, scope, action, processes, wait);
                return Ok(CallProgress::Waiting);
            }
            Call::RollingRestart { processes, parallelism } => {
                self.begin_rolling(now, id, scope, processes, parallelism)?;
                return Ok(CallProgress::Waiting);
            }
            Call::DisableProcess { name, wait } => return self.disable_named(id, scope, &name, wait),
            Call::EnableProcess { name } => return self.enable_named(id, scope, &name),
            Call::ReloadProcess { name } => return self.reload_named(id, scope, &name),
            Call::SendProcessStdin { name, chars } => return self.send_stdin(id, scope, &name, chars),
            Call::ClearProcessLogs { name } => return self.clear_one(id, scope, &name),
            Call::ClearAllProcessLogs => return Ok(self.clear_all(id, scope)),
            // No job in both cases: there is no process to wait for, and a job without any would be answered at once.
            Call::Upgrade => {
                self.effects.push_back(Effect::Upgrade { call: id });
                return Ok(CallProgress::Waiting);
            }
            Call::ClearLog => {
                self.effects.push_back(Effect::ClearActivity { call: id });
                return Ok(CallProgress::Waiting);
            }
        }
        Ok(CallProgress::Done(Answer::Done))
    }

    fn reload(&mut self, config: Config) -> Answer {
        let active: Vec<_> = self.groups.iter().map(|group| group.config.clone()).collect();
        let difference = diff(&active, &config.groups);
        let changed = if self.logs(LogLevel::Debug) { &*difference.changed } else { &[] };
        for group in changed {
            self.log(LogLevel::Debug, group.to_string());
        }
        self.take_config(config);
        Answer::Difference(difference)
    }

    /// Makes a configuration the one read last. What was said about the one before need not be said again.
    pub(super) fn take_config(&mut self, config: Config) {
        let known = self.config.clone();
        for notice in config.notices.iter().filter(|notice| !known.notices.contains(notice)) {
            self.log(notice.level.into(), notice.text.clone());
        }
        self.adopt_config(config);
    }

    fn add_group(&mut self, now: Now, name: &str) -> Result<(), Refusal> {
        if self.group_index(name).is_some() {
            return Err(Refusal::with(Reason::AlreadyAdded, name));
        }
        let known = self.config.groups.iter().find(|group| group.name == name).cloned();
        let group = known.ok_or_else(|| Refusal::with(Reason::UnknownName, name))?;
        self.activate(group);
        self.autostart(now, self.groups.len() - 1);
        Ok(())
    }

    pub(super) fn remove_group(&mut self, now: Now, name: &str) -> Result<(), Refusal> {
        self.unregister_group(name)?;
        self.effects.push_back(Effect::WithdrawGroup(name.into()));
        self.emit(Event::ProcessGroupRemoved(name.into()));
        self.relink(now);
        Ok(())
    }

    /// Removes a group whose members are all down. The caller publishes that.
    pub(super) fn unregister_group(&mut self, name: &str) -> Result<(), Refusal> {
        let index = self.known_group(name)?;
        let members = self.groups[index].members.clone();
        if !members.iter().all(|id| self.is_down(*id)) {
            return Err(Refusal::with(Reason::StillRunning, name));
        }
        for id in members {
            self.forget_process(id);
        }
        self.groups.remove(index);
        Ok(())
    }

    pub(super) fn forget_process(&mut self, id: ProcessId) {
        self.renewals.remove(&id);
        self.leave_rollout(id);
        self.refuse_waiting_jobs(id);
        self.unfile(id);
        self.by_run.retain(|_, process| *process != id);
        if let Some(member) = self.members.remove(&id) {
            self.recycles.end(&member.group, id);
        }
        self.forget_turn(id);
        self.note_moved(id);
    }

    /// The definition of the group changes with it: the next reread will find that it differs from the file.
    fn register_process(&mut self, now: Now, group: &str, process: Process) -> Result<(), Refusal> {
        let index = self.known_group(group)?;
        if self.find(group, &process.identity.name).is_some() {
            return Err(Refusal::with(Reason::UnknownName, process.identity.name));
        }
        let mut definition = Group::clone(&self.groups[index].config);
        let process = Arc::new(process);
        definition.processes.push(process.clone());
        let definition = Arc::new(definition);
        let id = self.register(&group.into(), &definition, &process);
        self.effects.push_back(Effect::PublishRow(id));
        self.groups[index].config = definition;
        self.groups[index].members.push(id);
        self.effects.push_back(Effect::PublishGroup(group.into()));
        self.relink(now);
        Ok(())
    }

    fn unregister_process(&mut self, now: Now, group: &str, process: &str) -> Result<(), Refusal> {
        let index = self.known_group(group)?;
        let unknown = || Refusal::with(Reason::UnknownName, process);
        let id = self.find(group, process).ok_or_else(unknown)?;
        if !self.is_down(id) {
            return Err(Refusal::with(Reason::StillRunning, process));
        }
        self.forget_process(id);
        let mut definition = Group::clone(&self.groups[index].config);
        definition.processes.retain(|member| member.identity.name != process);
        self.groups[index].config = Arc::new(definition);
        self.groups[index].members.retain(|member| *member != id);
        self.effects.push_back(Effect::PublishGroup(group.into()));
        self.effects.push_back(Effect::WithdrawRow { group: group.into(), process: process.to_owned() });
        self.relink(now);
        Ok(())
    }

    fn start_one(
        &mut self,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        wait: bool,
    ) -> Result<CallProgress, Refusal> {
        match self.target(scope, name)? {
            Target::Group(members) => Ok(self.start_many(call, members, wait)),
            Target::One(id) => {
                self.open_job(call, ReplyForm::Single);
                self.begin_start(call, id, wait);
                self.set_item_name(call, id, name);
                Ok(CallProgress::Waiting)
            }
        }
    }

    fn start_many(&mut self, call: CallId, ids: Vec<ProcessId>, wait: bool) -> CallProgress {
        self.open_job(call, ReplyForm::Array);
        // What another one depends on is not started on its behalf before it is its own turn.
        for id in self.dependencies.in_order(ids) {
            let Some(member) = self.members.get(&id) else { continue };
            // What is disabled is no more meant than what runs.
            if member.disabled.is_none() && member.machine.obstacle_to_start() != Some(Obstacle::AlreadyStarted) {
                self.begin_start(call, id, wait);
            }
        }
        CallProgress::Waiting
    }

    fn stop_one(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        wait: bool,
    ) -> Result<CallProgress, Refusal> {
        match self.target(scope, name)? {
            Target::Group(members) => Ok(self.stop_many(now, call, members, wait)),
            Target::One(id) => {
                self.open_job(call, ReplyForm::Single);
                if self.is(id, Machine::can_be_stopped) {
                    self.log_dependents_beside(&[id]);
                    self.begin_stop(now, call, id, wait);
                    self.set_item_name(call, id, name);
                    Ok(CallProgress::Waiting)
                } else {
                    Err(Refusal::with(Reason::NotRunning, name))
                }
            }
        }
    }

    fn stop_many(&mut self, now: Now, call: CallId, ids: Vec<ProcessId>, wait: bool) -> CallProgress {
        self.open_job(call, ReplyForm::Array);
        let active: Vec<ProcessId> = ids.into_iter().filter(|id| self.is(*id, Machine::can_be_stopped)).collect();
        self.begin_stops(now, call, &active, wait);
        CallProgress::Waiting
    }

    /// Stops processes that can be stopped.
    pub(super) fn begin_stops(&mut self, now: Now, call: CallId, active: &[ProcessId], wait: bool) {
        if !self.dependencies.is_empty() {
            self.log_dependents_beside(active);
            return self.begin_ordered_stop(now, call, active, wait);
        }
        for id in active {
            self.begin_stop(now, call, *id, wait);
        }
    }

    /// Stops a process or a group after all that depend on it, directly or not.
    fn stop_with_dependents(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        wait: bool,
    ) -> Result<CallProgress, Refusal> {
        let named = self.target(scope, name)?.into_ids();
        let all = self.dependencies.with_dependents(named);
        if all.iter().any(|id| !self.is_in(scope, *id) && self.is(*id, Machine::can_be_stopped)) {
            let text = format_args!("{name} cannot be stopped with its dependents, of which some are not yours");
            return Err(Refusal::with(Reason::NotPermitted, text));
        }
        match all.iter().any(|id| self.is(*id, Machine::can_be_stopped)) {
            true => Ok(self.stop_many(now, call, all, wait)),
            false => Err(Refusal::with(Reason::NotRunning, name)),
        }
    }

    fn signal_one(
        &mut self,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        signal: &str,
    ) -> Result<CallProgress, Refusal> {
        match self.target(scope, name)? {
            Target::Group(members) => Ok(self.signal_many(call, members, signal)),
            Target::One(id) => {
                let number = known_signal(signal)?;
                if !self.is(id, Machine::takes_signals) {
                    return Err(Refusal::with(Reason::NotRunning, name));
                }
                self.open_job(call, ReplyForm::Single);
                self.begin_signal(call, id, number);
                self.set_item_name(call, id, name);
                Ok(CallProgress::Waiting)
            }
        }
    }

    /// A signal that does not exist is a failure of every single process, as the original has it.
    fn signal_many(&mut self, call: CallId, ids: Vec<ProcessId>, signal: &str) -> CallProgress {
        self.open_job(call, ReplyForm::Array);
        for id in ids {
            if !self.is(id, Machine::takes_signals) {
                continue;
            }
            match known_signal(signal) {
                Ok(number) => self.begin_signal(call, id, number),
                Err(refusal) => {
                    self.add_item(call, id, Goal::Signal);
                    self.finish_item(call, id, Err(refusal));
                }
            }
        }
        CallProgress::Waiting
    }

    /// Disables a process, or all of a group.
    fn disable_named(
        &mut self,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        wait: bool,
    ) -> Result<CallProgress, Refusal> {
        let ids = self.target(scope, name)?.into_ids();
        self.open_job(call, ReplyForm::Array);
        self.change_enablement(call, EnablementAction::Disable { wait }, ids, Vec::new());
        Ok(CallProgress::Waiting)
    }

    /// Enables a process, or all of a group, also where they are on the list alone.
    fn enable_named(&mut self, call: CallId, scope: &ProgramScope, name: &str) -> Result<CallProgress, Refusal> {
        let absent = self.absent_named(scope, &Namespec::parse(name));
        let ids = match self.target(scope, name) {
            Ok(Target::One(id)) => vec![id],
            Ok(Target::Group(members)) => members,
            Err(_) if !absent.is_empty() => Vec::new(),
            Err(refusal) => return Err(refusal),
        };
        self.open_job(call, ReplyForm::Array);
        self.change_enablement(call, EnablementAction::Enable, ids, absent);
        Ok(CallProgress::Waiting)
    }

    /// Reloads a process, or those of a group that run.
    fn reload_named(&mut self, call: CallId, scope: &ProgramScope, name: &str) -> Result<CallProgress, Refusal> {
        let ids = match self.target(scope, name)? {
            Target::One(id) => vec![id],
            Target::Group(members) => members.into_iter().filter(|id| self.is(*id, Machine::is_up)).collect(),
        };
        self.open_job(call, ReplyForm::Array);
        for id in ids {
            self.begin_reload(call, id);
        }
        Ok(CallProgress::Waiting)
    }

    fn send_stdin(
        &mut self,
        call: CallId,
        scope: &ProgramScope,
        name: &str,
        chars: Vec<u8>,
    ) -> Result<CallProgress, Refusal> {
        let id = self.single_target(scope, name)?;
        let Some(member) = self.members.get(&id) else { return Err(Refusal::with(Reason::UnknownName, name)) };
        if !member.machine.takes_input() {
            return Err(Refusal::with(Reason::NotRunning, name));
        }
        self.open_job(call, ReplyForm::Single);
        self.add_item(call, id, Goal::Feed);
        self.set_item_name(call, id, name);
        self.effects.push_back(Effect::Feed { process: id, bytes: chars, call: Some(call) });
        Ok(CallProgress::Waiting)
    }

    pub(super) fn fed(&mut self, now: Now, id: ProcessId, call: Option<CallId>, result: Result<(), FeedFailure>) {
        let Some(call) = call else { return self.event_fed(now, id, result) };
        let result = result.map_err(|failure| match failure {
            FeedFailure::Closed => self.item_refusal(call, id, Reason::NoFile),
            FeedFailure::Full => {
                Refusal::with(Reason::Failed, "the process does not read its stdin, too much is waiting")
            }
        });
        self.finish_item(call, id, result);
    }

    fn clear_one(&mut self, call: CallId, scope: &ProgramScope, name: &str) -> Result<CallProgress, Refusal> {
        let id = self.single_target(scope, name)?;
        self.open_job(call, ReplyForm::Single);
        self.begin_clear(call, id, &[Channel::Stdout, Channel::Stderr]);
        Ok(CallProgress::Waiting)
    }

    fn clear_all(&mut self, call: CallId, scope: &ProgramScope) -> CallProgress {
        self.open_job(call, ReplyForm::Array);
        for id in self.all_by_priority(scope) {
            self.begin_clear(call, id, &[Channel::Stdout, Channel::Stderr]);
        }
        CallProgress::Waiting
    }

    pub(super) fn begin_clear(&mut self, call: CallId, id: ProcessId, channels: &[Channel]) {
        let Some(member) = self.members.get(&id) else { return };
        let files =
            channels.iter().filter_map(|channel| member.log(*channel).map(|log| log.as_ref().to_owned())).collect();
        self.add_item(call, id, Goal::Clear);
        self.effects.push_back(Effect::ClearLogs { process: id, channels: channels.to_vec(), files, call });
    }

    pub(super) fn cleared(&mut self, process: Option<ProcessId>, call: CallId, result: Result<(), Refusal>) {
        match process {
            Some(id) => self.finish_item(call, id, result),
            None => self.reply(call, result.map(|()| Answer::Done)),
        }
    }

    fn all_by_priority(&self, scope: &ProgramScope) -> Vec<ProcessId> {
        let groups = self.groups_by_priority().into_iter();
        groups.flat_map(|index| self.members_in(scope, index)).collect()
    }

    /// The members of a group that are within the scope.
    fn members_in(&self, scope: &ProgramScope, index: usize) -> Vec<ProcessId> {
        let mut members = self.members_by_priority(index);
        members.retain(|id| self.is_in(scope, *id));
        members
    }

    fn is_in(&self, scope: &ProgramScope, id: ProcessId) -> bool {
        let Some(member) = self.members.get(&id) else { return false };
        scope.includes(&member.group, &member.config.identity.name)
    }

    /// Those of a group that is named. One without any within the scope is unknown.
    fn members_of_group(&self, scope: &ProgramScope, group: &str) -> Result<Vec<ProcessId>, Refusal> {
        let index = self.known_group(group)?;
        let members = self.members_in(scope, index);
        match scope.is_all() || !members.is_empty() {
            true => Ok(members),
            false => Err(Refusal::with(Reason::UnknownName, group)),
        }
    }

    fn target(&self, scope: &ProgramScope, name: &str) -> Result<Target, Refusal> {
        let unknown = || Refusal::with(Reason::UnknownName, name);
        let spec = Namespec::parse(name);
        match spec.process {
            None => {
                let members = self.members_of_group(scope, &spec.group).map_err(|_| unknown())?;
                Ok(Target::Group(members))
            }
            Some(process) => {
                let found = self.find(&spec.group, &process).filter(|id| self.is_in(scope, *id));
                found.map(Target::One).ok_or_else(unknown)
            }
        }
    }

    fn single_target(&self, scope: &ProgramScope, name: &str) -> Result<ProcessId, Refusal> {
        match self.target(scope, name)? {
            Target::One(id) => Ok(id),
            Target::Group(_) => Err(Refusal::with(Reason::UnknownName, name)),
        }
    }

    fn known_group(&self, name: &str) -> Result<usize, Refusal> {
        self.group_index(name).ok_or_else(|| Refusal::with(Reason::UnknownName, name))
    }

    pub(super) fn reply(&mut self, call: CallId, outcome: CallOutcome) {
        self.effects.push_back(Effect::Reply { call, outcome });
    }
}

/// How far a call got at once.
enum CallProgress {
    Done(Answer),
    Waiting,
}

fn known_signal(text: &str) -> Result<i32, Refusal> {
    signal::parse(text).map_err(|_| Refusal::with(Reason::UnknownSignal, text))
}
