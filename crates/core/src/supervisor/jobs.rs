//! Calls that take time: each waits for its processes and gets exactly one reply.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::LogLevel;
use supervisord_wire::name::namespec;

use super::job::{Goal, Item, Job, ReplyForm};
use super::{CallId, CommandFailure, Effect, KillFailure, ProcessId, Supervisor};
use crate::call::{Answer, Reason, Refusal, Status};
use crate::dependencies::waiting_for;
use crate::event::ProcessName;
use crate::last_request::RequestedAction;
use crate::process::{KillScope, MachineInput, Obstacle, ProcessPhase, ReadinessRule, StopPlan, Wanted};
use crate::texts;
use crate::time::Now;
use crate::update_plan::UpdatePlan;

impl Supervisor {
    /// Opens a job; its items are added next, and [`Supervisor::close_job`] follows when all have been.
    pub(super) fn open_job(&mut self, call: CallId, shape: ReplyForm) {
        self.jobs.push(Job::new(call, self.asker.clone(), shape));
    }

    /// Removes a job that was refused as a whole.
    pub(super) fn drop_job(&mut self, call: CallId) {
        self.jobs.retain(|job| job.call != call);
    }

    /// Replies at once if no item is waiting.
    pub(super) fn close_job(&mut self, call: CallId) {
        self.reply_if_done(call);
    }

    pub(super) fn begin_start(&mut self, call: CallId, id: ProcessId, wait: bool) {
        self.add_item(call, id, Goal::Check { wait });
        if let Some(refusal) = self.refusal_of_disabled(id) {
            return self.finish_item(call, id, Err(refusal));
        }
        self.effects.push_back(Effect::Check { process: id, call });
    }

    pub(super) fn checked(&mut self, now: Now, id: ProcessId, call: CallId, result: Result<(), CommandFailure>) {
        let Some(Goal::Check { wait }) = self.goal(call, id) else { return };
        let Some(member) = self.members.get(&id) else { return };
        let refusal = match (result, member.machine.obstacle_to_start()) {
            (Err(CommandFailure::Missing(text)), _) => Some(Refusal::with(Reason::NoFile, text)),
            (Err(CommandFailure::Unusable(text)), _) => Some(Refusal::with(Reason::NotExecutable, text)),
            (Ok(()), Some(Obstacle::AlreadyStarted)) => Some(self.item_refusal(call, id, Reason::AlreadyStarted)),
            (Ok(()), Some(Obstacle::Stopping)) => Some(self.item_refusal(call, id, Reason::AbnormalTermination)),
            (Ok(()), Some(Obstacle::Unreachable)) => {
                let text = format!("{} is in an unknown process state", self.item_name(call, id));
                Some(Refusal::with(Reason::Failed, text))
            }
            (Ok(()), None) => None,
        };
        match refusal {
            Some(refusal) => self.finish_item(call, id, Err(refusal)),
            None => {
                self.set_goal(call, id, Goal::Spawn { wait });
                let by = self.asker_of(call);
                self.note_request(id, RequestedAction::Start, &by);
                self.start_with_dependencies(now, id, &by);
            }
        }
    }

    /// The child was spawned, or could not be.
    pub(super) fn spawn_settled(&mut self, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let failed = member.machine.has_failed();
        for call in self.calls_with(id, |goal| matches!(goal, Goal::Spawn { .. })) {
            match self.goal(call, id) {
                Some(Goal::Spawn { .. }) if failed => {
                    let refusal = self.item_refusal(call, id, Reason::SpawnError);
                    self.finish_item(call, id, Err(refusal));
                }
                Some(Goal::Spawn { wait: true }) => self.set_goal(call, id, Goal::Run),
                _ => self.finish_item(call, id, Ok(())),
            }
        }
        self.process_changed(id);
    }

