//! How a child is spawned: its command is resolved, its pipes and logs are opened, then the process is created.
//!
//! The output plane opens the logs, and the spawn waits for its answer. Therefore children that are sure to be
//! spawned soon are prepared early: their logs are opened while the ones before them are spawned.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use supervisord_config::model::{LogLevel, Process};
use supervisord_config::pyrepr::repr;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::row::Row;
use supervisord_core::supervisor::{CommandFailure, ProcessId, SpawnFailure, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::spawn::{SpawnPlan, Spawner, Stdio};
use supervisord_sys::start_time::{self, Births};
use supervisord_sys::user::{RunAs, current_name, current_uid};
use supervisord_sys::{Errno, errno_name, pipe};

use super::Tools;
use super::child_env;
use super::offload::{NoReply, Offload};
use super::resolve_command::{CommandResolver, Launch, Unresolved};
use super::sockets::Sockets;
use super::survival::{self, Survival};
use crate::activity::Activity;
use crate::clock::present;
use crate::hand_over::HandedSocket;
use crate::keeper::{Owner, Role};
use crate::output::answer::{Awaited, NoAnswer, answer};
use crate::output::{AttachChannel, LogFailure, Request, RunId};
use crate::state::{Run, Socket};

/// How long a spawn waits for its logs to be opened: normally microseconds, but never longer than this, because their
/// disk may hang.
const OPEN_BOUND: Duration = Duration::from_secs(1);

/// Where the kernel writes the process ids of children that are not to survive the daemon: nobody reads it.
static UNSEEN: AtomicU64 = AtomicU64::new(0);

/// Spawns the children of processes.
#[derive(Default)]
pub(super) struct ChildSpawner {
    prepared: HashMap<ProcessId, Result<Prepared, SpawnFailure>>,
    sockets: Sockets,
    spawner: Spawner,
    births: Births,
    next_run: u64,
    /// The output plane did not answer in time once; it is not waited for again before it does.
    output_stalled: bool,
    /// How each user was become last, for when the user database does not respond.
    users: HashMap<u32, RunAs>,
    resolver: CommandResolver,
    offload: Offload,
}

/// A child that is about to be spawned.
struct Prepared {
    run: RunId,
    command: Launch,
    pipes: Pipes,
    kept: Run,
    opening: Opening,
}

/// The ends of the pipes of a child that is about to be spawned.
struct Pipes {
    child_stdin: OwnedFd,
    child_stdout: OwnedFd,
    /// None when it shares the stdout.
    child_stderr: Option<OwnedFd>,
    /// None with a FastCGI socket in its place.
    stdin: Option<OwnedFd>,
    /// None when the output plane has it.
    stdout: Option<OwnedFd>,
}

/// The answer of the output plane that is to open logs: nothing, or the system's error number.
type Opening = Awaited<Result<(), LogFailure>>;

/// A child that has been spawned.
pub(super) struct Spawned {
    pub(super) run: RunId,
    pub(super) pid: u32,
    /// When it was spawned.
    pub(super) at: Now,
    /// What identifies it.
    pub(super) kept: Run,
    pub(super) stdin: Option<OwnedFd>,
    /// The stdout of a listener, which control reads itself.
    pub(super) stdout: Option<OwnedFd>,
}

impl ChildSpawner {
    /// Does what can be done in advance for a process that is about to be spawned. A FastCGI socket is not: whether
    /// its address is free depends on what happens until then.
    pub(super) fn prepare_early(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        survival: Option<&mut Survival>,
    ) {
        let has_socket = supervisor.process(id).is_none_or(|process| process.spawn.socket.is_some());
        if !has_socket && !self.prepared.contains_key(&id) {
            let prepared = self.prepare(id, supervisor, tools, survival);
            self.prepared.insert(id, prepared);
        }
    }

    /// What the state file says of a child that is prepared.
    pub(super) fn prepared(&self, id: ProcessId) -> Option<Run> {
        self.prepared.get(&id)?.as_ref().ok().map(|prepared| prepared.kept.clone())
    }

    /// Spawns the child of a process.
    pub(super) fn make(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        mut survival: Option<&mut Survival>,
    ) -> Result<Spawned, SpawnFailure> {
        let row = supervisor.row(id).ok_or_else(removed)?;
        let prepared = self.prepared.remove(&id);
        let Prepared { run, command, pipes, kept, opening } =
            prepared.unwrap_or_else(|| self.prepare(id, supervisor, tools, survival.as_deref_mut()))?;
        let born = survival.as_deref().map_or(&UNSEEN, |survival| survival.expect_birth(run));
        let made = self.spawn(&row, command, &pipes, opening, born, tools);
        let (pid, at, started) = match made {
            Ok(made) => made,
            Err(failure) => {
                tools.output.send(Request::Detach { run });
                if let Some(survival) = survival {
                    survival.forget(Owner::Run(run.0));
                }
                return Err(failure);
            }
        };
        if let Some(survival) = survival {
            survival.born(run, pid);
        }
        Ok(Spawned { run, pid, at, kept: kept.born(pid, started), stdin: pipes.stdin, stdout: pipes.stdout })
    }

    fn prepare(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        mut survival: Option<&mut Survival>,
    ) -> Result<Prepared, SpawnFailure> {
        let row = supervisor.row(id).ok_or_else(removed)?;
        let process = &row.config;
        let command = self
            .resolver
            .resolve_cached(process, &tools.child_env, &mut self.offload, present().mono)
            .map_err(|unresolved| match unresolved {
                Unresolved::Failed(CommandFailure::Missing(text) | CommandFailure::Unusable(text)) => {
                    SpawnFailure::Refused(text)
                }
                Unresolved::Unanswered(text) => SpawnFailure::Unanswered(text),
            })?;
        let socket = match &process.spawn.socket {
            Some(socket) => {
                let acquired = self.sockets.acquire(&row.group, socket, &tools.activity, &mut self.offload)?;
                if let (Some(survival), Some((socket, descriptor))) = (survival.as_deref_mut(), acquired.opened) {
                    survival.keep_socket(socket, descriptor.as_fd());
                }
                Some(acquired.descriptor)
            }
            None => None,
        };
        let run = RunId(self.next_run);
        self.next_run += 1;
        let reads_stdout = supervisor.is_listener(id);
        let (pipes, outputs) = open_pipes(process, socket, reads_stdout)
            .map_err(|error| SpawnFailure::Refused(dispatcher_error(process, error.into())))?;
        let kept = Run::new(run);
        if let Some(survival) = survival {
            // Before the child exists: at no moment is there a child that nobody knows, or whose pipes nobody holds.
            survival.keep_pipes(run, &pipes.ours(&outputs));
            survival.journal.note(supervisor, id, Some(kept.clone()));
        }
        let channels = outputs.into_iter().filter_map(|(kind, pipe)| channel(supervisor, id, kind, pipe, None));
        let opening = self.open_logs(run, process, channels.collect(), tools);
        Ok(Prepared { run, command, pipes, kept, opening })
    }

    /// The pid of the child, when it was made, and when it was started after the boot.
    fn spawn(
        &mut self,
        row: &Row,
        command: Launch,
        pipes: &Pipes,
        opening: Opening,
        born: &AtomicU64,
        tools: &Tools,
    ) -> Result<(u32, Now, Option<Duration>), SpawnFailure> {
        let process = &row.config;
        let fork_error = |error| SpawnFailure::Refused(fork_error(process, error));
        let plan = match self.run_as(process, tools) {
            Ok(user) => plan(row, command, user, tools).map_err(fork_error),
            Err(NoReply) => Err(SpawnFailure::Unanswered("the user database does not respond".to_owned())),
        };
        if let Err(failure) = self.await_logs(opening, tools) {
            let text = format!(
                "{} cannot be started: user {} cannot open its log {}: {}",
                repr(&process.identity.name),
                self.own_name(),
                failure.path,
                failure.error
            );
            tools.activity.log(LogLevel::Warn, &text);
            return Err(SpawnFailure::Refused(log_error(process, &failure)));
        }
        let before = start_time::boot_time();
        let child = self.spawner.spawn(plan?, pipes.stdio(), born).map_err(fork_error)?;
        Ok((child.get(), present(), self.births.started(child, before)))
    }

    /// Begins a turn of the loop: tidies up after children that have executed their programs.
    pub(super) fn begin_turn(&mut self) {
        self.spawner.settle();
        self.offload.begin_turn();
    }

    fn open_logs(&self, run: RunId, process: &Process, channels: Vec<AttachChannel>, tools: &Tools) -> Opening {
        let (reply, opening) = answer();
        tools.output.send(Request::Attach { run, process: process.identity.name.as_str().into(), channels, reply });
        opening
    }

    /// Whether the program of a process is there. Where nobody knows, that is said when it is to be started.
    pub(super) fn check(&mut self, process: &Process, tools: &Tools) -> Result<(), CommandFailure> {
        match self.resolver.check(process, &tools.child_env, &mut self.offload, present().mono) {
            Ok(()) | Err(Unresolved::Unanswered(_)) => Ok(()),
            Err(Unresolved::Failed(failure)) => Err(failure),
        }
    }

    /// Whether a question to the system hangs.
    pub(super) fn is_waiting(&mut self) -> bool {
        self.offload.is_waiting()
    }

    /// Whether the output plane answers in time, whatever it did before.
    pub(super) fn do_logs_respond(&mut self, tools: &Tools) -> bool {
        let (reply, answered) = answer();
        tools.output.send(Request::Answer { reply });
        self.output_stalled = answered.within(OPEN_BOUND).is_err();
        !self.output_stalled
    }

    /// Where the output plane does not answer in time, the child is started all the same: its output waits in the pipe.
    fn await_logs(&mut self, opening: Opening, tools: &Tools) -> Result<(), LogFailure> {
        let patience = if self.output_stalled { Duration::ZERO } else { OPEN_BOUND };
        match opening.within(patience) {
            Ok(result) => {
                self.output_stalled = false;
                result
            }
            Err(NoAnswer::Overdue) => {
                if !self.output_stalled {
                    self.output_stalled = true;
                    let text = "the log files do not respond; programs are started without waiting for them";
                    tools.activity.log(LogLevel::Warn, text);
                }
                Ok(())
            }
            Err(NoAnswer::Never) => Ok(()),
        }
    }

    /// The name of the user the daemon runs as, or its number where nobody knows the name.
    fn own_name(&mut self) -> String {
        let name = self.offload.ask("the user database", current_name);
        name.unwrap_or_else(|NoReply| current_uid().to_string())
    }

    /// How to become the user of a process, where it has one. It is asked at every start: who was taken out of a group does
    /// not get it any more.
    fn run_as(&mut self, process: &Process, tools: &Tools) -> Result<Option<RunAs>, NoReply> {
        let Some(uid) = process.spawn.user.as_ref().map(|user| user.uid) else { return Ok(None) };
        match self.offload.ask("the user database", move || RunAs::uid(uid)) {
            Ok(run_as) => {
                self.users.insert(uid, run_as.clone());
                Ok(Some(run_as))
            }
            Err(NoReply) => {
                let known = self.users.get(&uid).ok_or(NoReply)?;
                let text = format!(
                    "the user database does not respond; {} is started with the groups that its user had before",
                    repr(&process.identity.name)
                );
                tools.activity.log(LogLevel::Warn, &text);
                Ok(Some(known.clone()))
            }
        }
    }

    /// Gives the FastCGI sockets and the count of runs to the next program.
    pub(super) fn hand_over(self) -> (Vec<HandedSocket<OwnedFd>>, u64) {
        (self.sockets.hand_over(), self.next_run)
    }

    /// Takes over the sockets and the count of runs.
    pub(super) fn resume(&mut self, sockets: Vec<HandedSocket<OwnedFd>>, next_run: u64) {
        self.sockets.resume(sockets);
        self.next_run = next_run;
    }

    /// The open FastCGI sockets, for the state.
    pub(super) fn sockets(&self) -> Vec<Socket> {
        self.sockets.described().collect()
    }

    /// The same with their descriptors, by the numbers under which they are kept.
    pub(super) fn open_sockets(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
        self.sockets.numbered()
    }

    /// Closes a FastCGI socket, and gives the number under which it was kept.
    pub(super) fn close_socket(&mut self, group: &Arc<str>, url: &str, activity: &Activity) -> Option<u64> {
        self.sockets.close(group, url, activity)
    }
}

impl Pipes {
    /// Our ends, those that the output plane is to get among them.
    fn ours<'a>(&'a self, outputs: &'a Outputs) -> Vec<(Role, BorrowedFd<'a>)> {
        let own = [(Role::Stdin, &self.stdin), (Role::Stdout, &self.stdout)];
        let outputs = outputs.iter().map(|(channel, pipe)| (survival::role(*channel), pipe));
        own.into_iter().chain(outputs).filter_map(|(role, pipe)| Some((role, pipe.as_ref()?.as_fd()))).collect()
    }

    fn stdio(&self) -> Stdio<'_> {
        Stdio {
            stdin: self.child_stdin.as_fd(),
            stdout: self.child_stdout.as_fd(),
            stderr: self.child_stderr.as_ref().unwrap_or(&self.child_stdout).as_fd(),
        }
    }
}

