//! The children: made, fed, listened to, signalled and mourned.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use mio::{Interest, Registry, Token};
use supervisord_config::model::{LogLevel, Process};
use supervisord_config::pyrepr::repr;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::process::ExitStatus;
use supervisord_core::row::Row;
use supervisord_core::supervisor::{CommandFailure, FeedFailure, KillFailure, ProcessId, Supervisor};
use supervisord_sys::orphan::{self, ProcessHandle};
use supervisord_sys::spawn::{SpawnPlan, Spawner, Stdio};
use supervisord_sys::user::RunAs;
use supervisord_sys::{Errno, Pid, errno_name, exec, pipe, signal};

use super::launch::{self, Launch};
use super::sockets::Sockets;
use super::stdin::Stdin;
use super::{FIRST_DESCRIPTOR, Tools};
use crate::activity::Activity;
use crate::descriptor::{deregister, register};
use crate::hand_over::{HandedChannel, HandedChild, HandedSocket};
use crate::journal::{Journal, KeptRun};
use crate::output::{AttachChannel, HandedStream, Request, RunId};

/// How long a restart waits for the last output of the child before: normally microseconds, but never longer than
/// this, because the disk of a log may hang.
const DRAIN_BOUND: Duration = Duration::from_millis(250);

/// How long a spawn waits for its logs to be opened, for the same reason.
const OPEN_BOUND: Duration = Duration::from_millis(250);

/// How much of what a listener says is read in one turn of the loop.
pub(super) const MOST_AT_ONCE: usize = 1 << 20;

/// One child, from its spawn until all it wrote has been read.
struct Run {
    process: ProcessId,
    pid: u32,
    kept: KeptRun,
    stdin: Option<Stdin>,
    /// Where control reads the stdout itself, because it is a listener's.
    listener: Option<ListenerPipe>,
    /// How we hear of its end, where it is no longer our child.
    orphan: Option<Orphan>,
    /// How it ended, while the supervisor has not been told.
    ended: Option<ExitStatus>,
}

struct Orphan {
    handle: ProcessHandle,
    token: usize,
}

struct ListenerPipe {
    pipe: std::fs::File,
    token: usize,
}

impl Pipes {
    /// What the state file says of a child before it is made. A pipe that cannot be asked for its identity is not
    /// found again, nothing worse.
    fn identify(&self, run: RunId) -> KeptRun {
        let identity = |end: &OwnedFd| orphan::inode(end.as_fd()).ok();
        KeptRun {
            stdin: self.stdin.as_ref().and_then(identity),
            stdout: identity(&self.stdout),
            stderr: self.stderr.as_ref().and_then(identity),
            ..KeptRun::new(run)
        }
    }
}

/// All children and what belongs to them, on their way to the next program.
pub struct HandedChildren {
    pub(crate) children: Vec<HandedChild<OwnedFd>>,
    pub(crate) sockets: Vec<HandedSocket<OwnedFd>>,
    pub(crate) next_run: u64,
}

/// What a reaped child was.
pub(super) enum Reaped {
    /// Nobody we know.
    Stranger,
    /// One of ours; the supervisor is told when its output has been drained.
    Draining { run: RunId, process: ProcessId, last_words: Vec<u8> },
}

/// All children.
#[derive(Default)]
pub(super) struct Children {
    runs: HashMap<RunId, Run>,
    /// Living children, and dead ones nobody has reaped.
    by_pid: HashMap<u32, RunId>,
    by_process: HashMap<ProcessId, RunId>,
    by_token: HashMap<usize, RunId>,
    /// Dead children whose output is being drained, the earliest deadline first.
    draining: VecDeque<(Duration, RunId)>,
    sockets: Sockets,
    spawner: Spawner,
    next_run: u64,
    next_token: usize,
    /// The output plane did not answer in time once; it is not waited for again before it does.
    output_stalled: bool,
    /// How to become each user: looked up once, because the user database may be slow.
    users: HashMap<u32, RunAs>,
}

/// The ends of the pipes of a child about to be made.
struct Pipes {
    child_stdin: OwnedFd,
    child_stdout: OwnedFd,
    /// None when it shares the stdout.
    child_stderr: Option<OwnedFd>,
    /// None with a FastCGI socket in its place.
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
}

