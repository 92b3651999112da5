//! Programs that are getting ready: they say so themselves, or are probed until they are.

use std::sync::Arc;

use supervisord_config::probe::Probe;
use supervisord_config::readiness::ReadyWhen;

use super::{Effect, Member, ProbePurpose, ProcessId, RunId, Supervisor};
use crate::process::{MachineInput, ReadinessRule};
use crate::readiness_probe::{PROBE_TIMEOUT, ReadinessProbe};
use crate::time::Now;

impl Member {
    /// What is asked about its readiness; none where it says so itself, or nothing does.
    fn asked(&self) -> Option<Arc<Probe>> {
        match ReadinessRule::of(&self.config).sign()? {
            ReadyWhen::Probe(probe) => Some(probe.clone()),
            ReadyWhen::Descriptor(_) => None,
        }
    }
}

impl Supervisor {
    /// The child of a run is ready.
    pub(super) fn ready(&mut self, now: Now, run: RunId) {
        if let Some(id) = self.by_run.get(&run).copied() {
            self.drive_machine(now, id, MachineInput::Ready);
        }
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
    }

    /// Probes a process whose next probe is due.
    pub(super) fn readiness_due(&mut self, now: Now, id: ProcessId) {
        let attempt = self.next_probe;
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(probes) = &mut member.probes else { return };
        if probes.probe(attempt, now.mono)
            && let Some(probe) = member.asked()
        {
            self.next_probe += 1;
            let (purpose, timeout) = (ProbePurpose::Readiness, PROBE_TIMEOUT);
            self.effects.push_back(Effect::Probe { process: id, purpose, attempt, probe, timeout });
        }
        self.refile(id, now);
    }

    /// A probe has ended. The result of one that nobody waits for any more says nothing.
    pub(super) fn readiness_probed(&mut self, now: Now, id: ProcessId, attempt: u64, result: Result<(), String>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let probe = member.asked();
        let has_died = member.died.is_some();
        let probes = member.probes.as_mut().filter(|probes| probes.awaits(attempt) && !has_died);
        let (Some(probe), Some(probes)) = (probe, probes) else { return };
        match result {
            Ok(()) => self.drive_machine(now, id, MachineInput::Ready),
            Err(reason) => {
                if probes.failed(reason, &probe, now.mono) {
                    self.effects.push_back(Effect::PublishRow(id));
                }
                self.refile(id, now);
            }
        }
    }
}
