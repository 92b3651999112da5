//! The one registry of all children of this process, whatever they are for.
//!
//! A child is known by its run, because the system may give its process id to another process as soon as it has been
//! reaped. Its [`Role`] decides where its output goes and who learns of its end. Everything is spawned, limited in time,
//! signalled and reaped in one way.

mod adopt;
mod capture;
mod commands;
mod ended_command;
mod hand_over;
mod leftover;
mod lingering;
mod listener_pipe;
mod look;
mod orphan;
mod reach;
mod ready_pipe;
mod role;
mod stdin;
mod streams;
mod tree;
mod unwatched;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::Duration;

use mio::{Interest, Registry, Token};
use supervisord_core::process::{ExitStatus, KillScope, ProgramCommand};
use supervisord_core::supervisor::{KillFailure, ProcessId, SpawnFailure, Spawned, Supervisor};
use supervisord_core::time::Now;
use supervisord_sys::cgroup::Cgroup;
use supervisord_sys::signal::SIGKILL;
use supervisord_sys::signal_scope::{self, Recipient};
use supervisord_sys::spawn::{SpawnPlan, Stdio};
use supervisord_sys::{Errno, Pid};

use super::spawn::{ChildSpawner, SpawnedProgram};
use super::survival::Survival;
use super::tokens::ChildTokens;
use super::tools::Tools;
use crate::activity::Activity;
use crate::descriptor::{deregister, register};
use crate::output::{OutputHandle, RunId};
use crate::state;
use capture::Capture;
pub(super) use ended_command::EndedCommand;
pub use hand_over::HandedChildren;
pub use leftover::LeftoverChildren;
use lingering::Lingering;
pub(super) use listener_pipe::MOST_AT_ONCE;
use listener_pipe::{ListenerPipe, read_available};
use reach::Reach;
pub(super) use ready_pipe::Heard;
use ready_pipe::ReadyPipe;
pub(super) use role::Role;
use role::Supervised;
use stdin::Stdin;
pub(super) use tree::names;
use unwatched::Unwatched;

/// How long a restart waits for the last output of the child before: normally microseconds, but never longer than
/// this, because the disk of a log may hang.
const DRAIN_BOUND: Duration = Duration::from_millis(250);

/// A child to spawn.
pub(super) struct ChildPlan<'fd> {
    /// What it executes.
    pub(super) command: SpawnPlan,
    /// Where its stdin comes from, and its output goes.
    pub(super) stdio: Stdio<'fd>,
    /// What it is for.
    pub(super) role: Role,
    /// When it is killed if it has not ended, on the monotonic clock.
    pub(super) kill_at: Option<Duration>,
}

/// A child that has not been reaped, or that an earlier daemon spawned and that has not ended.
struct Child {
    pid: u32,
    role: Role,
    limit: TimeLimit,
    /// Whether it has been sent SIGKILL.
    is_killed: bool,
    /// By what its descendants are known, once a stop is to reach them all.
    reach: Option<Reach>,
    /// The cgroup that was made for it.
    cgroup: Option<Cgroup>,
}

/// How long a child may run.
enum TimeLimit {
    None,
    /// It is killed at this time.
    Until(Duration),
    /// It has been killed.
    Exceeded,
}

/// A child of a process of the supervisor that has exited, while what it wrote is being read.
struct Draining {
    process: ProcessId,
    pid: u32,
    kept: state::Run,
    /// None once the supervisor has been told.
    status: Option<ExitStatus>,
    /// Whether SIGKILL ended it that this daemon did not send.
    is_foreign_kill: bool,
    /// Where it is not the program of the process: what it was.
    command: Option<EndedCommand>,
}

/// A child that has exited, for whoever learns of its end.
pub(super) enum Exit {
    /// A child of a process of the supervisor, which is told as soon as its output has been read.
    Supervised {
        run: RunId,
        process: ProcessId,
        /// When it was reaped.
        at: Now,
        /// How it ended.
        status: ExitStatus,
        /// What control had not read of the stdout of a listener.
        last_output: Vec<u8>,
        /// Whether it had written that it is ready, which nobody had read.
        was_ready: bool,
    },
    /// A command of a process, which the supervisor is told of as soon as its output has been read.
    Command { run: RunId },
    /// The plug-in process. Who asked for it is told by this function.
    Plugin(Box<dyn FnOnce() + Send>),
    /// The program that was tried for an upgrade in this run.
    SelfTest(RunId, SelfTestResult),
    /// A process that this daemon has not spawned.
    Unknown { pid: u32, status: ExitStatus },
}