impl Children {
    /// Makes the child of a process; the error is the text clients see as its spawn error.
    pub(super) fn spawn(
        &mut self,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        journal: Option<&mut Journal>,
        registry: &Registry,
    ) -> Result<u32, String> {
        let row = supervisor.row(id).ok_or("the process has been removed")?;
        let process = &row.config;
        let command = launch::find(process, &tools.surroundings).map_err(text_of)?;
        let socket = match &process.socket {
            Some(socket) => Some(self.sockets.acquire(&row.group, socket, &tools.activity)?),
            None => None,
        };
        let run = RunId(self.next_run);
        self.next_run += 1;
        let mut pipes = open_pipes(process, socket, tools.state_file.is_some())
            .map_err(|error| dispatcher_error(process, &error))?;
        let listener = supervisor.is_listener(id);
        let mut kept = pipes.identify(run);
        if let Some(journal) = journal {
            // Before the child exists, and before the answer of the output plane, which writes it first.
            journal.note(supervisor, id, Some(kept.clone()));
        }
        let channels = channels(supervisor, id, &mut pipes).map_err(|error| dispatcher_error(process, &error))?;
        self.attach(run, process, channels, tools).map_err(|error| dispatcher_error(process, &error))?;

        let plan = self.plan(&row, command, tools).map_err(|error| fork_error(process, error));
        let stdio = Stdio {
            stdin: pipes.child_stdin.as_fd(),
            stdout: pipes.child_stdout.as_fd(),
            stderr: pipes.child_stderr.as_ref().unwrap_or(&pipes.child_stdout).as_fd(),
        };
        let spawned = plan.and_then(|plan| self.spawner.spawn(plan, stdio).map_err(|error| fork_error(process, error)));
        let pid = match spawned {
            Ok(pid) => pid.get(),
            Err(text) => {
                tools.output.send(Request::Detach { run });
                return Err(text);
            }
        };
        let listener = if listener { self.listen(run, pipes.stdout, registry) } else { None };
        let stdin = pipes.stdin.map(Stdin::new);
        (kept.pid, kept.started) = (pid, started_now());
        self.enter(run, Run { process: id, pid, kept, stdin, listener, orphan: None, ended: None });
        Ok(pid)
    }

    fn enter(&mut self, id: RunId, run: Run) {
        self.by_pid.insert(run.pid, id);
        self.by_process.insert(run.process, id);
        self.runs.insert(id, run);
    }

