//! The children: made, fed, listened to, signalled and mourned.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use mio::{Interest, Registry, Token};
use supervisord_config::model::{ChannelLog, Process};
use supervisord_config::pyrepr::repr;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::process::ExitStatus;
use supervisord_core::row::Row;
use supervisord_core::supervisor::{CommandFailure, FeedFailure, KillFailure, ProcessId, Supervisor};
use supervisord_sys::spawn::{SpawnPlan, Spawner, Stdio};
use supervisord_sys::user::RunAs;
use supervisord_sys::{Errno, Pid, errno_name, pipe, signal};

use super::launch::{self, Launch};
use super::sockets::Sockets;
use super::stdin::Stdin;
use super::{FIRST_DESCRIPTOR, Tools};
use crate::activity::Activity;
use crate::descriptor::{deregister, register};
use crate::output::{AttachChannel, Request, RunId};

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
    stdin: Option<Stdin>,
    /// Where control reads the stdout itself, because it is a listener's.
    listener: Option<ListenerPipe>,
    /// How it ended, while the supervisor has not been told.
    ended: Option<ExitStatus>,
}

struct ListenerPipe {
    pipe: std::fs::File,
    token: usize,
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
        let mut pipes = open_pipes(process, socket).map_err(|error| dispatcher_error(process, &error))?;
        let listener = supervisor.is_listener(id);
        self.attach(run, id, supervisor, tools, &mut pipes, listener)
            .map_err(|error| dispatcher_error(process, &error))?;

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
        self.runs.insert(run, Run { process: id, pid, stdin, listener, ended: None });
        self.by_pid.insert(pid, run);
        self.by_process.insert(id, run);
        Ok(pid)
    }

    /// Has the output plane open the logs and take the pipes. Where it does not answer in time, the child is started
    /// all the same: its output waits in the pipe.
    fn attach(
        &mut self,
        run: RunId,
        id: ProcessId,
        supervisor: &Supervisor,
        tools: &Tools,
        pipes: &mut Pipes,
        listener: bool,
    ) -> std::io::Result<()> {
        let Some(process) = supervisor.process(id) else { return Ok(()) };
        let plan = |channel: Channel, log: &ChannelLog| ChannelPlan {
            file: supervisor.log_file(id, channel).cloned(),
            maxbytes: log.maxbytes,
            backups: log.backups,
            capture_maxbytes: if listener && channel == Channel::Stdout { 0 } else { log.capture_maxbytes },
            events_enabled: log.events_enabled && !(listener && channel == Channel::Stdout),
            syslog: log.syslog && !(listener && channel == Channel::Stdout),
        };
        let stdout = if listener { None } else { Some(pipes.stdout.try_clone()?) };
        let mut channels = vec![AttachChannel {
            channel: Channel::Stdout,
            pipe: stdout,
            plan: plan(Channel::Stdout, &process.stdout),
        }];
        if let Some(stderr) = pipes.stderr.take() {
            let plan = plan(Channel::Stderr, &process.stderr);
            channels.push(AttachChannel { channel: Channel::Stderr, pipe: Some(stderr), plan });
        }
        let (reply, answer) = sync_channel(1);
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
                    tools.activity.log(supervisord_config::model::LogLevel::Warn, text);
                }
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    fn plan(&mut self, row: &Row, command: Launch, tools: &Tools) -> Result<SpawnPlan, Errno> {
        let process = &row.config;
        let environment = launch::environment(process, &row.group, &tools.surroundings);
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
            false if self.by_pid.contains_key(&pid) => signal::kill(target, number),
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

    pub(super) fn close_socket(&mut self, group: &Arc<str>, url: &str, activity: &Activity) {
        self.sockets.close(group, url, activity);
    }
}

fn open_pipes(process: &Process, socket: Option<Arc<OwnedFd>>) -> std::io::Result<Pipes> {
    let (child_stdin, stdin) = match socket {
        Some(socket) => (socket.try_clone()?, None),
        None => {
            let pipe = pipe::to_child()?;
            (pipe.reader, Some(pipe.writer))
        }
    };
    let stdout = pipe::from_child()?;
    let stderr = if process.redirect_stderr { None } else { Some(pipe::from_child()?) };
    let (stderr, child_stderr) = stderr.map_or((None, None), |pipe| (Some(pipe.reader), Some(pipe.writer)));
    Ok(Pipes { child_stdin, child_stdout: stdout.writer, child_stderr, stdin, stdout: stdout.reader, stderr })
}

/// Everything that can be read without waiting, up to a bound so that a flood cannot hold the loop.
fn read_available(pipe: &mut std::fs::File) -> Vec<u8> {
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
