//! How a command of a program is spawned: like the program itself, but its stdin is empty, and it causes no events.

use std::os::fd::{AsFd, OwnedFd};

use supervisord_config::model::{LogFile, Process};
use supervisord_core::output::Channel;
use supervisord_core::process::{CommandPlan, ProgramCommand};
use supervisord_core::supervisor::{ProcessId, SpawnFailure, Supervisor};
use supervisord_sys::spawn::{ChildDescriptors, Stdio};
use supervisord_sys::{Errno, pipe};

use super::logs::{self, command_channel};
use super::secret_directories::SecretReader;
use super::told_environment::ToldEnvironment;
use super::{ChildSpawner, Creation, NO_PID_SLOT, dispatcher_error, removed, spawn_failure, system_failure};
use crate::clock::present;
use crate::control::survival::{self, Survival};
use crate::control::tools::Tools;
use crate::keeper::Owner;
use crate::output::{OutputRequest, RunId};
use crate::state::{CommandRun, Run, Runs};

/// A command that is to be spawned.
pub(in crate::control) struct CommandSpawn<'p> {
    pub(in crate::control) process: ProcessId,
    pub(in crate::control) command: ProgramCommand,
    pub(in crate::control) plan: &'p CommandPlan,
    /// The other children of the process.
    pub(in crate::control) runs: Runs,
}

/// A command that has been spawned.
pub(in crate::control) struct SpawnedCommand {
    pub(in crate::control) run: RunId,
    pub(in crate::control) pid: u32,
    /// What identifies it, and until when it may run.
    pub(in crate::control) kept: CommandRun,
    /// What it writes to its stdout, where no log gets that.
    pub(in crate::control) captured: Option<OwnedFd>,
}

impl ChildSpawner {
    /// Spawns a command of a process.
    pub(in crate::control) fn spawn_command(
        &mut self,
        spawn: CommandSpawn<'_>,
        supervisor: &Supervisor,
        tools: &Tools,
        mut survival: Option<&mut Survival>,
    ) -> Result<SpawnedCommand, SpawnFailure> {
        let CommandSpawn { process: id, command, plan, mut runs } = spawn;
        let row = supervisor.row(id).ok_or_else(removed)?;
        let process = &row.config;
        let launch =
            self.resolver.resolve_cached(&plan.line, process, &tools.child_env, &mut self.offload, present().mono);
        let launch = launch.map_err(spawn_failure)?;
        let refused = |error: std::io::Error| {
            let error = Errno::from(error);
            system_failure(error, dispatcher_error(process, error))
        };
        // Nobody writes to it: it reads the end of the file.
        let stdin = pipe::to_child().map_err(refused)?.reader;
        let stdout = pipe::from_child().map_err(refused)?;
        // What it tells about the environment goes into no log, and what it says beside that does.
        let is_captured = command == ProgramCommand::Environment;
        let stderr = match process.logging.redirect_stderr && !is_captured {
            true => None,
            false => Some(pipe::from_child().map_err(refused)?),
        };
        let program = runs.program.as_ref().map(|program| RunId(program.run));
        let run = self.next_run();
        let kill_at = present().mono.saturating_add(plan.timeout);
        let kept = CommandRun { command, run: Run::new(run), kill_at, timeout: plan.timeout };
        let (stderr, child_stderr) = stderr.map_or((None, None), |pipe| (Some(pipe.reader), Some(pipe.writer)));
        if let Some(survival) = survival.as_deref_mut() {
            let stdout = Some((survival::role(Channel::Stdout), stdout.reader.as_fd()));
            let stderr = stderr.as_ref().map(|pipe| (survival::role(Channel::Stderr), pipe.as_fd()));
            survival.keep_pipes(run, &stdout.into_iter().chain(stderr).collect::<Vec<_>>());
            runs.commands.push(kept.clone());
            survival.journal.note(supervisor, id, runs);
        }
        let (captured, stdout_reader) =
            if is_captured { (Some(stdout.reader), None) } else { (None, Some(stdout.reader)) };
        let outputs = [(Channel::Stdout, stdout_reader), (log_of_stderr(process, command), stderr)];
        let outputs = outputs.into_iter().filter(|(_, pipe)| pipe.is_some());
        let channels =
            outputs.filter_map(|(kind, pipe)| command_channel(supervisor, id, None, (command, kind), pipe, None));
        let opening = logs::open(run, process, channels.collect(), tools);
        let stdio = Stdio {
            stdin: stdin.as_fd(),
            stdout: stdout.writer.as_fd(),
            stderr: child_stderr.as_ref().unwrap_or(&stdout.writer).as_fd(),
        };
        let descriptors = ChildDescriptors { stdio, further: None, cgroup: None };
        let pid_slot = || survival.as_deref().map_or(&NO_PID_SLOT, |survival| survival.pid_slot(run));
        let creation = Creation {
            run,
            command: launch,
            told: ToldEnvironment::default(),
            reader: SecretReader::Command(program),
            variables: &plan.environment,
            descriptors,
            opening,
            tree: None,
        };
        let (pid, _, started) = match self.create(&row, creation, pid_slot, tools) {
            Ok(created) => created,
            Err(failure) => {
                tools.output.send(OutputRequest::Detach { run });
                if let Some(survival) = survival {
                    survival.forget(Owner::Run(run.0));
                }
                return Err(failure);
            }
        };
        if let Some(survival) = survival {
            survival.spawned(run, pid);
        }
        let kept = CommandRun { run: kept.run.spawned(pid, started), ..kept };
        Ok(SpawnedCommand { run, pid, kept, captured })
    }
}

/// In whose log a command's stderr is that has a pipe of its own.
pub(in crate::control) fn log_of_stderr(process: &Process, command: ProgramCommand) -> Channel {
    match command == ProgramCommand::Environment && process.logging.redirect_stderr {
        true => Channel::Stdout,
        false => Channel::Stderr,
    }
}

/// Where somebody who may read it finds what a command that told about the environment wrote to its stderr.
pub(in crate::control) fn place_of_stderr(process: &Process) -> String {
    let (log, option) = match log_of_stderr(process, ProgramCommand::Environment) {
        Channel::Stdout => (&process.logging.stdout, "stdout_logfile"),
        Channel::Stderr => (&process.logging.stderr, "stderr_logfile"),
    };
    match &log.file {
        LogFile::Path(path) => format!("what it wrote to stderr is in {path}"),
        LogFile::Auto => "what it wrote to stderr is in the log of the program".to_owned(),
        LogFile::None => format!("what it wrote to stderr is in no file, because {option} names none"),
    }
}
