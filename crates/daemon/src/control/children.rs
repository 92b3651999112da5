//! The children: made, fed, listened to, signalled and mourned.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use mio::{Interest, Registry, Token};
use supervisord_core::process::{ExitStatus, KillScope};
use supervisord_core::supervisor::{Born, FeedFailure, KillFailure, ProcessId, SpawnFailure, Supervisor};
use supervisord_sys::kill_scope::{self, Recipient};
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::{Errno, Pid, proc_stat};

use super::spawn::{self, ChildSpawner, Spawned};
use super::stdin::Stdin;
use super::survival::Survival;
use super::{FIRST_DESCRIPTOR, Tools};
use crate::descriptor::{deregister, register};
use crate::hand_over::{HandedChannel, HandedChild, HandedSocket};
use crate::keeper::{Name, Owner, Role};
use crate::output::{HandedStream, Request, RunId};
use crate::state;

/// How long a restart waits for the last output of the child before: normally microseconds, but never longer than
/// this, because the disk of a log may hang.
const DRAIN_BOUND: Duration = Duration::from_millis(250);

/// How long the new parent of a child that was taken over may take to reap it.
const REAPING_BOUND: Duration = Duration::from_millis(250);

/// How much of what a listener says is read in one turn of the loop.
pub(super) const MOST_AT_ONCE: usize = 1 << 20;

/// One child, from its spawn until all it wrote has been read.
struct Run {
    process: ProcessId,
    pid: u32,
    kept: state::Run,
    stdin: Option<Stdin>,
    /// Where control reads the stdout itself, because it is a listener's.
    listener: Option<ListenerPipe>,
    /// How we hear of its end, where it is no longer our child.
    orphan: Option<Orphan>,
    /// How it ended, while the supervisor has not been told.
    ended: Option<ExitStatus>,
}

impl Run {
    /// What of it the keeper is to hold, but for what the output plane reads.
    fn held(&self, id: RunId) -> impl Iterator<Item = (Name, BorrowedFd<'_>)> {
        let owner = Owner::Run(id.0);
        let stdin = self.stdin.as_ref().map(|stdin| (Role::Stdin, stdin.as_fd()));
        let stdout = self.listener.as_ref().map(|listener| (Role::Stdout, listener.pipe.as_fd()));
        let handle = self.orphan.as_ref().map(|orphan| (Role::Handle, orphan.handle.as_fd()));
        [stdin, stdout, handle].into_iter().flatten().map(move |(role, fd)| (Name { owner, role }, fd))
    }
}

struct Orphan {
    handle: ProcessHandle,
    token: usize,
    /// It has ended; until when its new parent is waited for, which has to reap it before the system tells how it ended.
    reaped_by: Option<Duration>,
}

struct ListenerPipe {
    pipe: std::fs::File,
    token: usize,
}

/// All children and what belongs to them, on their way to the next program.
pub struct HandedChildren {
    pub(crate) children: Vec<HandedChild<OwnedFd>>,
    pub(crate) sockets: Vec<HandedSocket<OwnedFd>>,
    pub(crate) next_run: u64,
}

/// A child that has just died.
pub(super) struct Dead {
    pub(super) run: RunId,
    pub(super) process: ProcessId,
    /// What it wrote last, where it was a listener.
    pub(super) last_words: Vec<u8>,
}

/// A child that has died, and all it wrote has been read, or waited for long enough.
pub(super) struct Gone {
    pub(super) run: RunId,
    pub(super) pid: u32,
    pub(super) status: ExitStatus,
}

/// All children.
#[derive(Default)]
pub(super) struct Children {
    /// Boxed, because a table is at least half empty after it has grown.
    runs: HashMap<RunId, Box<Run>>,
    /// Living children, and dead ones nobody has reaped. Only these have their process ids for themselves.
    by_pid: HashMap<u32, RunId>,
    by_process: HashMap<ProcessId, RunId>,
    by_token: HashMap<usize, RunId>,
    /// Tokens of orphans that have ended, and nobody knows yet how.
    unexplained: Vec<usize>,
    /// Dead children whose output is being drained, the earliest deadline first.
    draining: VecDeque<(Duration, RunId)>,
    /// Where they are made.
    pub(super) spawner: ChildSpawner,
    next_token: usize,
}