    pub(super) fn begin_stop(&mut self, now: Now, call: CallId, id: ProcessId, wait: bool) {
        let Some(member) = self.members.get(&id) else { return };
        let can_be_stopped = member.machine.can_be_stopped();
        self.cancel_listener_restart(id);
        self.add_item(call, id, Goal::Stop);
        if can_be_stopped {
            self.send_stop(now, call, id, wait);
        } else {
            let refusal = self.item_refusal(call, id, Reason::NotRunning);
            self.finish_item(call, id, Err(refusal));
        }
    }

    /// Stops a process that can be stopped, for an item of a call.
    pub(super) fn send_stop(&mut self, now: Now, call: CallId, id: ProcessId, wait: bool) {
        let Some(member) = self.members.get(&id) else { return };
        // One that the daemon stops has its signal already.
        let is_stopping = member.machine.is_stopping();
        let goal = if member.machine.has_child() && !is_stopping { Goal::Kill { wait } } else { Goal::Stop };
        self.set_goal(call, id, goal);
        let by = self.asker_of(call);
        self.note_request(id, RequestedAction::Stop, &by);
        self.drive_machine(now, id, MachineInput::Stop);
        let awaits_command = self.members.get(&id).is_some_and(|member| {
            let begins = StopPlan::of(&member.config).begins_with_command();
            member.machine.awaits_pre_stop() || begins && member.machine.is_stopping()
        });
        if awaits_command && wait {
            // No signal has been sent whose answer could be waited for.
            self.await_stop(now, call, id);
        } else if !wait && (awaits_command || goal == Goal::Stop) {
            self.finish_item(call, id, Ok(()));
        }
    }

    pub(super) fn begin_signal(&mut self, call: CallId, id: ProcessId, signal: i32) {
        let Some(member) = self.members.get(&id) else { return };
        let (pid, name) = (member.machine.pid(), member.config.identity.name.clone());
        let run = member.run.filter(|_| member.machine.takes_signals());
        self.add_item(call, id, Goal::Signal);
        if let Some(run) = run {
            self.log(LogLevel::Debug, texts::sending(&name, pid, signal));
            let by = self.asker_of(call);
            self.note_request(id, RequestedAction::Signal(signal), &by);
            self.effects.push_back(Effect::PublishRow(id));
            self.effects.push_back(Effect::Kill {
                process: id,
                run,
                signal,
                scope: KillScope::Process,
                call: Some(call),
            });
        } else {
            let refusal = self.item_refusal(call, id, Reason::NotRunning);
            self.finish_item(call, id, Err(refusal));
        }
    }

    /// The result of a signal: of a stop (no call), or of a signal request.
    pub(super) fn killed(&mut self, now: Now, id: ProcessId, call: Option<CallId>, result: Result<(), KillFailure>) {
        let Some(member) = self.members.get(&id) else { return };
        let (name, pid) = (member.config.identity.name.clone(), member.machine.pid());
        let refusal = match (&result, call) {
            (Ok(()), _) => None,
            (Err(KillFailure::Gone(reason)), None) => {
                self.log(LogLevel::Debug, texts::kill_too_late(&name, pid, reason));
                None
            }
            (Err(KillFailure::Gone(reason)), Some(_)) => {
                self.log(LogLevel::Debug, texts::signal_too_late(&name, pid, reason));
                None
            }
            (Err(KillFailure::Refused(reason)), None) => Some(texts::kill_refused(&name, pid, reason)),
            (Err(KillFailure::Refused(reason)), Some(_)) => Some(texts::signal_refused(&name, pid, reason)),
        };
        let waiting: Vec<CallId> = match call {
            Some(call) => vec![call],
            None => self.calls_with(id, |goal| matches!(goal, Goal::Kill { .. })),
        };
        match refusal {
            Some(text) => {
                self.log(LogLevel::Critical, text.clone());
                // A refused signal request says nothing about the process; the original makes the process UNKNOWN in
                // this case, too.
                if call.is_none() {
                    self.drive_machine(now, id, MachineInput::SignalRefused);
                }
                // Whoever is answered sees the new state.
                for call in waiting {
                    self.finish_item(call, id, Err(Refusal::with(Reason::Failed, &text)));
                }
            }
            None => {
                if call.is_none() {
                    self.drive_machine(now, id, MachineInput::SignalSent);
                }
                for call in waiting {
                    self.signal_sent(now, call, id, &name);
                }
            }
        }
    }

