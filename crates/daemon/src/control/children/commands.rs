//! Commands of programs beside their own: they are spawned, ended and accounted for by what they are for.

use std::os::fd::OwnedFd;
use std::time::Duration;

use mio::Registry;
use supervisord_core::output::Channel;
use supervisord_core::process::{CommandPlan, KillScope, ProgramCommand};
use supervisord_core::supervisor::{ProcessId, SpawnFailure, Supervisor};
use supervisord_sys::Pid;
use supervisord_sys::signal::{self, SIGKILL, SIGTERM};

use super::capture::Capture;
use super::role::{CommandChild, Role, Supervised};
use super::{Children, TimeLimit};
use crate::activity::Activity;
use crate::clock::present;
use crate::control::spawn::{self, CommandSpawn, SpawnedCommand};
use crate::control::survival::Survival;
use crate::control::tools::Tools;
use crate::descriptor::deregister;
use crate::hand_over::{HandedChannel, HandedCommand};
use crate::output::{OutputRequest, RunId};
use crate::state::CommandRun;

/// How long a command that has been told to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(5);

impl Children {
    /// Spawns a command of a process. Gives its process id.
    pub(in crate::control) fn spawn_command(
        &mut self,
        process: ProcessId,
        (command, plan): (ProgramCommand, &CommandPlan),
        supervisor: &Supervisor,
        tools: &Tools,
        survival: Option<&mut Survival>,
        registry: &Registry,
    ) -> Result<u32, SpawnFailure> {
        let spawn = CommandSpawn { process, command, plan, runs: self.runs(process) };
        let spawned = self.spawner.spawn_command(spawn, supervisor, tools, survival)?;
        let SpawnedCommand { run, pid, kept, captured } = spawned;
        let supervised = Supervised { process, kept: kept.run, stdin: None, orphan: None, ready: None };
        self.add_command(run, pid, supervised, kept.command, kept.kill_at, kept.timeout);
        if let Some(pipe) = captured {
            let name = supervisor.process(process).map_or("", |process| &process.identity.name);
            self.capture(run, pipe, name, &tools.activity, registry);
        }
        Ok(pid)
    }

    /// Keeps what a command writes, and has the loop tell when it has written something.
    fn capture(&mut self, run: RunId, pipe: OwnedFd, name: &str, activity: &Activity, registry: &Registry) {
        let token = self.watch(run, &pipe, (name, "what a command tells"), activity, registry);
        self.captures.insert(run, Capture::new(pipe, token));
        self.limit_capture(token);
    }

    /// A command may have written something. One that has written too much is killed now rather than at its time limit: it would
    /// wait until then for room in the pipe.
    pub(in crate::control) fn limit_capture(&mut self, token: usize) {
        let Some(run) = self.tokens.run(token) else { return };
        let capture = self.captures.get(&run).filter(|capture| capture.token == token);
        if capture.is_some_and(Capture::is_too_much) {
            self.bring_limit_forward(run, present().mono);
        }
    }

    /// A child is killed at this time, unless it is to be killed before.
    fn bring_limit_forward(&mut self, run: RunId, to: Duration) {
        if let Some(child) = self.living.get_mut(&run)
            && let TimeLimit::Until(kill_at) = child.limit
        {
            self.limits.remove(&(kill_at, run));
            let kill_at = kill_at.min(to);
            self.limits.insert((kill_at, run));
            child.limit = TimeLimit::Until(kill_at);
        }
    }

    fn add_command(
        &mut self,
        run: RunId,
        pid: u32,
        supervised: Supervised,
        command: ProgramCommand,
        kill_at: Duration,
        timeout: Duration,
    ) {
        let child = CommandChild { supervised, command, kill_at, timeout, is_being_ended: false };
        self.add(run, pid, Role::Command(Box::new(child)), Some(kill_at));
    }

    /// Has a command end soon: it is asked to, with its process group, and killed a little later.
    pub(in crate::control) fn end_command(&mut self, process: ProcessId, command: ProgramCommand, now: Duration) {
        let Some(run) = self.by_command.get(&(process, command)).copied() else { return };
        let Some(child) = self.living.get_mut(&run) else { return };
        let Role::Command(role) = &mut child.role else { return };
        if std::mem::replace(&mut role.is_being_ended, true) {
            return;
        }
        self.bring_limit_forward(run, now + GRACE);
        // It can only have ended, which is told soon.
        let _ = self.kill(run, SIGTERM, KillScope::Group);
    }