impl Children {
    /// Makes the child of a process.
    pub(super) fn spawn(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        survival: Option<&mut Survival>,
        registry: &Registry,
    ) -> Result<Born, SpawnFailure> {
        let Spawned { run, pid, at, kept, stdin, stdout } = self.spawner.make(id, supervisor, tools, survival)?;
        let listener = stdout.and_then(|pipe| self.listen(run, pipe, registry));
        let stdin = stdin.map(Stdin::new);
        self.enter(run, Run { process: id, pid, kept, stdin, listener, orphan: None, ended: None });
        Ok(Born { run, pid, at })
    }

    fn enter(&mut self, id: RunId, run: Run) {
        self.by_pid.insert(run.pid, id);
        self.by_process.insert(run.process, id);
        self.runs.insert(id, Box::new(run));
    }

    fn listen(&mut self, run: RunId, pipe: OwnedFd, registry: &Registry) -> Option<ListenerPipe> {
        let token = self.take_token(run);
        // Without the watch the listener would only be heard at its end; it is as good as mute.
        register(registry, &pipe, Token(token), Interest::READABLE).ok()?;
        Some(ListenerPipe { pipe: pipe.into(), token })
    }

    fn take_token(&mut self, run: RunId) -> usize {
        let token = FIRST_DESCRIPTOR + self.next_token;
        self.next_token += 1;
        self.by_token.insert(token, run);
        token
    }

    /// The child that has this process id; none where it is none of ours.
    pub(super) fn run_of(&self, pid: u32) -> Option<RunId> {
        self.by_pid.get(&pid).copied()
    }

