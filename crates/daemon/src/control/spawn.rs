//! How a program is spawned: its command is resolved, its pipes and logs are opened, then the process is created.
//!
//! The output plane opens the logs, and the spawn waits for its answer. Therefore programs that are sure to be
//! spawned soon are prepared early: their logs are opened while the ones before them are spawned.

mod cgroups;
mod command;
mod environment_files;
mod failure;
mod forwarding;
mod logs;
mod output_memory;
mod pipes;
mod secret_directories;
mod secret_variables;
mod told_environment;
mod users;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mio::Registry;
use supervisord_config::model::{LogLevel, Process};
use supervisord_config::pyrepr::repr;
use supervisord_core::health::HealthPolicy;
use supervisord_core::process::{ReadinessRule, StopPlan};
use supervisord_core::row::Row;
use supervisord_core::supervisor::{CommandFailure, ProcessId, SpawnFailure, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::cgroup::Cgroup;
use supervisord_sys::process_tree::TreeMark;
use supervisord_sys::spawn::{ChildDescriptors, SpawnPlan, Spawner, Stdio};
use supervisord_sys::start_time::{self, StartTimes};
use supervisord_sys::user::RunAs;
use supervisord_sys::{Errno, Pid};

use super::child_env;
use super::notification_queue::Notifications;
use super::offload::{NoReply, Offload};
use super::resolve_command::{CommandResolver, Launch, Unresolved};
use super::sockets::Sockets;
use super::survival::{self, Survival};
use super::tools::Tools;
use crate::activity::Activity;
use crate::clock::present;
use crate::hand_over::HandedSocket;
use crate::keeper::Owner;
use crate::output::{OutputHandle, OutputRequest, RunId};
use crate::state::{Run, Runs, Socket};
use cgroups::{Cgroups, NewCgroup};
pub(super) use command::{CommandSpawn, SpawnedCommand, log_of_stderr, place_of_stderr};
pub use environment_files::read as read_environment_file;
use failure::{dispatcher_error, fork_error, log_error, removed, system_failure};
pub(super) use forwarding::follow_definition;
use logs::{LogOpener, Opening};
pub(super) use logs::{awaiting, channel, command_channel, end_marker, mark_signal};
pub(super) use output_memory::follow_memory;
use pipes::Pipes;
use secret_directories::{SecretDirectories, SecretReader};
pub use secret_variables::obstacle as obstacle_to_secret;
pub(super) use told_environment::MOST_TOLD;
use told_environment::{ToldEnvironment, ToldEnvironments};
use users::Users;

/// Where the kernel writes the process ids of children that are not to survive the daemon: nobody reads it.
static NO_PID_SLOT: AtomicU64 = AtomicU64::new(0);

/// Spawns children.
pub(super) struct ChildSpawner {
    prepared: HashMap<ProcessId, Result<Prepared, SpawnFailure>>,
    sockets: Sockets,
    spawner: Spawner,
    start_times: StartTimes,
    next_run: u64,
    log_opener: LogOpener,
    users: Users,
    resolver: CommandResolver,
    offload: Offload,
    cgroups: Cgroups,
    /// What programs are to find in their environments that are about to be spawned.
    pub(super) told: ToldEnvironments,
    secret_directories: SecretDirectories,
    pub(super) notifications: Notifications,
}

/// A program that is about to be spawned.
struct Prepared {
    run: RunId,
    command: Launch,
    pipes: Pipes,
    kept: Run,
    opening: Opening,
}

/// What is needed to create a child of a process.
struct Creation<'p> {
    run: RunId,
    command: Launch,
    told: ToldEnvironment,
    reader: SecretReader,
    /// What its environment has besides that of the program.
    variables: &'p [(String, String)],
    descriptors: ChildDescriptors<'p>,
    opening: Opening,
    /// The mark by which its descendants are to be known.
    tree: Option<TreeMark>,
}