/// The outputs of a child that the output plane knows, with the pipes it is to read.
type Outputs = Vec<(Channel, Option<OwnedFd>)>;

/// Opens the pipes of a child.
fn open_pipes(
    process: &Process,
    socket: Option<Arc<OwnedFd>>,
    reads_stdout: bool,
) -> std::io::Result<(Pipes, Outputs)> {
    let (child_stdin, stdin) = match socket {
        Some(socket) => (socket.try_clone()?, None),
        None => {
            let pipe = pipe::to_child()?;
            (pipe.reader, Some(pipe.writer))
        }
    };
    let stdout = pipe::from_child()?;
    let stderr = if process.logging.redirect_stderr { None } else { Some(pipe::from_child()?) };
    let (stderr, child_stderr) = stderr.map_or((None, None), |pipe| (Some(pipe.reader), Some(pipe.writer)));
    let (own_stdout, other_stdout) =
        if reads_stdout { (Some(stdout.reader), None) } else { (None, Some(stdout.reader)) };
    let mut outputs = vec![(Channel::Stdout, other_stdout)];
    outputs.extend(stderr.map(|pipe| (Channel::Stderr, Some(pipe))));
    Ok((Pipes { child_stdin, child_stdout: stdout.writer, child_stderr, stdin, stdout: own_stdout }, outputs))
}