/// What became of the program that was tried for an upgrade.
pub(super) struct SelfTestResult {
    pub(super) status: ExitStatus,
    /// Whether it was killed because it took too long.
    pub(super) timed_out: bool,
    /// What it wrote.
    pub(super) output: Vec<u8>,
}

/// A child that has exited and all of whose output has been read, or waited for long enough.
pub(super) struct Drained {
    pub(super) run: RunId,
    pub(super) process: ProcessId,
    pub(super) pid: u32,
    pub(super) status: ExitStatus,
    /// Whether SIGKILL ended it that this daemon did not send.
    pub(super) is_foreign_kill: bool,
    /// Where it was not the program of its process: what it was.
    pub(super) command: Option<EndedCommand>,
}

/// All children.
pub(super) struct Children {
    /// Boxed, because a table is at least half empty after it has grown.
    living: HashMap<RunId, Box<Child>>,
    /// Of the living ones. Only these have their process ids for themselves; of two with the same id the later one.
    by_pid: HashMap<u32, RunId>,
    /// The last run of each process.
    by_process: HashMap<ProcessId, RunId>,
    /// The last run of each command of a process.
    by_command: HashMap<(ProcessId, ProgramCommand), RunId>,
    tokens: ChildTokens,
    unwatched: Unwatched,
    /// Tokens of orphans that have ended and that nobody has reaped.
    not_reaped: Vec<usize>,
    /// When living children are killed.
    limits: BTreeSet<(Duration, RunId)>,
    /// Children that have exited in a stop that is to reach all their descendants, some of which live.
    lingering: Vec<Lingering>,
    /// Cgroups whose programs have ended, or that were made before; they are removed when nobody is left in them.
    cgroups: Vec<Cgroup>,
    draining: HashMap<RunId, Draining>,
    /// What commands write whose stdout goes into no log. It is read when they have ended.
    captures: HashMap<RunId, Capture>,
    /// When draining ones are not waited for any longer, the earliest first.
    drain_deadlines: VecDeque<(Duration, RunId)>,
    /// What spawns them.
    pub(super) spawner: ChildSpawner,
}

impl Children {
    /// No children yet.
    pub(super) fn new(output: OutputHandle) -> Children {
        Children {
            living: HashMap::new(),
            by_pid: HashMap::new(),
            by_process: HashMap::new(),
            by_command: HashMap::new(),
            tokens: ChildTokens::default(),
            unwatched: Unwatched::default(),
            not_reaped: Vec::new(),
            limits: BTreeSet::new(),
            lingering: Vec::new(),
            cgroups: Vec::new(),
            draining: HashMap::new(),
            captures: HashMap::new(),
            drain_deadlines: VecDeque::new(),
            spawner: ChildSpawner::new(output),
        }
    }

    /// Spawns the child of a process of the supervisor.
    pub(super) fn spawn_program(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        survival: Option<&mut Survival>,
        registry: &Registry,
    ) -> Result<Spawned, SpawnFailure> {
        let spawned = self.spawner.spawn_program(id, supervisor, tools, survival)?;
        let SpawnedProgram { run, pid, at, kept, stdin, stdout, ready, cgroup } = spawned;
        let name = supervisor.process(id).map_or("", |process| &process.identity.name);
        let ready = ready.map(|pipe| self.await_readiness(run, pipe, name, &tools.activity, registry));
        let supervised = Supervised { process: id, kept, stdin: stdin.map(Stdin::new), orphan: None, ready };
        let role = match stdout {
            Some(stdout) => {
                Role::Listener(supervised, Box::new(self.listen(run, stdout, name, &tools.activity, registry)))
            }
            None => Role::Program(supervised),
        };
        self.add(run, pid, role, None);
        if let Some(child) = self.living.get_mut(&run) {
            child.cgroup = cgroup;
        }
        self.spawner.notifications.watch(registry);
        Ok(Spawned { run, pid, at })
    }

    /// Spawns a child of another role. Gives its run and its process id.
    pub(super) fn spawn(&mut self, plan: ChildPlan<'_>) -> Result<(RunId, u32), Errno> {
        let ChildPlan { command, stdio, role, kill_at } = plan;
        let pid = self.spawner.spawn(command, stdio)?.get();
        let run = self.spawner.next_run();
        self.add(run, pid, role, kill_at);
        Ok((run, pid))
    }