    /// Has the output plane open the logs and take the pipes. Where it does not answer in time, the child is started
    /// all the same: its output waits in the pipe.
    fn attach(
        &mut self,
        run: RunId,
        process: &Process,
        channels: Vec<AttachChannel>,
        tools: &Tools,
    ) -> std::io::Result<()> {
        // Without room, so that an answer that comes too late is known to be that.
        let (reply, answer) = sync_channel(0);
        tools.output.send(Request::Attach { run, process: process.name.as_str().into(), channels, reply });
        let patience = if self.output_stalled { Duration::ZERO } else { OPEN_BOUND };
        match answer.recv_timeout(patience) {
            Ok(result) => {
                self.output_stalled = false;
                result.map_err(std::io::Error::from_raw_os_error)
            }
            Err(RecvTimeoutError::Timeout) => {
                if !self.output_stalled {
                    self.output_stalled = true;
                    let text = "the log files do not respond; programs are started without waiting for them";
                    tools.activity.log(LogLevel::Warn, text);
                }
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    fn plan(&mut self, row: &Row, command: Launch, tools: &Tools) -> Result<SpawnPlan, Errno> {
        let process = &row.config;
        let environment = launch::environment(process, &row.group, &tools.surroundings)?;
        let mut plan = SpawnPlan::new(&command.program, &command.arguments, environment)?;
        if let Some(directory) = &process.directory {
            plan = plan.directory(Path::new(directory))?;
        }
        if let Some(umask) = process.umask {
            plan = plan.umask(umask);
        }
        if let Some(user) = &process.user {
            plan = plan.run_as(self.users.entry(user.uid).or_insert_with(|| RunAs::uid(user.uid)).clone());
        }
        Ok(plan)
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

    /// A child has been reaped: from now on its pid may belong to a stranger.
    pub(super) fn reaped(&mut self, pid: u32, status: ExitStatus, now: Duration) -> Reaped {
        let Some(id) = self.by_pid.remove(&pid) else { return Reaped::Stranger };
        let Some(run) = self.runs.get_mut(&id) else { return Reaped::Stranger };
        run.ended = Some(status);
        run.stdin = None;
        let process = run.process;
        let listener = run.listener.take();
        let last_words = listener.map(|mut listener| {
            self.by_token.remove(&listener.token);
            read_available(&mut listener.pipe)
        });
        self.draining.push_back((now + DRAIN_BOUND, id));
        Reaped::Draining { run: id, process, last_words: last_words.unwrap_or_default() }
    }

    /// Everything a child wrote has been read. Gives its end where the supervisor has not been told yet.
    pub(super) fn drained(&mut self, id: RunId) -> Option<(u32, ExitStatus)> {
        let run = self.runs.remove(&id)?;
        self.forget(id, run.process);
        self.draining.retain(|(_, other)| *other != id);
        Some((run.pid, run.ended?))
    }

    /// A dead child whose output has not been drained in time; the supervisor is told now.
    pub(super) fn overdue(&mut self, now: Duration) -> Option<(u32, ExitStatus)> {
        let (deadline, id) = *self.draining.front()?;
        if deadline > now {
            return None;
        }
        self.draining.pop_front();
        let run = self.runs.get_mut(&id)?;
        let (process, ended) = (run.process, run.ended.take()?);
        let pid = run.pid;
        self.forget(id, process);
        Some((pid, ended))
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

    /// Sends a signal, but never to a pid that has been reaped: it may belong to a stranger by now.
    pub(super) fn kill(&self, pid: u32, number: i32, group: bool) -> Result<(), KillFailure> {
        let gone = || KillFailure::Gone(describe(Errno::ESRCH));
        let target = Pid::new(pid).ok_or_else(gone)?;
        let result = match group {
            true => signal::kill_group(target, number),
            false if self.by_pid.contains_key(&pid) => match self.orphan(pid) {
                Some(orphan) => orphan.handle.kill(number),
                None => signal::kill(target, number),
            },
            false => return Err(gone()),
        };
        result.map_err(|error| match error {
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
        let is_watched = |run: &Run| run.stdin.as_ref().is_none_or(|stdin| stdin.watched.is_some());
        if self.runs.get(&id).is_none_or(is_watched) {
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

    fn orphan(&self, pid: u32) -> Option<&Orphan> {
        self.runs.get(self.by_pid.get(&pid)?)?.orphan.as_ref()
    }

    /// The orphan behind this token has ended.
    pub(super) fn orphan_ended(&mut self, token: usize, registry: &Registry) -> Option<(u32, ExitStatus)> {
        let run = self.runs.get_mut(self.by_token.get(&token)?)?;
        let orphan = run.orphan.take_if(|orphan| orphan.token == token)?;
        deregister(registry, &orphan.handle);
        self.by_token.remove(&token);
        // Its new parent may have reaped it already, and its number may be somebody else's by now.
        let facts =
            Pid::new(run.pid).and_then(orphan::facts).filter(|facts| is_same_start(facts.started, run.kept.started));
        let status = facts.and_then(|facts| facts.status).map_or(ExitStatus::Unknown, super::exit_status);
        Some((run.pid, status))
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
        let HandedChild { run, pid, kept, stdin, waiting, listener, streams, .. } = child;
        let Some(process) = supervisor.process(id) else { return false };
        let channels: Vec<_> = streams
            .into_iter()
            .filter_map(|stream| channel(supervisor, id, stream.channel, stream.pipe, stream.pipeline))
            .collect();
        if let Err(error) = self.attach(run, process, channels, tools) {
            tools.activity.log(LogLevel::Error, &dispatcher_error(process, &error));
        }
        let orphan = match child.orphan.then(|| self.watch_orphan(run, pid, kept.started, registry)) {
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

    fn watch_orphan(&mut self, run: RunId, pid: u32, started: u64, registry: &Registry) -> Option<Orphan> {
        let handle = ProcessHandle::open(Pid::new(pid)?).ok()?;
        // The handle is on whoever has the number now; it is the right one if it was started at the right time.
        let facts = orphan::facts(Pid::new(pid)?)?;
        if facts.is_zombie || !is_same_start(facts.started, started) {
            return None;
        }
        let token = self.take_token(run);
        register(registry, &handle, Token(token), Interest::READABLE).ok()?;
        Some(Orphan { handle, token })
    }

    /// Gives all living children to the next program, with the streams that the output plane gave back.
    pub(super) fn hand_over(self, supervisor: &Supervisor, streams: Vec<HandedStream>) -> HandedChildren {
        let mut by_run: HashMap<RunId, Vec<HandedChannel<OwnedFd>>> = HashMap::new();
        for HandedStream { run, channel, pipe, pipeline } in streams {
            by_run.entry(run).or_default().push(HandedChannel { channel, pipe, pipeline: Some(pipeline) });
        }
        let mut children = Vec::new();
        for (id, run) in self.runs {
            let Some(group) = supervisor.group_of(run.process) else { continue };
            let Some(process) = supervisor.process(run.process) else { continue };
            let (stdin, waiting) = run.stdin.map(Stdin::into_parts).unzip();
            children.push(HandedChild {
                run: id,
                group: group.to_string(),
                process: process.name.clone(),
                pid: run.pid,
                kept: run.kept,
                orphan: run.orphan.is_some(),
                stdin,
                waiting: waiting.unwrap_or_default(),
                listener: run.listener.map(|listener| listener.pipe.into()),
                streams: by_run.remove(&id).unwrap_or_default(),
            });
        }
        HandedChildren { children, sockets: self.sockets.hand_over(), next_run: self.next_run }
    }

    /// Takes over the sockets and the count of runs.
    pub(super) fn resume(&mut self, sockets: Vec<HandedSocket<OwnedFd>>, next_run: u64) {
        self.sockets.resume(sockets);
        self.next_run = next_run;
    }

    /// What identifies the child of a process.
    pub(super) fn kept(&self, process: ProcessId) -> Option<KeptRun> {
        self.runs.get(self.by_process.get(&process)?).map(|run| run.kept.clone())
    }

    /// Whether a child is dead and its output not yet drained.
    pub(super) fn is_draining(&self) -> bool {
        !self.draining.is_empty()
    }

    pub(super) fn close_socket(&mut self, group: &Arc<str>, url: &str, activity: &Activity) {
        self.sockets.close(group, url, activity);
    }
}

/// What the output plane is to read and how.
fn channels(supervisor: &Supervisor, id: ProcessId, pipes: &mut Pipes) -> std::io::Result<Vec<AttachChannel>> {
    let stdout = if supervisor.is_listener(id) { None } else { Some(pipes.stdout.try_clone()?) };
    let stdout = channel(supervisor, id, Channel::Stdout, stdout, None);
    let stderr = pipes.stderr.take().map(|pipe| channel(supervisor, id, Channel::Stderr, Some(pipe), None));
    Ok(stdout.into_iter().chain(stderr.flatten()).collect())
}

fn channel(
    supervisor: &Supervisor,
    id: ProcessId,
    channel: Channel,
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
) -> Option<AttachChannel> {
    let process = supervisor.process(id)?;
    let log = match channel {
        Channel::Stdout => &process.stdout,
        Channel::Stderr => &process.stderr,
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

/// The pipes of a child. Where it is to `survive` the daemon, its ends are open both ways: it then waits for the next
/// daemon when a pipe is full or empty, instead of being killed or told that all is over.
fn open_pipes(process: &Process, socket: Option<Arc<OwnedFd>>, survive: bool) -> std::io::Result<Pipes> {
    let child_end = |end: OwnedFd| if survive { exec::both_ways(&end) } else { Ok(end) };
    let (child_stdin, stdin) = match socket {
        Some(socket) => (socket.try_clone()?, None),
        None => {
            let pipe = pipe::to_child()?;
            (child_end(pipe.reader)?, Some(pipe.writer))
        }
    };
    let stdout = pipe::from_child()?;
    let stderr = if process.redirect_stderr { None } else { Some(pipe::from_child()?) };
    let (stderr, child_stderr) = stderr.map_or((None, None), |pipe| (Some(pipe.reader), Some(pipe.writer)));
    let (child_stdout, child_stderr) = (child_end(stdout.writer)?, child_stderr.map(child_end).transpose()?);
    Ok(Pipes { child_stdin, child_stdout, child_stderr, stdin, stdout: stdout.reader, stderr })
}

/// Everything that can be read without waiting, up to a bound so that a flood cannot hold the loop.
pub(super) fn read_available(pipe: &mut std::fs::File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16384];
    while bytes.len() < MOST_AT_ONCE {
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    bytes
}

/// How far apart two ideas of the start of one process may be: ours is taken after the fork, the system counts in
/// hundredths of a second.
const START_TOLERANCE: Duration = Duration::from_millis(500);

fn is_same_start(started: Duration, known: u64) -> bool {
    started.abs_diff(Duration::from_millis(known)) < START_TOLERANCE
}

/// The present, as the start of a process, in milliseconds after the boot.
fn started_now() -> u64 {
    u64::try_from(orphan::boot_time().as_millis()).unwrap_or(u64::MAX)
}

fn text_of(failure: CommandFailure) -> String {
    match failure {
        CommandFailure::Missing(text) | CommandFailure::Unusable(text) => text,
    }
}

fn dispatcher_error(process: &Process, error: &std::io::Error) -> String {
    let name = repr(&process.name);
    let number = error.raw_os_error().unwrap_or(0);
    if Errno::new(number) == Errno::EMFILE {
        return format!("too many open files to spawn {name}");
    }
    format!("unknown error making dispatchers for {name}: {}", symbol(number))
}

fn fork_error(process: &Process, error: Errno) -> String {
    let name = repr(&process.name);
    if error == Errno::EAGAIN {
        return format!("Too many processes in process table to spawn {name}");
    }
    format!("unknown error during fork for {name}: {}", symbol(error.number()))
}

/// `ENOENT`, or the number of an error without a name.
fn symbol(number: i32) -> String {
    errno_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// An error as the original's log lines show it: `[Errno 3] No such process`.
fn describe(error: Errno) -> String {
    format!("[Errno {}] {error}", error.number())
}