    fn signal_sent(&mut self, now: Now, call: CallId, id: ProcessId, name: &str) {
        if self.goal(call, id) == Some(Goal::Kill { wait: true }) {
            self.log(LogLevel::Info, texts::waiting_to_stop(name));
            self.await_stop(now, call, id);
        } else {
            self.finish_item(call, id, Ok(()));
        }
    }

    fn await_stop(&mut self, now: Now, call: CallId, id: ProcessId) {
        self.set_goal(call, id, Goal::Stop);
        if let Some(item) = self.item(call, id) {
            item.reported = now.mono;
        }
        self.process_changed(id);
    }

    /// Updates all jobs that wait for a state of this process.
    pub(super) fn process_changed(&mut self, id: ProcessId) {
        if self.jobs.is_empty() {
            return;
        }
        let Some(member) = self.members.get(&id) else { return };
        let machine = &member.machine;
        let (is_up, is_coming_up) = (machine.is_up() || machine.has_completed(), machine.is_coming_up());
        let (is_down, failed) = (machine.is_down(), machine.has_failed());
        let (is_at_rest, awaits_pre_start) = (member.is_at_rest(), machine.awaits_pre_start());
        let is_wanted_up = machine.wanted() == Wanted::Up;
        let is_ending = self.is_ending();
        let reason = machine.failed_start(&member.config);
        let start_phase = is_coming_up.then_some(machine.phase());
        let waits = |goal: &Goal| {
            matches!(goal, Goal::Spawn { .. } | Goal::Replace | Goal::Run | Goal::Turn | Goal::Stop | Goal::Renew)
        };
        for call in self.calls_with(id, waits) {
            match self.goal(call, id) {
                Some(Goal::Replace) => self.replaced(call, id),
                Some(Goal::Run) if failed => {
                    let refusal = self.refusal_because(call, id, Reason::SpawnError, reason.as_deref());
                    self.finish_item(call, id, Err(refusal));
                }
                Some(Goal::Run) if is_up => self.finish_item(call, id, Ok(())),
                Some(Goal::Run) if !is_coming_up => {
                    let reason = reason.clone().or_else(|| self.stopped_start(call, id));
                    let refusal = self.refusal_because(call, id, Reason::AbnormalTermination, reason.as_deref());
                    self.finish_item(call, id, Err(refusal));
                }
                // It was stopped while it waited for what it depends on: a failed spawn is answered by itself.
                Some(Goal::Spawn { .. }) if is_down && !failed => {
                    let reason = self.stopped_start(call, id);
                    let refusal = self.refusal_because(call, id, Reason::AbnormalTermination, reason.as_deref());
                    self.finish_item(call, id, Err(refusal));
                }
                Some(Goal::Spawn { wait: false }) if awaits_pre_start => self.finish_item(call, id, Ok(())),
                // It had stopped, and somebody has started it again before the hook after that had ended.
                Some(Goal::Stop) if is_wanted_up => self.finish_item(call, id, Ok(())),
                // The shutdown ends the update.
                Some(Goal::Renew) if is_at_rest && is_ending => self.finish_item(call, id, Ok(())),
                Some(Goal::Turn | Goal::Stop) if is_at_rest => self.finish_item(call, id, Ok(())),
                _ => {}
            }
            if let (Some(phase), Some(item)) = (start_phase, self.item(call, id)) {
                item.start_phase = Some(phase);
            }
        }
    }