    /// Whether a probe runs.
    pub(in crate::control) fn runs_probes(&self) -> bool {
        self.by_command.keys().any(|(_, command)| command.is_probe())
    }

    /// A child has exited, and its process id is not used again yet. What a probe has left behind in its process group is killed:
    /// it is run again and again, and would fill the system.
    pub(in crate::control) fn end_group_of_probe(&self, pid: Pid) {
        let child = self.run_of(pid.get()).and_then(|run| self.living.get(&run));
        if let Some(Role::Command(child)) = child.map(|child| &child.role)
            && child.command.is_probe()
        {
            // Normally nobody is left.
            let _ = signal::kill_group(pid, SIGKILL);
        }
    }

    /// Whom the signal reaches that ends a child at its time limit.
    pub(super) fn scope_of_limit(&self, run: RunId) -> KillScope {
        match self.living.get(&run).map(|child| &child.role) {
            Some(Role::Command(_)) => KillScope::Group,
            Some(Role::Program(_) | Role::Listener(..) | Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper) | None => {
                KillScope::Process
            }
        }
    }

    /// What a command has written that has ended, where no log gets that.
    pub(in crate::control) fn take_captured(&mut self, run: RunId, registry: &Registry) -> Vec<u8> {
        let Some(capture) = self.captures.remove(&run) else { return Vec::new() };
        deregister(registry, &capture);
        self.tokens.release(capture.token);
        capture.read()
    }

    /// Whether a command has a child, or had one whose end is about to be told.
    pub(in crate::control) fn has_command(&self, process: ProcessId, command: ProgramCommand) -> bool {
        self.by_command.contains_key(&(process, command))
    }

    /// What identifies the commands of a process to another daemon, those among them that have ended and are being drained.
    pub(super) fn kept_commands(&self, process: ProcessId) -> Vec<CommandRun> {
        if self.by_command.is_empty() {
            return Vec::new();
        }
        let runs = ProgramCommand::ALL.into_iter().filter_map(|command| self.by_command.get(&(process, command)));
        runs.filter_map(|run| self.kept_command(*run)).collect()
    }

    fn kept_command(&self, run: RunId) -> Option<CommandRun> {
        match self.living.get(&run).map(|child| &child.role) {
            Some(Role::Command(role)) => Some(role.kept()),
            Some(Role::Program(_) | Role::Listener(..) | Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper) => None,
            None => {
                let draining = self.draining.get(&run)?;
                draining.command.map(|ended| ended.kept(draining.kept.clone()))
            }
        }
    }

    /// Takes over a command of the daemon before. False when it has ended meanwhile.
    pub(in crate::control) fn adopt_command(
        &mut self,
        handed: HandedCommand<OwnedFd>,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        registry: &Registry,
    ) -> bool {
        let Some(command) = handed.command() else { return false };
        let (kill_at, timeout) = (Duration::from_nanos(handed.kill_at), Duration::from_nanos(handed.timeout));
        let child = handed.child;
        let Some(process) = supervisor.process(id) else { return false };
        let (name, run) = (process.identity.name.as_str(), child.run);
        let (mut channels, mut captured) = (Vec::new(), None);
        for HandedChannel { channel, pipe, pipeline, .. } in child.streams {
            let Some(pipe) = pipe else { continue };
            let is_environment = command == ProgramCommand::Environment;
            // What the output plane has read has a pipeline, where it is known.
            if is_environment && channel == Channel::Stdout && pipeline.is_none() {
                captured = Some(pipe);
                continue;
            }
            let channel = if is_environment { spawn::log_of_stderr(process, command) } else { channel };
            channels.extend(spawn::command_channel(
                supervisor,
                id,
                Some(child.pid),
                (command, channel),
                Some(pipe),
                pipeline,
            ));
        }
        tools.output.send(OutputRequest::Resume { run, process: name.into(), channels });
        let orphan = match child.orphan {
            false => None,
            true => match self.watch_orphan(run, &child.kept, child.handle, name, &tools.activity, registry) {
                Some(orphan) => Some(orphan),
                None => {
                    tools.output.send(OutputRequest::Drain { run, marker: None });
                    return false;
                }
            },
        };
        let supervised = Supervised { process: id, kept: child.kept, stdin: None, orphan, ready: None };
        self.add_command(run, child.pid, supervised, command, kill_at, timeout);
        if let Some(pipe) = captured {
            self.capture(run, pipe, name, &tools.activity, registry);
        }
        true
    }
}