    /// Takes over the keeper that the program before spawned. One of a daemon that was killed is no child of this process.
    pub(super) fn adopt_keeper(&mut self, pid: u32) {
        if Pid::new(pid).is_some_and(supervisord_sys::own_child::is_ours) {
            let run = self.spawner.next_run();
            self.add(run, pid, Role::Keeper, None);
        }
    }

    fn add(&mut self, run: RunId, pid: u32, role: Role, kill_at: Option<Duration>) {
        self.by_pid.insert(pid, run);
        match &role {
            Role::Program(supervised) | Role::Listener(supervised, _) => {
                self.by_process.insert(supervised.process, run);
            }
            Role::Command(child) => {
                self.by_command.insert((child.supervised.process, child.command), run);
            }
            Role::Plugin(_) | Role::SelfTest(_) | Role::Keeper => {}
        }
        self.limits.extend(kill_at.map(|kill_at| (kill_at, run)));
        let limit = kill_at.map_or(TimeLimit::None, TimeLimit::Until);
        self.living.insert(run, Box::new(Child { pid, role, limit, is_killed: false, reach: None, cgroup: None }));
    }

    fn listen(
        &mut self,
        run: RunId,
        pipe: OwnedFd,
        name: &str,
        activity: &Activity,
        registry: &Registry,
    ) -> ListenerPipe {
        let token = self.watch(run, &pipe, (name, "the stdout"), activity, registry);
        ListenerPipe { pipe: pipe.into(), token }
    }

    fn await_readiness(
        &mut self,
        run: RunId,
        pipe: OwnedFd,
        name: &str,
        activity: &Activity,
        registry: &Registry,
    ) -> ReadyPipe {
        let token = self.watch(run, &pipe, (name, "the readiness"), activity, registry);
        ReadyPipe::new(pipe, token)
    }