/// A program that has been spawned.
pub(super) struct SpawnedProgram {
    pub(super) run: RunId,
    pub(super) pid: u32,
    /// When it was spawned.
    pub(super) at: Now,
    /// What identifies it.
    pub(super) kept: Run,
    pub(super) stdin: Option<OwnedFd>,
    /// The stdout of a listener, which control reads itself.
    pub(super) stdout: Option<OwnedFd>,
    /// Into which it writes when it is ready.
    pub(super) ready: Option<OwnedFd>,
    pub(super) cgroup: Option<Cgroup>,
}

impl ChildSpawner {
    /// Nothing is prepared yet.
    pub(super) fn new(output: OutputHandle) -> ChildSpawner {
        ChildSpawner {
            prepared: HashMap::new(),
            sockets: Sockets::default(),
            spawner: Spawner::default(),
            start_times: StartTimes::default(),
            next_run: 0,
            log_opener: LogOpener::default(),
            users: Users::default(),
            resolver: CommandResolver::default(),
            offload: Offload::new(output),
            cgroups: Cgroups::default(),
            told: ToldEnvironments::default(),
            secret_directories: SecretDirectories::default(),
            notifications: Notifications::default(),
        }
    }

    /// The number of a new run.
    pub(super) fn next_run(&mut self) -> RunId {
        let run = RunId(self.next_run);
        self.next_run += 1;
        run
    }

    /// Spawns a child that is no program of the configuration.
    pub(super) fn spawn(&mut self, command: SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
        self.spawner.spawn(command, stdio, &NO_PID_SLOT)
    }

    /// Does what can be done in advance for a process that is about to be spawned, or will probably be. A FastCGI socket is
    /// not: whether its address is free depends on what happens until then.
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

    /// Undoes the preparation of a process that is not spawned after all.
    pub(super) fn discard(&mut self, id: ProcessId, tools: &Tools, survival: Option<&mut Survival>) {
        if let Some(Ok(Prepared { run, .. })) = self.prepared.remove(&id) {
            release(run, tools, survival);
        }
    }

    /// What the state file says of a program that is prepared.
    pub(super) fn prepared(&self, id: ProcessId) -> Option<Run> {
        self.prepared.get(&id)?.as_ref().ok().map(|prepared| prepared.kept.clone())
    }

