//! Programs that are getting ready: they say so themselves, or are probed until they are.

use std::sync::Arc;

use supervisord_config::line_pattern::LinePattern;
use supervisord_config::model::LogLevel;
use supervisord_config::probe::Probe;
use supervisord_config::readiness::ReadyWhen;

use super::{Effect, Member, ProbePurpose, ProcessId, RunId, Supervisor};
use crate::notification::Notification;
use crate::process::{CommandPlan, MachineInput, ProgramCommand, ReadinessRule, Timer};
use crate::readiness_probe::{PROBE_TIMEOUT, ReadinessProbe};
use crate::texts;
use crate::time::Now;

impl Member {
    /// What is asked about its readiness; none where it says so itself, or nothing does.
    fn asked(&self) -> Option<Arc<Probe>> {
        match ReadinessRule::of(&self.config).sign()? {
            ReadyWhen::Probe(probe) => Some(probe.clone()),
            ReadyWhen::Descriptor(_) | ReadyWhen::Notify | ReadyWhen::Line(_) => None,
        }
    }
}

impl Supervisor {
    /// The line of output by which a process that has a child is still to say that it is ready.
    pub fn awaited_line(&self, id: ProcessId) -> Option<&LinePattern> {
        let member = self.members.get(&id)?;
        let awaits = member.machine.ready_by().is_some();
        ReadinessRule::of(&member.config).line().filter(|_| awaits)
    }

    /// The processes that are to be judged at this time because they should be ready. What they have said is to be read before.
    pub fn judged_unready(&self, now: Now) -> Vec<ProcessId> {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now.mono).map(|(_, id)| *id);
        due.filter(|id| self.is(*id, |machine| machine.ready_by().is_some_and(|by| by <= now.mono))).collect()
    }

    /// The child of a run is ready.
    pub(super) fn ready(&mut self, now: Now, run: RunId) {
        if let Some(id) = self.by_run.get(&run).copied() {
            self.drive_machine(now, id, MachineInput::Ready);
        }
    }

    /// The child of a run says something about itself.
    pub(super) fn notified(&mut self, now: Now, run: RunId, notification: Notification) {
        let Some(id) = self.by_run.get(&run).copied() else { return };
        let Some(member) = self.members.get_mut(&id) else { return };
        let is_notified = ReadinessRule::of(&member.config).is_notified();
        let mut status = member.machine.service_status().cloned().unwrap_or_default();
        status.is_reloading = (status.is_reloading || notification.reloading) && !notification.ready;
        status.is_stopping |= notification.stopping;
        if let Some(text) = notification.status {
            status.text = text;
        }
        let (name, pid) = (member.config.identity.name.clone(), member.machine.pid());
        let is_news = member.machine.set_service_status(status);
        if let Some(other) = notification.main_pid.filter(|other| *other != pid) {
            member.other_main_processes += 1;
            let so_far = member.other_main_processes;
            // Not each one, because a program can send any number of them.
            if so_far.is_power_of_two() {
                self.log(LogLevel::Info, texts::other_main_process(&name, pid, other, so_far));
            }
        }
        if is_news {
            self.effects.push_back(Effect::PublishRow(id));
        }
        if let Some(time) = notification.extension {
            self.drive_machine(now, id, MachineInput::Extend(time));
            self.effects.push_back(Effect::RefreshRow(id));
        }
        if notification.ready && is_notified {
            self.drive_machine(now, id, MachineInput::Ready);
        }
        self.heartbeat_notified(now, id, notification.heartbeat, notification.watchdog_interval);
    }

    /// Begins to probe a process that is getting ready, or ends that when it is not any more.
    pub(super) fn follow_readiness(&mut self, now: Now, id: ProcessId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.machine.ready_by().is_none() {
            member.probes = None;
        } else if member.probes.is_none() && member.asked().is_some() {
            let started = member.machine.progress().started;
            member.probes = Some(Box::new(ReadinessProbe::begin(started, now.mono)));
        }
        let has_last_chance = member.machine.has_last_chance();
        if let Some(probes) = &mut member.probes {
            match has_last_chance {
                true => probes.ask_last(now.mono),
                false => probes.ask_on(),
            }
        }
    }

    /// Probes a process whose next probe is due.
    pub(super) fn readiness_due(&mut self, now: Now, id: ProcessId) {
        let attempt = self.next_probe;
        let Some(member) = self.members.get_mut(&id) else { return };
        // One of the daemon before may still run: its result counts.
        let is_new = !member.commands.iter().any(|running| running.command == ProgramCommand::ReadinessProbe);
        let Some(probes) = &mut member.probes else { return };
        if probes.probe(attempt, is_new, now.mono)
            && let Some(probe) = member.asked()
        {
            self.next_probe += 1;
            self.ask(id, attempt, probe, is_new);
        }
        self.refile(id, now);
    }

    fn ask(&mut self, id: ProcessId, attempt: u64, probe: Arc<Probe>, is_new: bool) {
        let timeout = PROBE_TIMEOUT;
        match &*probe {
            Probe::Exec(line) if is_new => {
                let plan = CommandPlan { line: line.clone(), environment: Vec::new(), timeout };
                self.run_command(id, ProgramCommand::ReadinessProbe, plan);
            }
            Probe::Exec(_) => {}
            Probe::Http(_) | Probe::Tcp(_) | Probe::Unix(_) | Probe::File(_) => {
                let purpose = ProbePurpose::Readiness;
                self.effects.push_back(Effect::Probe { process: id, purpose, attempt, probe, timeout });
            }
        }
    }

    /// The command that asked whether a process is ready has ended.
    pub(super) fn readiness_command_ended(&mut self, now: Now, id: ProcessId, result: Result<(), String>) {
        let probes = self.members.get(&id).and_then(|member| member.probes.as_ref());
        if let Some(attempt) = probes.and_then(|probes| probes.under_way()) {
            self.readiness_probed(now, id, attempt, result);
        }
    }

    /// A probe has ended. The result of one that nobody waits for any more says nothing.
    pub(super) fn readiness_probed(&mut self, now: Now, id: ProcessId, attempt: u64, result: Result<(), String>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let probe = member.asked();
        let has_died = member.died.is_some();
        let is_late = member.machine.ready_by().is_some_and(|by| by <= now.mono);
        let probes = member.probes.as_mut().filter(|probes| probes.awaits(attempt) && !has_died);
        let (Some(probe), Some(probes)) = (probe, probes) else { return };
        match result {
            Ok(()) => self.drive_machine(now, id, MachineInput::Ready),
            Err(reason) => {
                let is_news = probes.failed(reason, &probe, is_late, now.mono);
                if probes.is_decided() {
                    return self.drive_machine(now, id, MachineInput::Due(Timer::ReadyTimeout));
                }
                if is_news {
                    self.effects.push_back(Effect::PublishRow(id));
                }
                self.refile(id, now);
            }
        }
    }
}