    /// What a start was waiting for that has been stopped; none where the original waits as well, and says no more.
    fn stopped_start(&mut self, call: CallId, id: ProcessId) -> Option<String> {
        let phase = self.item(call, id)?.start_phase?;
        let member = self.members.get(&id)?;
        let gets_ready = ReadinessRule::of(&member.config).sign().is_some();
        match phase {
            ProcessPhase::AwaitingDependencies => {
                let awaited = self.dependencies.awaited(id);
                let others = waiting_for(awaited);
                // Its own hook after the last end may be what is left.
                let what = if awaited.is_empty() { "waiting to be started" } else { &others };
                Some(format!("stopped while it was {what}"))
            }
            ProcessPhase::AwaitingTurn => Some("stopped while it was waiting for its turn to start".to_owned()),
            ProcessPhase::PreStart => Some("stopped before its pre-start hook had ended".to_owned()),
            ProcessPhase::Settling | ProcessPhase::GettingReady if gets_ready => {
                Some("stopped before it was ready".to_owned())
            }
            ProcessPhase::RunningToEnd => Some("stopped before it had ended".to_owned()),
            _ => None,
        }
    }

    pub(super) fn report_slow_stops(&mut self, now: Now) {
        let slow: Vec<ProcessId> = self.jobs.iter_mut().flat_map(|job| job.take_reports(now.mono)).collect();
        for id in slow {
            if let Some(member) = self.members.get(&id) {
                let line = texts::waiting_to_stop(&member.config.identity.name);
                self.log(LogLevel::Info, line);
            }
        }
    }

    pub(super) fn add_item(&mut self, call: CallId, id: ProcessId, goal: Goal) {
        let Some(member) = self.members.get(&id) else { return };
        let name = namespec(&member.group, &member.config.identity.name);
        if let Some(job) = self.job(call) {
            let number = job.open.len() + job.done.len();
            job.open.insert(id, Item { number, name, goal, start_phase: None, reported: Duration::ZERO });
            job.set_goal(id, goal, None);
        }
    }

    /// Refuses what a call asks for a process that does not exist.
    pub(super) fn add_unknown(&mut self, call: CallId, name: ProcessName) {
        let ProcessName { group, process } = name;
        let refusal = Refusal::with(Reason::UnknownName, namespec(&group, &process));
        if let Some(job) = self.job(call) {
            job.done.push(Status { group, process: process.to_string(), result: Err(refusal) });
        }
    }

    /// Has a call wait for what is enabled and not there.
    pub(super) fn set_absent(&mut self, call: CallId, names: Vec<ProcessName>) {
        if let Some(job) = self.job(call) {
            job.absent = names;
        }
    }

    /// What a call waited for of that, which has been done or refused.
    pub(super) fn take_absent(&mut self, call: CallId, result: &Result<(), Refusal>) -> Vec<ProcessName> {
        let Some(job) = self.job(call) else { return Vec::new() };
        let names = std::mem::take(&mut job.absent);
        job.done.extend(names.iter().map(|ProcessName { group, process }| Status {
            group: group.clone(),
            process: process.to_string(),
            result: result.clone(),
        }));
        if !names.is_empty() {
            self.reply_if_done(call);
        }
        names
    }

    /// Makes refusals of a single call name the process as the client did.
    pub(super) fn set_item_name(&mut self, call: CallId, id: ProcessId, name: &str) {
        if let Some(item) = self.item(call, id) {
            item.name = name.to_owned();
        }
    }

    pub(super) fn finish_item(&mut self, call: CallId, id: ProcessId, result: Result<(), Refusal>) {
        let names = self.members.get(&id).map(|member| (member.group.clone(), member.config.identity.name.clone()));
        let Some(job) = self.job(call) else { return };
        if job.open.remove(&id).is_none() {
            return;
        }
        let (group, process) = names.unwrap_or_else(|| ("".into(), String::new()));
        job.done.push(Status { group, process, result });
        self.reply_if_done(call);
    }

