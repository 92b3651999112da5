//! What the supervisor is told and what it answers.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{Config, LogLevel};
use supervisord_config::probe::Probe;
use supervisord_wire::event::EventType;
use supervisord_wire::state::Mood;

use crate::actor::Actor;
use crate::call::{Call, CallOutcome, Refusal};
use crate::disabled::DisabledPrograms;
use crate::event::{Event, ProcessName, RenderedEvent};
use crate::notification::Notification;
use crate::output::Channel;
use crate::process::{CommandPlan, EndTraces, ExitStatus, KillScope, ProgramCommand};
use crate::time::Now;

/// One process of the running daemon; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u64);

/// One life of one process, from its spawn to its end; chosen by the driver, never used twice. A process id may be used
/// again as soon as its process has been reaped, while what that process wrote is still read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// A child that has just been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spawned {
    /// Its life.
    pub run: RunId,
    /// Its process id.
    pub pid: u32,
    /// When it was made: many may be made before the supervisor looks at the clock again.
    pub at: Now,
}

/// One call of a client; chosen by the driver, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Why a command cannot be executed, found before anything was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFailure {
    /// There is no such program; the text for clients and logs.
    Missing(String),
    /// It is there, but cannot be executed, or the command line is malformed.
    Unusable(String),
}

/// Why there is no child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnFailure {
    /// It cannot be made; the text for clients and logs.
    Refused(String),
    /// The system has not answered yet what has to be known before. That says nothing about the program, so that no
    /// attempt is lost.
    Unanswered(String),
    /// The system lacks descriptors, processes or memory for the moment; the text for clients and logs.
    Exhausted(String),
}

/// Why a signal was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillFailure {
    /// There is no such process (any more); the system's message.
    Gone(String),
    /// Anything else; the system's message.
    Refused(String),
}

/// Why bytes were not taken for the stdin of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedFailure {
    /// The process has no stdin, or closed it.
    Closed,
    /// Too much is waiting already.
    Full,
}

/// What a process wrote that somebody subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// A piece of its output.
    Log,
    /// A finished capture section.
    Communication,
}

/// What the result of a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbePurpose {
    /// Whether a program that has been started is ready.
    Readiness,
    /// Whether a program that runs is healthy.
    Health,
}

/// What the result handler of a listener said about a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerVerdict {
    /// The event was processed.
    Accepted,
    /// The event is to be offered again.
    Rejected,
    /// The handler failed: the listener is no longer to be trusted, the event is offered again.
    Failed,
    /// There was nobody to judge; the event is offered again.
    Lost,
}

/// What happens to the supervisor.
#[derive(Debug)]
pub enum SupervisorInput {
    /// The daemon is ready: pid file written, servers open.
    Started,
    /// Somebody calls who has the right to it.
    Call { id: CallId, actor: Actor, call: Call },
    /// The operating system asks for the end (TERM, INT, QUIT).
    ShutdownSignal { name: &'static str },
    /// The operating system asks for a restart (HUP); the configuration, or why it cannot be used.
    RestartSignal { config: Result<Box<Config>, String> },
    /// The operating system asks for fresh log files (USR2).
    ReopenSignal,
    /// A deadline has come.
    Elapsed,
    /// The child of this run is ready.
    Ready { run: RunId },
    /// So many bytes that the child of this run wrote did not get into its log.
    OutputLost { run: RunId, channel: Channel, bytes: u64 },
    /// So many lines of a stream did not get to a log service. Their run may have ended.
    LinesLost { process: ProcessName, channel: Channel, lines: u64 },
    /// The child of this run, or one of its descendants, says something about itself.
    Notified { run: RunId, notification: Notification },
    /// A child has been dead since `at`; what it wrote is still to be read.
    Died { run: RunId, at: Now },
    /// What is known of the end of a child besides its status: just before the input that says that it ended, or later where what
    /// it wrote could not be read in time.
    Traces { run: RunId, traces: EndTraces },
    /// A child ended, and all it wrote has been read.
    Exited { run: RunId, pid: u32, status: ExitStatus },
    /// A process ended that was never a child of the supervisor's processes.
    UnknownExited { pid: u32, status: ExitStatus },
    /// After [`Supervisor::restore`](super::Supervisor::restore): the child of a process is alive, in this run.
    Adopted { process: ProcessId, run: RunId },
    /// After [`Supervisor::restore`](super::Supervisor::restore): the child of a process ended unseen.
    Vanished { process: ProcessId },
    /// Answer to [`Effect::Check`].
    Checked { process: ProcessId, call: CallId, result: Result<(), CommandFailure> },
    /// Answer to [`Effect::Spawn`].
    Spawned { process: ProcessId, result: Result<Spawned, SpawnFailure> },
    /// A command that [`Effect::RunCommand`] asked for has ended, and all it wrote has been read; or it could not be run, which may
    /// be told at once. Whether it has done what it was for, or why not.
    CommandEnded { process: ProcessId, command: ProgramCommand, result: Result<(), String> },
    /// After [`Supervisor::restore`](super::Supervisor::restore): a command was about to be run, and was not.
    CommandNotMade { process: ProcessId, command: ProgramCommand },
    /// Answer to [`Effect::Kill`].
    Killed { process: ProcessId, call: Option<CallId>, result: Result<(), KillFailure> },
    /// Answer to [`Effect::Feed`].
    Fed { process: ProcessId, call: Option<CallId>, result: Result<(), FeedFailure> },
    /// Answer, possibly much later, to [`Effect::ClearLogs`] and [`Effect::ClearActivity`].
    Cleared { process: Option<ProcessId>, call: CallId, result: Result<(), Refusal> },
    /// Answer, possibly much later, to [`Effect::StoreDisabled`]: the text says why it could not be done.
    DisabledStored { result: Result<(), String> },
    /// A process with process id `pid` at that time wrote something.
    Output { process: ProcessId, pid: u32, kind: OutputKind, channel: Channel, bytes: Vec<u8> },
    /// A listener wrote to its stdout.
    ListenerOutput { process: ProcessId, bytes: Vec<u8> },
    /// Answer, possibly much later, to [`Effect::Judge`].
    Judged { process: ProcessId, judgement: u64, verdict: HandlerVerdict },
    /// Answer, possibly much later, to [`Effect::Probe`]: the text says why it failed.
    Probed { process: ProcessId, purpose: ProbePurpose, attempt: u64, result: Result<(), String> },
    /// Plug-ins want to hear of events of these types from now on, and of no others.
    Subscribed { kinds: Vec<EventType> },
}

impl SupervisorInput {
    /// Whether it is the answer to an effect that is answered at once.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            SupervisorInput::Checked { .. }
                | SupervisorInput::Spawned { .. }
                | SupervisorInput::Killed { .. }
                | SupervisorInput::Fed { .. }
        )
    }
}