    /// Spawns the program of a process.
    pub(super) fn spawn_program(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        mut survival: Option<&mut Survival>,
    ) -> Result<SpawnedProgram, SpawnFailure> {
        let row = supervisor.row(id).ok_or_else(removed)?;
        let prepared = self.prepared.remove(&id);
        let Prepared { run, command, pipes, kept, opening } =
            prepared.unwrap_or_else(|| self.prepare(id, supervisor, tools, survival.as_deref_mut()))?;
        if let Some(survival) = survival.as_deref_mut() {
            // Before the child exists: at no moment is there a child that nobody knows.
            survival.journal.note(supervisor, id, Runs::of_program(Some(kept.clone())));
        }
        let pid_slot = || survival.as_deref().map_or(&NO_PID_SLOT, |survival| survival.pid_slot(run));
        let cgroup = self.cgroups.make(&row.config, run, &tools.activity);
        let entrance = cgroup.as_ref().map(NewCgroup::entrance);
        let tree = StopPlan::of(&row.config).reaches_tree().then(TreeMark::random).flatten();
        let notify = self.notifications.address().filter(|_| is_notifying(&row.config));
        let heartbeat = HealthPolicy::of(&row.config).and_then(|policy| policy.heartbeat());
        let variables: Vec<_> = notify
            .map(|address| ("NOTIFY_SOCKET".to_owned(), address.to_owned()))
            .into_iter()
            .chain(heartbeat.map(|interval| ("WATCHDOG_USEC".to_owned(), interval.as_micros().to_string())))
            .collect();
        let created = self.told.take(id, &row.config).and_then(|told| {
            let (variables, descriptors) = (&*variables, pipes.descriptors(entrance));
            let reader = SecretReader::Program(run);
            let creation = Creation { run, command, told, reader, variables, descriptors, opening, tree };
            self.create(&row, creation, pid_slot, tools)
        });
        let cgroup = cgroup.map(|new| new.cgroup);
        let (pid, at, started) = match created {
            Ok(created) => created,
            Err(failure) => {
                cgroup.iter().for_each(|cgroup| _ = cgroup.remove());
                self.remove_secrets(run);
                release(run, tools, survival);
                return Err(failure);
            }
        };
        if let Some(survival) = survival {
            survival.spawned(run, pid);
        }
        logs::mark_start(run, pid, &row.config, tools);
        let Pipes { stdin, stdout, ready, .. } = pipes;
        let kept = Run { tree: tree.map(TreeMark::number), ..kept.spawned(pid, started) };
        Ok(SpawnedProgram { run, pid, at, kept, stdin, stdout, ready, cgroup })
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
            .resolve_cached(&process.spawn.command, process, &tools.child_env, &mut self.offload, present().mono)
            .map_err(spawn_failure)?;
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
        if is_notifying(process) {
            let keep = |socket: BorrowedFd<'_>| {
                if let Some(survival) = survival.as_deref_mut() {
                    survival.keep(&[(survival::NOTIFICATIONS, socket)]);
                }
            };
            self.notifications
                .open(keep)
                .map_err(|error| SpawnFailure::Refused(format!("cannot open the socket for notifications: {error}")))?;
        }
        let run = self.next_run();
        let (pipes, outputs) = Pipes::open(process, socket, supervisor.is_listener(id))
            .map_err(Errno::from)
            .map_err(|error| system_failure(error, dispatcher_error(process, error)))?;
        let kept = Run::new(run);
        if let Some(survival) = survival {
            // Before the child exists: at no moment are there pipes of a child that nobody else holds.
            survival.keep_pipes(run, &pipes.ours(&outputs));
            if let Some(ready) = &pipes.ready {
                survival.keep(&[(survival::readiness(run), ready.as_fd())]);
            }
        }
        let line = ReadinessRule::of(process).line();
        let channels =
            outputs.into_iter().filter_map(|(kind, pipe)| channel(supervisor, id, None, kind, pipe, None, Vec::new()));
        let channels = channels.map(|channel| awaiting(channel, line));
        let opening = logs::open(run, process, channels.collect(), tools);
        Ok(Prepared { run, command, pipes, kept, opening })
    }

    /// The pid of the child, when it was created, and when it was started after the boot. The pid slot is asked for when nothing
    /// is waited for any more, because it says when the child was made.
    fn create<'a>(
        &mut self,
        row: &Row,
        creation: Creation<'_>,
        pid_slot: impl FnOnce() -> &'a AtomicU64,
        tools: &Tools,
    ) -> Result<(u32, Now, Option<Duration>), SpawnFailure> {
        let process = &row.config;
        let Creation { run, command, told, reader, variables, descriptors, opening, tree } = creation;
        let fork_error = |error| system_failure(error, fork_error(process, error));
        let user = self.users.run_as(process, &mut self.offload, &tools.activity);
        let user = user.map_err(|NoReply| SpawnFailure::Unanswered("the user database does not respond".to_owned()));
        let plan = user.and_then(|user| {
            let from_files = environment_files::variables(process, &mut self.offload)?;
            let from_files = from_files.into_iter().chain(told.variables.into_iter().flatten()).collect();
            let mut values = secret_variables::variables(process, &tools.child_env, &mut self.offload)?;
            values.extend(told.confidential);
            let asked = (tools.child_env.instance(), &mut self.offload, &tools.activity);
            let confidential = self.secret_directories.variables(process, values, reader, user.as_ref(), asked)?;
            let variables = Variables { from_files, confidential, further: variables };
            plan(row, command, &variables, user, tools).map_err(fork_error)
        });
        if let Err(failure) = self.log_opener.wait(opening, tools) {
            let user = users::own_name(&mut self.offload);
            // The line of the original is an INFO line, which many daemons do not log.
            let text = format!(
                "{} cannot be started: user {user} cannot open its log {}: {}",
                repr(&process.identity.name),
                failure.path,
                failure.error
            );
            tools.activity.log(LogLevel::Warn, &text);
            return Err(system_failure(failure.error, log_error(process, &failure, &user)));
        }
        let before = start_time::boot_time();
        let plan = plan?;
        let make = || self.spawner.spawn(plan, descriptors, pid_slot());
        let child = match tree {
            Some(mark) => mark.given_to(make),
            None => make(),
        };
        let child = child.map_err(fork_error)?;
        logs::spawned(run, child.get(), process, tools);
        Ok((child.get(), present(), self.start_times.started(child, before)))
    }

    /// Removes the directory of the secrets of a child that has ended, if it has one.
    pub(super) fn remove_secrets(&mut self, run: RunId) {
        self.secret_directories.remove(run, &mut self.offload);
    }

    /// Finds the directories of secrets that the daemon before has left, and removes those of others than these children.
    pub(super) fn recall_secrets(&mut self, living: HashSet<RunId>, tools: &Tools) {
        self.secret_directories.recall(tools.child_env.instance(), living, &mut self.offload);
        // A daemon without programs asks nothing more.
        self.offload.rest();
    }

    /// Begins a turn of the loop: tidies up after children that have executed their programs.
    pub(super) fn begin_turn(&mut self) {
        self.spawner.settle();
        self.offload.begin_turn();
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
        self.log_opener.does_respond(tools)
    }

    /// Gives the FastCGI sockets and the count of runs to the next program.
    pub(super) fn hand_over(self) -> (Vec<HandedSocket<OwnedFd>>, u64, Option<OwnedFd>) {
        (self.sockets.hand_over(), self.next_run, self.notifications.into_socket())
    }

    /// Takes over the sockets and the count of runs.
    pub(super) fn resume(
        &mut self,
        sockets: Vec<HandedSocket<OwnedFd>>,
        next_run: u64,
        notifications: Option<OwnedFd>,
        registry: &Registry,
    ) {
        self.notifications.resume(notifications);
        self.notifications.watch(registry);
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

/// Has the others forget a run that has no child.
fn release(run: RunId, tools: &Tools, survival: Option<&mut Survival>) {
    tools.output.send(OutputRequest::Detach { run });
    if let Some(survival) = survival {
        survival.forget(Owner::Run(run.0));
        survival.forget(Owner::Readiness(run.0));
    }
}

fn spawn_failure(unresolved: Unresolved) -> SpawnFailure {
    match unresolved {
        Unresolved::Failed(CommandFailure::Missing(text) | CommandFailure::Unusable(text)) => {
            SpawnFailure::Refused(text)
        }
        Unresolved::Unanswered(text) => SpawnFailure::Unanswered(text),
    }
}

/// What the environment of a child has besides the options of its program.
struct Variables<'v> {
    /// Of files and of commands. The options win over them.
    from_files: Vec<(String, String)>,
    /// Which win over the options, as do the further ones.
    confidential: Vec<(String, OsString)>,
    further: &'v [(String, String)],
}

fn plan(
    row: &Row,
    command: Launch,
    variables: &Variables<'_>,
    user: Option<RunAs>,
    tools: &Tools,
) -> Result<SpawnPlan, Errno> {
    let process = &row.config;
    let mut environment = child_env::environment(process, &row.group, &variables.from_files, &tools.child_env)?;
    for (name, value) in &variables.confidential {
        environment.set(name, value)?;
    }
    for (name, value) in variables.further {
        environment.set(name, value)?;
    }
    let mut plan = SpawnPlan::new(&command.program, &command.arguments, environment)?;
    if let Some(directory) = &process.spawn.directory {
        plan = plan.directory(Path::new(directory))?;
    }
    if let Some(nice) = process.spawn.nice {
        plan = plan.nice(nice);
    }
    if let Some(umask) = process.spawn.umask {
        plan = plan.umask(umask);
    }
    if let Some(user) = user {
        plan = plan.run_as(user);
    }
    Ok(plan)
}

/// Whether a program is to notify the daemon.
fn is_notifying(config: &supervisord_config::model::Process) -> bool {
    ReadinessRule::of(config).is_notified()
        || HealthPolicy::of(config).is_some_and(|policy| policy.heartbeat().is_some())
}