    /// Has the loop tell when a pipe of a run can be read. Gives the token of the pipe.
    fn watch(
        &mut self,
        run: RunId,
        pipe: &OwnedFd,
        (name, what): (&str, &'static str),
        activity: &Activity,
        registry: &Registry,
    ) -> usize {
        let token = self.tokens.take(run);
        if let Err(error) = register(registry, pipe, Token(token), Interest::READABLE) {
            self.unwatched.add(token, name, what, &error, activity);
        }
        token
    }

    /// Finds the directories of secrets that the daemon before has left, and removes those of children that have ended.
    pub(super) fn recall_secrets(&mut self, tools: &Tools) {
        let living = self.by_process.values().copied().collect();
        self.spawner.recall_secrets(living, tools);
    }

    /// Knows the cgroups again that were made before this program ran, to remove them when their programs have ended.
    pub(super) fn recall_cgroups(&mut self) {
        self.cgroups = Cgroup::left_behind();
        self.remove_cgroups(None);
    }

    fn remove_cgroups(&mut self, of_the_last: Option<Cgroup>) {
        self.cgroups.extend(of_the_last);
        self.cgroups.retain(|cgroup| !cgroup.remove());
    }

    /// Whether a run has a child, or one that has ended and whose output is being read.
    pub(super) fn has(&self, run: RunId) -> bool {
        self.living.contains_key(&run) || self.draining.contains_key(&run)
    }

    /// The program that has this process id.
    pub(super) fn program_of(&self, pid: u32) -> Option<RunId> {
        let run = self.run_of(pid)?;
        self.living.get(&run)?.role.supervised().map(|_| run)
    }

    /// The child that has this process id; none where no child has it.
    pub(super) fn run_of(&self, pid: u32) -> Option<RunId> {
        self.by_pid.get(&pid).copied()
    }

    /// The child with this process id has been reaped: from now on another process may get it.
    pub(super) fn reaped(&mut self, pid: u32, status: ExitStatus, at: Now, registry: &Registry) -> Option<Exit> {
        match self.run_of(pid) {
            Some(run) => self.exited(run, status, at, registry),
            None => {
                self.ask_lingering(at.mono);
                Some(Exit::Unknown { pid, status })
            }
        }
    }

    /// A child has exited. None where nobody has to be told.
    pub(super) fn exited(&mut self, run: RunId, status: ExitStatus, at: Now, registry: &Registry) -> Option<Exit> {
        let pid = self.living.get(&run)?.pid;
        if self.run_of(pid) == Some(run) {
            self.by_pid.remove(&pid);
        }
        if self.lingers(run, status, at) {
            return None;
        }
        let Child { pid, role, limit, is_killed, reach: _, cgroup } = *self.living.remove(&run)?;
        self.remove_cgroups(cgroup);
        let is_foreign_kill = status.signal() == Some(SIGKILL) && !is_killed;
        if let TimeLimit::Until(kill_at) = limit {
            self.limits.remove(&(kill_at, run));
        }
        let end = |child: &Supervised, command| Drained {
            run,
            process: child.process,
            pid,
            status,
            is_foreign_kill,
            command,
        };
        match role {
            Role::Program(supervised) => {
                let (process, was_ready) = self.drain(end(&supervised, None), supervised, registry);
                Some(Exit::Supervised { run, process, at, status, last_output: Vec::new(), was_ready })
            }
            Role::Command(child) => {
                let ended = EndedCommand::new(&child, matches!(limit, TimeLimit::Exceeded), status);
                self.drain(end(&child.supervised, Some(ended)), child.supervised, registry);
                Some(Exit::Command { run })
            }
            Role::Listener(supervised, mut listener) => {
                let (process, was_ready) = self.drain(end(&supervised, None), supervised, registry);
                self.tokens.release(listener.token);
                deregister(registry, &listener.pipe);
                let last_output = read_available(&mut listener.pipe);
                Some(Exit::Supervised { run, process, at, status, last_output, was_ready })
            }
            Role::Plugin(on_exit) => Some(Exit::Plugin(on_exit)),
            Role::SelfTest(mut output) => {
                let (timed_out, output) = (matches!(limit, TimeLimit::Exceeded), read_available(&mut output));
                Some(Exit::SelfTest(run, SelfTestResult { status, timed_out, output }))
            }
            Role::Keeper => None,
        }
    }

    /// What a child wrote is to be read before the supervisor is told of its `end`. Gives its process, and whether it had written
    /// that it is ready.
    fn drain(&mut self, end: Drained, supervised: Supervised, registry: &Registry) -> (ProcessId, bool) {
        let Drained { run, pid, status, is_foreign_kill, command, .. } = end;
        let Supervised { process, kept, stdin, orphan, ready } = supervised;
        let was_ready = ready.is_some_and(|mut ready| {
            self.stop_awaiting(&ready, registry);
            ready.hear_out() == Heard::Ready
        });
        if let Some(stdin) = stdin {
            // The keeper still has its copies, so that closing ours would not end the watch.
            self.stop_watching(&stdin, registry);
        }
        if let Some(orphan) = orphan {
            deregister(registry, &orphan.handle);
            self.tokens.release(orphan.token);
            self.not_reaped.retain(|token| *token != orphan.token);
        }
        let draining = Draining { process, pid, kept, status: Some(status), is_foreign_kill, command };
        self.draining.insert(run, draining);
        (process, was_ready)
    }

    /// The output plane has been asked for what a child wrote last.
    pub(super) fn wait_for_output(&mut self, run: RunId, now: Duration) {
        self.drain_deadlines.push_back((now + DRAIN_BOUND, run));
    }

    /// Everything a child wrote has been read. Gives its end where the supervisor has not been told yet.
    pub(super) fn drained(&mut self, run: RunId) -> Option<Drained> {
        let Draining { process, pid, status, is_foreign_kill, command, .. } = self.draining.remove(&run)?;
        self.forget_run(run, process, command);
        // They are drained in their order, unless one has been given up.
        match self.drain_deadlines.front() {
            Some((_, first)) if *first == run => _ = self.drain_deadlines.pop_front(),
            _ => self.drain_deadlines.retain(|(_, other)| *other != run),
        }
        Some(Drained { run, process, pid, status: status?, is_foreign_kill, command })
    }

    /// A child whose output has not been read in time; the supervisor is told now.
    pub(super) fn next_overdue(&mut self, now: Duration) -> Option<Drained> {
        let (deadline, run) = *self.drain_deadlines.front()?;
        if deadline > now {
            return None;
        }
        self.drain_deadlines.pop_front();
        let draining = self.draining.get_mut(&run)?;
        let (process, command) = (draining.process, draining.command);
        let (pid, status, is_foreign_kill) = (draining.pid, draining.status.take()?, draining.is_foreign_kill);
        let drained = Drained { run, process, pid, status, is_foreign_kill, command };
        self.forget_run(run, process, command);
        Some(drained)
    }

    pub(super) fn next_drain_deadline(&self) -> Option<Duration> {
        self.drain_deadlines.front().map(|(deadline, _)| *deadline)
    }

    fn forget_run(&mut self, run: RunId, process: ProcessId, command: Option<EndedCommand>) {
        match command.map(|ended| (process, ended.command)) {
            Some(key) if self.by_command.get(&key) == Some(&run) => _ = self.by_command.remove(&key),
            None if self.by_process.get(&process) == Some(&run) => _ = self.by_process.remove(&process),
            Some(_) | None => {}
        }
    }

    /// Whether a child has exited whose output has not been read.
    pub(super) fn is_draining(&self) -> bool {
        !self.drain_deadlines.is_empty()
    }

    /// The process and pid of a run whose output arrives.
    pub(super) fn identify(&self, run: RunId) -> Option<(ProcessId, u32)> {
        let living = || self.living.get(&run).and_then(|child| Some((child.role.supervised()?.process, child.pid)));
        living().or_else(|| self.draining.get(&run).map(|draining| (draining.process, draining.pid)))
    }

    /// The run of the program of a process, while its output is read.
    pub(super) fn program_run(&self, process: ProcessId) -> Option<RunId> {
        self.by_process.get(&process).copied()
    }

    /// What identifies the child of a process to another daemon.
    pub(super) fn kept(&self, process: ProcessId) -> Option<state::Run> {
        let run = self.by_process.get(&process)?;
        let living = self.living.get(run).and_then(|child| Some(child.role.supervised()?.kept.clone()));
        living.or_else(|| self.draining.get(run).map(|draining| draining.kept.clone()))
    }

    /// What identifies the children of a process to another daemon, its program that is about to be spawned among them.
    pub(super) fn runs(&self, process: ProcessId) -> state::Runs {
        let program = self.kept(process).or_else(|| self.spawner.prepared(process));
        state::Runs { program, commands: self.kept_commands(process) }
    }

    /// Sends a signal to a child and to those that the scope adds, but never to a pid that has been reaped: another process
    /// may have it by now. That of an orphan may change hands at any time, so that only its handle counts.
    pub(super) fn kill(&mut self, run: RunId, signal: i32, scope: KillScope) -> Result<(), KillFailure> {
        let gone = || KillFailure::Gone(describe(Errno::ESRCH));
        if let Some(child) = self.living.get_mut(&run).filter(|_| signal == SIGKILL) {
            child.is_killed = true;
        }
        if matches!(scope, KillScope::Tree | KillScope::Cgroup)
            && let Some(result) = self.kill_tree(run, signal, scope)
        {
            return result.map_err(kill_failure);
        }
        let child = self.living.get(&run).filter(|child| self.run_of(child.pid) == Some(run)).ok_or_else(gone)?;
        let pid = Pid::new(child.pid).ok_or_else(gone)?;
        let recipient = match child.role.supervised().and_then(|supervised| supervised.orphan.as_ref()) {
            Some(orphan) => Recipient::Handle(&orphan.handle),
            None => Recipient::Child(pid),
        };
        let scope = match scope {
            KillScope::Process => signal_scope::SignalScope::Process,
            // A system without trees, or a program that was started before they were asked for.
            KillScope::Group | KillScope::Tree | KillScope::Cgroup => signal_scope::SignalScope::Group,
        };
        signal_scope::send(signal, scope, recipient).map_err(kill_failure)
    }

    /// When the next child has run for too long.
    pub(super) fn next_time_limit(&self) -> Option<Duration> {
        self.limits.first().map(|(kill_at, _)| *kill_at)
    }

    /// Kills the children that have run for too long. They are reaped like all others.
    pub(super) fn enforce_time_limits(&mut self, now: Duration) {
        while let Some((_, run)) = self.limits.first().copied().filter(|(kill_at, _)| *kill_at <= now) {
            self.limits.pop_first();
            // It can only have ended, which is told soon.
            let _ = self.kill(run, SIGKILL, self.scope_of_limit(run));
            if let Some(child) = self.living.get_mut(&run) {
                child.limit = TimeLimit::Exceeded;
            }
        }
    }
}

fn kill_failure(error: Errno) -> KillFailure {
    match error {
        Errno::ESRCH => KillFailure::Gone(describe(error)),
        other => KillFailure::Refused(describe(other)),
    }
}

/// An error as the original's log lines show it: `[Errno 3] No such process`.
fn describe(error: Errno) -> String {
    format!("[Errno {}] {error}", error.number())
}

#[cfg(test)]
mod tests;