    /// A process is removed: jobs that wait for it get a refusal.
    pub(super) fn refuse_waiting_jobs(&mut self, id: ProcessId) {
        for call in self.calls_with(id, |_| true) {
            let refusal = self.item_refusal(call, id, Reason::UnknownName);
            self.finish_item(call, id, Err(refusal));
        }
    }

    /// Replies to the calls for updates that are done.
    pub(super) fn answer_updates(&mut self) {
        let updates = self.jobs.iter().filter(|job| job.shape == ReplyForm::Plan).map(|job| job.call);
        for call in updates.collect::<Vec<_>>() {
            self.reply_if_done(call);
        }
    }

    fn reply_if_done(&mut self, call: CallId) {
        let Some(position) = self.jobs.iter().position(|job| job.call == call) else { return };
        let Job { open, absent, .. } = &self.jobs[position];
        if !open.is_empty() || !absent.is_empty() || self.is_collecting(position) {
            return;
        }
        // What an update adds comes when the rest is done.
        if self.jobs[position].shape == ReplyForm::Plan && self.additions.is_some() {
            return;
        }
        let job = self.jobs.remove(position);
        let outcome = match job.shape {
            ReplyForm::Single => match job.done.into_iter().next() {
                Some(Status { result: Err(refusal), .. }) => Err(refusal),
                _ => Ok(Answer::Done),
            },
            ReplyForm::Array => Ok(Answer::Statuses(job.done)),
            ReplyForm::Plan => Ok(job.plan.map_or(Answer::Done, Answer::Plan)),
        };
        self.effects.push_back(Effect::Reply { call, outcome });
    }

    /// Sets the plan that the call is answered with.
    pub(super) fn set_plan(&mut self, call: CallId, plan: UpdatePlan) {
        if let Some(job) = self.job(call) {
            job.plan = Some(Box::new(plan));
        }
    }

    /// Whether items are still being added to the job.
    fn is_collecting(&self, position: usize) -> bool {
        self.collecting == Some(self.jobs[position].call)
    }

    /// Who made a call.
    pub(super) fn asker_of(&self, call: CallId) -> Arc<str> {
        let job = self.jobs.iter().find(|job| job.call == call);
        job.map_or_else(|| self.asker.clone(), |job| job.by.clone())
    }

    fn job(&mut self, call: CallId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.call == call)
    }

    fn item(&mut self, call: CallId, id: ProcessId) -> Option<&mut Item> {
        self.job(call)?.open.get_mut(&id)
    }

    pub(super) fn goal(&mut self, call: CallId, id: ProcessId) -> Option<Goal> {
        self.item(call, id).map(|item| item.goal)
    }

    pub(super) fn set_goal(&mut self, call: CallId, id: ProcessId, goal: Goal) {
        if let Some(job) = self.job(call) {
            job.set_goal(id, goal, None);
        }
    }

    pub(super) fn item_name(&mut self, call: CallId, id: ProcessId) -> String {
        self.item(call, id).map(|item| item.name.clone()).unwrap_or_default()
    }

    /// The same, with a reason behind the name where one is known.
    fn refusal_because(&mut self, call: CallId, id: ProcessId, code: Reason, reason: Option<&str>) -> Refusal {
        match reason {
            Some(reason) => Refusal::with(code, format!("{}: {reason}", self.item_name(call, id))),
            None => self.item_refusal(call, id, code),
        }
    }

    pub(super) fn item_refusal(&self, call: CallId, id: ProcessId, code: Reason) -> Refusal {
        let item = self.jobs.iter().find(|job| job.call == call).and_then(|job| job.open.get(&id));
        Refusal::with(code, item.map_or("", |item| &item.name))
    }

    pub(super) fn calls_with(&self, id: ProcessId, matches: impl Fn(&Goal) -> bool) -> Vec<CallId> {
        let waits = |job: &&Job| job.open.get(&id).is_some_and(|item| matches(&item.goal));
        self.jobs.iter().filter(waits).map(|job| job.call).collect()
    }
}
