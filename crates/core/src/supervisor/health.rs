//! The health of the processes that are up: checks are begun and their results taken, and what follows from them is done.

use std::time::Duration;

use supervisord_config::dependency::DependencyCondition;
use supervisord_config::model::LogLevel;
use supervisord_config::model::OnUnhealthy;
use supervisord_config::probe::Probe;

use super::{Effect, ProbePurpose, ProcessId, Supervisor};
use crate::event::Event;
use crate::health::{Checked, HealthPolicy, HealthProgress, HealthStatus};
use crate::notification::WatchdogNotice;
use crate::process::{AfterStop, CommandPlan, KillScope, ProgramCommand, StopCause, StopDecision};
use crate::texts;
use crate::time::Now;

/// What became of the health of a process.
enum Outcome {
    Unchanged,
    /// Only readers need to know.
    Refreshed,
    Changed,
}

impl Supervisor {
    /// Does what is due: a check is begun, or a heartbeat is missing.
    pub(super) fn health_due(&mut self, now: Now, id: ProcessId) {
        let is_due = |health: &HealthProgress| health.deadline().is_some_and(|deadline| deadline <= now.mono);
        if !self.members.get(&id).is_some_and(|member| member.machine.health().is_some_and(is_due)) {
            return;
        }
        self.change_health(now, id, |policy, health| match health.miss_due_heartbeat(policy, now) {
            true => Outcome::Changed,
            false => Outcome::Unchanged,
        });
        self.begin_check(now, id);
        self.refile(id, now);
    }

    fn begin_check(&mut self, now: Now, id: ProcessId) {
        let attempt = self.next_probe;
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(policy) = HealthPolicy::of(&member.config) else { return };
        let (Some((probe, timeout)), Some(health)) = (policy.check(), member.machine.health_mut()) else { return };
        if !health.begin_check(attempt, now.mono) {
            return;
        }
        self.next_probe += 1;
        // One of the daemon before still runs: its result counts.
        let is_running = member.commands.iter().any(|running| running.command == ProgramCommand::HealthProbe);
        match &**probe {
            Probe::Exec(_) if is_running => {}
            Probe::Exec(line) => {
                let plan = CommandPlan { line: line.clone(), environment: Vec::new(), timeout };
                self.run_command(id, ProgramCommand::HealthProbe, plan);
            }
            Probe::Http(_) | Probe::Tcp(_) | Probe::Unix(_) | Probe::File(_) => {
                let (purpose, probe) = (ProbePurpose::Health, probe.clone());
                self.effects.push_back(Effect::Probe { process: id, purpose, attempt, probe, timeout });
            }
        }
    }

    /// The command of a check has ended.
    pub(super) fn health_command_ended(&mut self, now: Now, id: ProcessId, result: Result<(), String>) {
        let health = self.members.get(&id).and_then(|member| member.machine.health());
        if let Some(attempt) = health.and_then(|health| health.under_way) {
            self.health_checked(now, id, attempt, result);
        }
    }

    /// A check has ended. The result of one that is over is passed over.
    pub(super) fn health_checked(&mut self, now: Now, id: ProcessId, attempt: u64, result: Result<(), String>) {
        if self.members.get(&id).is_none_or(|member| member.died.is_some()) {
            return;
        }
        self.change_health(now, id, |policy, health| match health.checked(policy, attempt, result, now) {
            Checked::Ignored => Outcome::Unchanged,
            Checked::AsBefore => Outcome::Refreshed,
            Checked::Noted => Outcome::Changed,
        });
        self.refile(id, now);
    }

    /// A process has said that it is alive, or not well, or how often it will say so.
    pub(super) fn heartbeat_notified(
        &mut self,
        now: Now,
        id: ProcessId,
        notice: Option<WatchdogNotice>,
        interval: Option<Duration>,
    ) {
        if notice.is_none() && interval.is_none() {
            return;
        }
        self.change_health(now, id, |policy, health| {
            if let Some(interval) = interval {
                health.set_heartbeat_interval(policy, interval, now.mono);
            }
            let is_news = match notice {
                Some(WatchdogNotice::Alive) => health.beat(policy, now),
                Some(WatchdogNotice::Failed) => {
                    health.report_trouble(policy, now);
                    true
                }
                None => false,
            };
            if is_news { Outcome::Changed } else { Outcome::Unchanged }
        });
        self.refile(id, now);
    }

    /// Changes what is known of the health of a process, and does what follows.
    fn change_health(
        &mut self,
        now: Now,
        id: ProcessId,
        change: impl FnOnce(&HealthPolicy, &mut HealthProgress) -> Outcome,
    ) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(policy) = HealthPolicy::of(&member.config) else { return };
        let Some(health) = member.machine.health_mut() else { return };
        let from = health.status;
        let outcome = change(&policy, health);
        let (to, reason) = (health.status, health.trouble());
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Refreshed => self.effects.push_back(Effect::RefreshRow(id)),
            Outcome::Changed if from == to => self.effects.push_back(Effect::PublishRow(id)),
            Outcome::Changed => self.health_changed(now, id, &policy, (from, to), reason),
        }
    }

    fn health_changed(
        &mut self,
        now: Now,
        id: ProcessId,
        policy: &HealthPolicy,
        (from, to): (HealthStatus, HealthStatus),
        reason: Option<String>,
    ) {
        let Some(process) = self.name_of(id) else { return };
        let reason = reason.filter(|_| to == HealthStatus::Unhealthy);
        let why = reason.clone().unwrap_or_default();
        match to {
            HealthStatus::Healthy => {
                let line = texts::healthy(&process.process, from == HealthStatus::Unhealthy);
                self.log(LogLevel::Info, line);
            }
            HealthStatus::Unhealthy => self.log(LogLevel::Warn, texts::unhealthy(&process.process, &why)),
            HealthStatus::Starting => {}
        }
        self.emit(Event::ProcessHealth { process, from, to, reason });
        self.effects.push_back(Effect::PublishRow(id));
        if to == HealthStatus::Unhealthy && !self.is_ending() {
            self.react_to_bad_health(now, id, policy.reaction(), &why);
        }
        self.process_moved(now, id);
    }

    /// Does what is configured for a process that is unhealthy, and for those that depend on its health: where it is stopped,
    /// they are stopped before it.
    fn react_to_bad_health(&mut self, now: Now, id: ProcessId, reaction: OnUnhealthy, reason: &str) {
        let mut decisions = self.reactions_to_failure(id, "is unhealthy", Some(DependencyCondition::Healthy));
        let stopped = |then| (id, StopDecision { cause: StopCause::Unhealthy(reason.to_owned()), then });
        match reaction {
            OnUnhealthy::None => {}
            OnUnhealthy::Restart => decisions.push(stopped(AfterStop::Restart)),
            OnUnhealthy::Stop => decisions.push(stopped(AfterStop::Rest)),
            OnUnhealthy::Signal(signal) => {
                let Some(member) = self.members.get(&id) else { return };
                let line = texts::sending(&member.config.identity.name, member.machine.pid(), signal);
                let kill = member.run.map(|run| Effect::Kill {
                    process: id,
                    run,
                    signal,
                    scope: KillScope::Process,
                    call: None,
                });
                self.log(LogLevel::Info, line);
                self.effects.extend(kill);
            }
        }
        self.intervene_in_order(now, decisions);
    }
}