    /// Whether a run began with a daemon that has died.
    pub(super) fn is_orphan(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|run| run.orphan.is_some())
    }

    /// A child has died and been reaped: from now on its pid may belong to somebody else.
    pub(super) fn died(&mut self, id: RunId, status: ExitStatus, registry: &Registry) -> Option<Dead> {
        // The keeper still has its copies, so that closing ours would not end the watch.
        self.close_stdin(id, registry);
        let run = self.runs.get_mut(&id)?;
        if self.by_pid.get(&run.pid) == Some(&id) {
            self.by_pid.remove(&run.pid);
        }
        if let Some(orphan) = run.orphan.take() {
            self.by_token.remove(&orphan.token);
        }
        run.ended = Some(status);
        let process = run.process;
        let listener = run.listener.take();
        let last_words = listener.map(|mut listener| {
            self.by_token.remove(&listener.token);
            deregister(registry, &listener.pipe);
            read_available(&mut listener.pipe)
        });
        Some(Dead { run: id, process, last_words: last_words.unwrap_or_default() })
    }

    /// The output plane has been asked for what a dead child wrote last.
    pub(super) fn draining(&mut self, id: RunId, now: Duration) {
        self.draining.push_back((now + DRAIN_BOUND, id));
    }

    /// Everything a child wrote has been read. Gives its end where the supervisor has not been told yet.
    pub(super) fn drained(&mut self, id: RunId) -> Option<Gone> {
        let run = self.runs.remove(&id)?;
        self.forget(id, run.process);
        self.draining.retain(|(_, other)| *other != id);
        Some(Gone { run: id, pid: run.pid, status: run.ended? })
    }

    /// A dead child whose output has not been drained in time; the supervisor is told now.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<Gone> {
        let (deadline, id) = *self.draining.front()?;
        if deadline > now {
            return None;
        }
        self.draining.pop_front();
        let run = self.runs.get_mut(&id)?;
        let (process, gone) = (run.process, Gone { run: id, pid: run.pid, status: run.ended.take()? });
        self.forget(id, process);
        Some(gone)
    }

    pub(super) fn next_drain_deadline(&self) -> Option<Duration> {
        self.draining.front().map(|(deadline, _)| *deadline)
    }

    fn forget(&mut self, run: RunId, process: ProcessId) {
        if self.by_process.get(&process) == Some(&run) {
            self.by_process.remove(&process);
        }
    }

    /// The process and pid of a run whose output arrives.
    pub(super) fn identify(&self, run: RunId) -> Option<(ProcessId, u32)> {
        self.runs.get(&run).map(|run| (run.process, run.pid))
    }

    /// Sends a signal to a child or to the process group it leads, but never to a pid that has been reaped: it may belong
    /// to a stranger by now. The pid of an orphan may do so at any time, so that only its handle counts.
    pub(super) fn kill(&self, id: RunId, signal: i32, scope: KillScope) -> Result<(), KillFailure> {
        let gone = || KillFailure::Gone(describe(Errno::ESRCH));
        let run = self.runs.get(&id).filter(|run| self.by_pid.get(&run.pid) == Some(&id)).ok_or_else(gone)?;
        let target = Pid::new(run.pid).ok_or_else(gone)?;
        let recipient = match &run.orphan {
            Some(orphan) => Recipient::Handle(&orphan.handle),
            None => Recipient::Child(target),
        };
        let scope = match scope {
            KillScope::Process => kill_scope::KillScope::Process,
            KillScope::Group => kill_scope::KillScope::Group,
        };
        kill_scope::send(signal, scope, recipient).map_err(|error| match error {
            Errno::ESRCH => gone(),
            other => KillFailure::Refused(describe(other)),
        })
    }

    /// Writes to the stdin of a process, or keeps the bytes until it reads.
    pub(super) fn feed(&mut self, process: ProcessId, bytes: Vec<u8>, registry: &Registry) -> Result<(), FeedFailure> {
        let run = self.by_process.get(&process).copied().ok_or(FeedFailure::Closed)?;
        let stdin = self.runs.get_mut(&run).and_then(|run| run.stdin.as_mut()).ok_or(FeedFailure::Closed)?;
        match stdin.feed(&bytes) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.watch_stdin(run, registry);
                Ok(())
            }
            Err(FeedFailure::Closed) => {
                self.close_stdin(run, registry);
                Err(FeedFailure::Closed)
            }
            Err(FeedFailure::Full) => Err(FeedFailure::Full),
        }
    }

    fn watch_stdin(&mut self, id: RunId, registry: &Registry) {
        let stdin = self.runs.get(&id).and_then(|run| run.stdin.as_ref());
        if stdin.is_none_or(|stdin| stdin.watched.is_some()) {
            return;
        }
        let token = self.take_token(id);
        let Some(stdin) = self.runs.get_mut(&id).and_then(|run| run.stdin.as_mut()) else { return };
        if register(registry, stdin, Token(token), Interest::WRITABLE).is_ok() {
            stdin.watched = Some(token);
        } else {
            self.by_token.remove(&token);
        }
    }

    fn close_stdin(&mut self, id: RunId, registry: &Registry) {
        let Some(stdin) = self.runs.get_mut(&id).and_then(|run| run.stdin.take()) else { return };
        if let Some(token) = stdin.watched {
            deregister(registry, &stdin);
            self.by_token.remove(&token);
        }
    }

    /// The stdin behind this token has room again, or was closed by the child.
    pub(super) fn flush_stdin(&mut self, token: usize, registry: &Registry) {
        let Some(id) = self.by_token.get(&token).copied() else { return };
        let Some(stdin) = self.runs.get_mut(&id).and_then(|run| run.stdin.as_mut()) else { return };
        if stdin.watched != Some(token) {
            return;
        }
        match stdin.flush() {
            Ok(true) => {}
            Ok(false) => {
                stdin.watched = None;
                deregister(registry, stdin);
                self.by_token.remove(&token);
            }
            Err(_) => self.close_stdin(id, registry),
        }
    }

    /// Reads what the listener behind this token said.
    pub(super) fn read_listener(&mut self, token: usize) -> Option<(RunId, ProcessId, Vec<u8>)> {
        let id = self.by_token.get(&token).copied()?;
        let run = self.runs.get_mut(&id)?;
        let listener = run.listener.as_mut().filter(|listener| listener.token == token)?;
        let bytes = read_available(&mut listener.pipe);
        (!bytes.is_empty()).then_some((id, run.process, bytes))
    }

    /// The orphan behind this token has ended, or its new parent has reaped it. Who has ended is heard of when it is known
    /// how, or has been waited for long enough.
    pub(super) fn orphan_ended(
        &mut self,
        token: usize,
        now: Duration,
        registry: &Registry,
    ) -> Option<(RunId, ExitStatus)> {
        let id = self.by_token.get(&token).copied()?;
        let run = self.runs.get_mut(&id)?;
        let orphan = run.orphan.as_mut().filter(|orphan| orphan.token == token && orphan.handle.has_ended())?;
        // The system tells once its new parent has reaped it; before, so may its entry in /proc.
        let told = orphan.handle.exit_status().or_else(|| {
            let facts = Pid::new(run.pid).and_then(proc_stat::facts).filter(|facts| run.kept.is(facts));
            facts.and_then(|facts| facts.status)
        });
        let deadline = *orphan.reaped_by.get_or_insert(now + REAPING_BOUND);
        if told.is_none() && now < deadline {
            if !self.unexplained.contains(&token) {
                self.unexplained.push(token);
            }
            return None;
        }
        deregister(registry, &orphan.handle);
        run.orphan = None;
        self.by_token.remove(&token);
        self.unexplained.retain(|other| *other != token);
        Some((id, told.map_or(ExitStatus::Unknown, super::exit_status)))
    }

    /// Orphans that have ended, and nobody knows yet how.
    pub(super) fn unexplained(&self) -> Vec<usize> {
        self.unexplained.clone()
    }

    /// When the first of them is not waited for any more.
    pub(super) fn next_explanation(&self) -> Option<Duration> {
        let runs = self.unexplained.iter().filter_map(|token| self.runs.get(self.by_token.get(token)?));
        runs.filter_map(|run| run.orphan.as_ref()?.reaped_by).min()
    }

    /// Takes over a child of the daemon before. False when it has ended meanwhile.
    pub(super) fn adopt(
        &mut self,
        child: HandedChild<OwnedFd>,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        registry: &Registry,
    ) -> bool {
        let HandedChild { run, pid, kept, handle, stdin, waiting, listener, streams, .. } = child;
        let Some(process) = supervisor.process(id) else { return false };
        let channels: Vec<_> = streams
            .into_iter()
            .filter_map(|stream| spawn::channel(supervisor, id, stream.channel, stream.pipe, stream.pipeline))
            .collect();
        tools.output.send(Request::Resume { run, process: process.identity.name.as_str().into(), channels });
        // A child of our own cannot be anybody else, so that what was not asked before can be asked now.
        let kept = if child.orphan || kept.exact { kept } else { kept.of(pid) };
        let orphan = match child.orphan.then(|| self.watch_orphan(run, &kept, handle, registry)) {
            None => None,
            Some(Some(orphan)) => Some(orphan),
            Some(None) => {
                tools.output.send(Request::Drain { run });
                return false;
            }
        };
        let listener = listener.and_then(|pipe| self.listen(run, pipe, registry));
        let stdin = stdin.map(|pipe| Stdin::with_waiting(pipe, waiting));
        self.enter(run, Run { process: id, pid, kept, stdin, listener, orphan, ended: None });
        self.watch_stdin(run, registry);
        true
    }

    fn watch_orphan(
        &mut self,
        run: RunId,
        kept: &state::Run,
        handle: Option<OwnedFd>,
        registry: &Registry,
    ) -> Option<Orphan> {
        let pid = Pid::new(kept.pid)?;
        let handle = match handle {
            Some(handle) => ProcessHandle::from_passed(handle, pid),
            None => {
                let handle = ProcessHandle::open(pid).ok()?;
                // It is on whoever has the number now: the right one, if that was started at the right time.
                proc_stat::facts(pid).filter(|facts| kept.is(facts) && !handle.has_ended())?;
                handle
            }
        };
        let token = self.take_token(run);
        register(registry, &handle, Token(token), Interest::READABLE).ok()?;
        Some(Orphan { handle, token, reaped_by: None })
    }

    /// What of living children the keeper is to hold, but for what the output plane reads.
    pub(super) fn held(&self) -> Vec<(Name, BorrowedFd<'_>)> {
        self.runs.iter().filter(|(_, run)| run.ended.is_none()).flat_map(|(id, run)| run.held(*id)).collect()
    }

    /// The living children that are our own, with their process ids.
    pub(super) fn own(&self) -> Vec<(RunId, u32)> {
        let own = self.runs.iter().filter(|(_, run)| run.ended.is_none() && run.orphan.is_none());
        own.map(|(id, run)| (*id, run.pid)).collect()
    }

    /// Gives all living children to the next program, with the streams that the output plane gave back.
    pub(super) fn hand_over(self, supervisor: &Supervisor, streams: Vec<HandedStream>) -> HandedChildren {
        let mut by_run: HashMap<RunId, Vec<HandedChannel<OwnedFd>>> = HashMap::new();
        for HandedStream { run, channel, pipe, pipeline } in streams {
            by_run.entry(run).or_default().push(HandedChannel { channel, pipe, pipeline: Some(pipeline) });
        }
        let mut children = Vec::new();
        for (id, run) in self.runs {
            // A run that is dead and only waits for its output to be read is nobody's child any more.
            if run.ended.is_some() || self.by_pid.get(&run.pid) != Some(&id) {
                continue;
            }
            let Some(group) = supervisor.group_of(run.process) else { continue };
            let Some(process) = supervisor.process(run.process) else { continue };
            let (stdin, waiting) = run.stdin.map(Stdin::into_parts).unzip();
            children.push(HandedChild {
                run: id,
                group: group.to_string(),
                process: process.identity.name.clone(),
                pid: run.pid,
                kept: run.kept,
                orphan: run.orphan.is_some(),
                handle: run.orphan.map(|orphan| orphan.handle.into()),
                is_cut_off: false,
                stdin,
                waiting: waiting.unwrap_or_default(),
                listener: run.listener.map(|listener| listener.pipe.into()),
                streams: by_run.remove(&id).unwrap_or_default(),
            });
        }
        let (sockets, next_run) = self.spawner.hand_over();
        HandedChildren { children, sockets, next_run }
    }

    /// What identifies the child of a process.
    pub(super) fn kept(&self, process: ProcessId) -> Option<state::Run> {
        self.runs.get(self.by_process.get(&process)?).map(|run| run.kept.clone())
    }

    /// The same, of a child that is about to be made as well.
    pub(super) fn kept_or_expected(&self, process: ProcessId) -> Option<state::Run> {
        self.kept(process).or_else(|| self.spawner.prepared(process))
    }

    /// Whether a child is dead and its output not yet drained.
    pub(super) fn is_draining(&self) -> bool {
        !self.draining.is_empty()
    }
}

/// Everything that can be read without waiting, up to a bound so that a flood cannot hold the loop.
pub(super) fn read_available(pipe: &mut std::fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16384];
    while bytes.len() < MOST_AT_ONCE {
        match pipe.read(&mut chunk) {
            Ok(count) => {
                bytes.extend_from_slice(&chunk[..count]);
                // Less than there is room for is all there was: whatever comes later wakes the loop again.
                if count < chunk.len() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes
}

/// An error as the original's log lines show it: `[Errno 3] No such process`.
fn describe(error: Errno) -> String {
    format!("[Errno {}] {error}", error.number())
}
