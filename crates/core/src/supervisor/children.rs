//! How the children of processes begin and end.

use supervisord_config::model::LogLevel;
use supervisord_wire::state::Mood;

use super::{Effect, ProcessId, RunId, SpawnFailure, Spawned, Supervisor, counts};
use crate::process::{EndTraces, ExitStatus, MachineInput};
use crate::texts;
use crate::time::Now;

impl Supervisor {
    pub(super) fn spawned(&mut self, now: Now, id: ProcessId, result: Result<Spawned, SpawnFailure>) {
        match result {
            Ok(Spawned { run, pid, at }) => {
                self.belongs(id, run);
                if let Some(member) = self.members.get_mut(&id) {
                    counts(member).started();
                }
                self.seat_listener(id);
                self.drive_machine(at, id, MachineInput::Spawned(pid));
            }
            Err(failure) => {
                self.release_socket(id);
                let input = match failure {
                    SpawnFailure::Refused(reason) | SpawnFailure::Exhausted(reason) => {
                        MachineInput::SpawnFailed(reason)
                    }
                    SpawnFailure::Unanswered(reason) => MachineInput::SpawnUnanswered(reason),
                };
                self.drive_machine(now, id, input);
            }
        }
        self.spawn_settled(id);
    }

    /// Assigns a child to a process.
    pub(super) fn belongs(&mut self, id: ProcessId, run: RunId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.run = Some(run);
            self.by_run.insert(run, id);
        }
    }

    pub(super) fn died(&mut self, run: RunId, at: Now) {
        let Some(id) = self.by_run.get(&run).copied() else { return };
        if let Some(member) = self.members.get_mut(&id) {
            member.died = Some(at);
        }
        self.unfile(id);
    }

    pub(super) fn keep_traces(&mut self, run: RunId, traces: EndTraces) {
        if let Some(member) = self.by_run.get(&run).and_then(|id| self.members.get_mut(id)) {
            member.traces = Some(Box::new(traces));
            return;
        }
        let late = self.members.iter_mut().find(|(_, member)| member.ended == Some(run));
        if let Some((id, member)) = late {
            member.machine.add_traces(traces);
            self.effects.push_back(Effect::PublishRow(*id));
        }
    }

    pub(super) fn exited(&mut self, now: Now, run: RunId, pid: u32, status: ExitStatus) {
        match self.by_run.remove(&run) {
            Some(id) => self.ended(now, id, status),
            // The process was removed after a signal to the child had failed.
            None => self.unknown_exited(pid, status),
        }
    }

    pub(super) fn unknown_exited(&mut self, pid: u32, status: ExitStatus) {
        if !self.orphans.are_expected {
            return self.log(LogLevel::Info, texts::reaped_unknown(pid, status));
        }
        self.orphans.reaped += 1;
        if self.logs(LogLevel::Debug) {
            self.log(LogLevel::Debug, texts::reaped_unknown(pid, status));
        }
    }

    pub(super) fn ended(&mut self, now: Now, id: ProcessId, status: ExitStatus) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.ended = member.run.take();
        let traces = member.traces.take();
        let is_recycled = member.machine.is_recycled() && self.mood == Mood::Running;
        counts(member).ended(status);
        self.release_socket(id);
        self.drive_machine(now, id, MachineInput::Ended(status));
        if let (Some(member), Some(traces)) = (self.members.get_mut(&id), traces) {
            member.machine.add_traces(*traces);
        }
        self.listener_ended(now, id);
        if is_recycled {
            self.drive_machine(now, id, MachineInput::Start);
        }
    }

    /// Has the driver close a FastCGI socket after the last process that held it has ended.
    fn release_socket(&mut self, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let Some(socket) = member.config.spawn.socket.clone() else { return };
        let group = member.group.clone();
        let is_held = self.by_run.values().any(|other| {
            *other != id
                && self.members.get(other).is_some_and(|other| {
                    other.group == group
                        && other.config.spawn.socket.as_ref().is_some_and(|held| held.url == socket.url)
                })
        });
        if !is_held {
            self.effects.push_back(Effect::CloseSocket { group, url: socket.url.clone() });
        }
    }
}