/// What the supervisor wants done.
#[derive(Debug)]
pub enum Effect {
    /// Write a line to the activity log.
    Log(LogLevel, String),
    /// Find out whether the command of a process can be executed.
    Check { process: ProcessId, call: CallId },
    /// Make a child.
    Spawn { process: ProcessId },
    /// Run a command of a process beside its program; the answer is [`SupervisorInput::CommandEnded`], mostly much later.
    RunCommand { process: ProcessId, command: ProgramCommand, plan: CommandPlan },
    /// Have a command end soon, if it still runs. Its end is reported like any other.
    EndCommand { process: ProcessId, command: ProgramCommand },
    /// Send a signal to a child and to those that `scope` adds.
    Kill { process: ProcessId, run: RunId, signal: i32, scope: KillScope, call: Option<CallId> },
    /// Write to the stdin of a child.
    Feed { process: ProcessId, bytes: Vec<u8>, call: Option<CallId> },
    /// Ask the result handler of a listener what it thinks of the result (bytes) for an event.
    Judge { process: ProcessId, judgement: u64, handler: String, event: Arc<RenderedEvent>, result: Vec<u8> },
    /// Probe a process, and answer within about `timeout`. The answer to an attempt that is over is ignored.
    Probe { process: ProcessId, purpose: ProbePurpose, attempt: u64, probe: Arc<Probe>, timeout: Duration },
    /// Tell plug-ins of an event.
    Announce(Arc<RenderedEvent>),
    /// Keep an event in the [`History`](crate::history::History). Readers must not see it before the row that is published
    /// next.
    Record(Event),
    /// Create an empty automatic log file.
    CreateAutoLog { path: String },
    /// Empty the logs of a process.
    ClearLogs { process: ProcessId, channels: Vec<Channel>, files: Vec<String>, call: CallId },
    /// Begin a new activity log.
    ClearActivity { call: CallId },
    /// Store which programs are disabled, so that it is known after the next boot. The one before has been answered.
    StoreDisabled(Arc<DisabledPrograms>),
    /// Open all logs again.
    ReopenLogs,
    /// Remove escape sequences from output from now on, or no longer.
    StripAnsi(bool),
    /// The logging of a process is defined anew, of which counts from now on what does not need a restart.
    FollowLogging(ProcessId),
    /// No process holds this FastCGI socket any more.
    CloseSocket { group: Arc<str>, url: String },
    /// Readers must see the present state of this process ([`super::Supervisor::row`]).
    PublishRow(ProcessId),
    /// Readers must see the present state of this process, in which nothing has changed that the next daemon has to know.
    RefreshRow(ProcessId),
    /// Readers must no longer see this process of a group that stays.
    WithdrawRow { group: Arc<str>, process: String },
    /// Readers must see this group.
    PublishGroup(Arc<str>),
    /// Another group of this name, with these members, takes the place of the one that was published, in one step.
    ReplaceGroup { group: Arc<str>, members: Vec<ProcessId> },
    /// Readers must no longer see this group.
    WithdrawGroup(Arc<str>),
    /// Readers must see this mood.
    PublishMood(Mood),
    /// Readers must see which programs are disabled.
    PublishDisabled(Arc<DisabledPrograms>),
    /// Readers must see this configuration.
    PublishConfig(Arc<Config>),
    /// Hand over to the program that is now on disk, and answer the call when that has been tried.
    Upgrade { call: CallId },
    /// Answer a call.
    Reply { call: CallId, outcome: CallOutcome },
    /// Everything has stopped.
    Finished(Ending),
}

/// An end of the daemon that a program has caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonExit {
    /// The exit status of the daemon.
    pub code: u8,
    /// Why it ends, as the activity log says it.
    pub reason: String,
}

/// How the supervisor ends.
#[derive(Debug)]
pub enum Ending {
    /// The daemon is to exit with this status.
    Exit(u8),
    /// The daemon is to start again with this configuration.
    Restart(Box<Config>),
}