/// What the output plane is to read and how.
pub(super) fn channel(
    supervisor: &Supervisor,
    id: ProcessId,
    channel: Channel,
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
) -> Option<AttachChannel> {
    let process = supervisor.process(id)?;
    let log = match channel {
        Channel::Stdout => &process.logging.stdout,
        Channel::Stderr => &process.logging.stderr,
    };
    // The stdout of a listener is the protocol, and nothing else.
    let is_protocol = supervisor.is_listener(id) && channel == Channel::Stdout;
    let plan = ChannelPlan {
        file: supervisor.log_file(id, channel).cloned(),
        maxbytes: log.maxbytes,
        backups: log.backups,
        capture_maxbytes: if is_protocol { 0 } else { log.capture_maxbytes },
        events_enabled: log.events_enabled && !is_protocol,
        syslog: log.syslog && !is_protocol,
    };
    Some(AttachChannel { channel, pipe, plan, pipeline })
}

fn plan(row: &Row, command: Launch, user: Option<RunAs>, tools: &Tools) -> Result<SpawnPlan, Errno> {
    let process = &row.config;
    let environment = child_env::environment(process, &row.group, &tools.child_env)?;
    let mut plan = SpawnPlan::new(&command.program, &command.arguments, environment)?;
    if let Some(directory) = &process.spawn.directory {
        plan = plan.directory(Path::new(directory))?;
    }
    if let Some(umask) = process.spawn.umask {
        plan = plan.umask(umask);
    }
    if let Some(user) = user {
        plan = plan.run_as(user);
    }
    Ok(plan)
}

fn removed() -> SpawnFailure {
    SpawnFailure::Refused("the process has been removed".to_owned())
}

fn dispatcher_error(process: &Process, error: Errno) -> String {
    let name = repr(&process.identity.name);
    if error == Errno::EMFILE {
        return format!("too many open files to spawn {name}");
    }
    format!("unknown error making dispatchers for {name}: {}", symbol(error.number()))
}

fn log_error(process: &Process, failure: &LogFailure) -> String {
    format!("{} ({}: {})", dispatcher_error(process, failure.error), failure.path, failure.error)
}

fn fork_error(process: &Process, error: Errno) -> String {
    let name = repr(&process.identity.name);
    if error == Errno::EAGAIN {
        return format!("Too many processes in process table to spawn {name}");
    }
    format!("unknown error during fork for {name}: {}", symbol(error.number()))
}

/// `ENOENT`, or the number of an error without a name.
fn symbol(number: i32) -> String {
    errno_name(number).map_or_else(|| number.to_string(), str::to_owned)
}
