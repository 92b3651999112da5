//! The output plane: one thread that owns every child's stdout and stderr pipe and every log sink.
//!
//! It never decides about processes. A disk that hangs stops this thread and nothing else.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};
use supervisord_config::model::{ActivityLog, LogLevel};
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::rotation::Rotation;
use supervisord_sys::Errno;
use supervisord_sys::syslog::Syslog;

use crate::activity::Activity;
use crate::follow::FollowHub;
use crate::notifier::Notifier;

mod activity_log;
pub mod answer;
mod budget;
mod leftover;
mod log_file;
mod log_path;
mod loss;
mod outlets;
mod pipeline_notes;
mod plane;
mod queue;
mod read_coalescing;
mod sink;
mod sinks;
mod state_file;
mod stream;
mod stream_log;
mod system_log;
mod transit;

pub use budget::ReportBudget;
pub use queue::OutputHandle;
pub use supervisord_core::supervisor::RunId;

use activity_log::ActivityWriter;
use answer::Answer;
use leftover::Leftover;
use outlets::Outlets;
use plane::Plane;
use sinks::Sinks;
use transit::Transit;
pub use transit::TransitFiles;

/// What the output plane needs to know from the start.
#[derive(Debug)]
pub struct Options {
    /// Where the activity log goes.
    pub activity: ActivityLog,
    /// When the activity log is rotated.
    pub rotation: Rotation,
    /// Write every line of the activity log to stdout first.
    pub echo_to_stdout: bool,
    /// The least severe level that is written.
    pub level: LogLevel,
    /// Remove terminal escapes from child output.
    pub strip_ansi: bool,
    /// The system log, for the activity log or for streams that are copied there.
    pub syslog: Syslog,
}

/// The activity log could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// Its path.
    pub path: String,
    /// Why not.
    pub source: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not open the log {}: {}", self.path, self.source)
    }
}

impl std::error::Error for OpenError {}

/// The output plane with its activity log open and its thread not yet started: between the two the daemon may fork.
pub struct Output {
    requests: OutputHandle,
    sinks: Sinks,
    activity: ActivityWriter,
    level: LogLevel,
    strip_ansi: bool,
    leftover: Option<Leftover>,
}

/// A started output plane.
pub struct Running {
    /// The way to it.
    pub handle: OutputHandle,
    /// What control gives back the bytes of reports to.
    pub budget: ReportBudget,
    /// Ends after [`Request::Stop`].
    pub thread: JoinHandle<()>,
}

impl Output {
    /// Opens the activity log. `follow` is told about every change of a log.
    pub fn open(options: Options, follow: Arc<FollowHub>) -> Result<Output, OpenError> {
        let Options { activity, rotation, echo_to_stdout, level, strip_ansi, syslog } = options;
        let mut sinks = Sinks::new(follow, syslog, Transit::new().ok());
        let activity = ActivityWriter::open(&activity, rotation, level, echo_to_stdout, &mut sinks)?;
        Ok(Output { requests: OutputHandle::new(), sinks, activity, level, strip_ansi, leftover: None })
    }

    /// Goes on with what the program before, or a daemon that was killed, had on its way ([`Output::transit_files`]): it is
    /// written first. What a keeper holds for one it holds for the next, at every moment.
    pub fn take_over(&mut self, files: TransitFiles) {
        self.leftover = take_over(files, &mut self.sinks).unwrap_or_else(|error| {
            let text = format!("output that the previous daemon was writing when it was killed may be lost: {error}");
            self.activity.log(LogLevel::Warn, &text, &mut self.sinks);
            None
        });
    }

    /// The way in; what is sent before the start waits.
    pub fn handle(&self) -> OutputHandle {
        self.requests.clone()
    }

    /// Copies of what must outlive this process, so that nothing is lost or repeated of what is on its way to a log when it
    /// is killed: see [`Output::take_over`] and [`Request::Kept`]. None where the system cannot do that.
    pub fn transit_files(&mut self) -> Option<TransitFiles> {
        self.sinks.transit()?.files().ok()
    }

    /// A handle on the activity log; what is logged before the start waits.
    pub fn activity(&self) -> Activity {
        let requests = self.requests.clone();
        let progress = requests.progress().clone();
        Activity::written(self.level, move |line| requests.send(Request::Activity { line }), progress)
    }

    /// Starts the thread. `report` runs on it, must not block and must wake control.
    pub fn start(self, report: impl Fn(Report) + Send + 'static) -> io::Result<Running> {
        let Output { requests, mut sinks, activity, strip_ansi, leftover, .. } = self;
        let poll = Poll::new()?;
        sinks.set_registry(poll.registry().try_clone()?);
        requests.set_notifier(Notifier::new(Waker::new(poll.registry(), plane::REQUESTS)?));
        let budget = ReportBudget::new(requests.clone());
        let outlets = Outlets { sinks, activity, strip_ansi, budget: budget.clone(), to_control: Box::new(report) };
        let plane = Plane::new(poll, requests.clone(), outlets, leftover);
        let thread = thread::Builder::new().name("output".to_owned()).spawn(move || plane.run())?;
        Ok(Running { handle: requests, budget, thread })
    }
}

/// Reads what was on its way, if anything was, and replaces the transit.
fn take_over(files: TransitFiles, sinks: &mut Sinks) -> io::Result<Option<Leftover>> {
    let leftover = Leftover::read(&files)?;
    sinks.replace_transit(Transit::adopt(files)?);
    Ok(leftover)
}

/// What control asks of the output plane, in order.
pub enum Request {
    /// Open the logs of a process about to be spawned and begin to read its pipes. The answer says which log cannot be
    /// opened; then nothing was attached. When nobody waits for it any more, the process
    /// runs already, and is attached whether its logs can be opened or not.
    Attach { run: RunId, process: Arc<str>, channels: Vec<AttachChannel>, reply: Answer<Result<(), LogFailure>> },
    /// Say that everything asked before has been done.
    Answer { reply: Answer<()> },
    /// Begin to read the pipes of a process that another program started. Its logs are opened when they are first
    /// written: after an upgrade nobody waits for a thousand of them.
    Resume { run: RunId, process: Arc<str>, channels: Vec<AttachChannel> },
    /// The process ended: read what is still in its pipes, finish its pipeline, close its logs, answer
    /// [`Report::Drained`].
    Drain { run: RunId },
    /// The process was never spawned after all: forget it without a report.
    Detach { run: RunId },
    /// Log bytes that control itself read (the stdout of a listener).
    Write { run: RunId, channel: Channel, bytes: Vec<u8> },
    /// Write one finished line (with its line feed) to the activity log.
    Activity { line: String },
    /// Close and open again the activity log and all child logs (SIGUSR2).
    Reopen,
    /// Empty the logs of a process, whether it runs or not; the rotated files stay.
    ClearLogs { files: Vec<String>, reply: Box<dyn FnOnce(Result<(), i32>) + Send> },
    /// Remove the activity log and begin a new one.
    ClearActivity { reply: Box<dyn FnOnce(Result<(), ClearError>) + Send> },
    /// Create an empty automatic log file, mode 0600.
    CreateAuto { path: String },
    /// Turn the removal of terminal escapes on or off for everything read from now on.
    StripAnsi(bool),
    /// Give copies of all pipes that are read, as [`Report::Copies`].
    Copy,
    /// Begin the state file anew with this content, in one step. A disk that does not take it, or one of the lines that
    /// follow, is [`Report::StateFailed`].
    JournalBegin { path: String, content: Vec<u8> },
    /// Append a line to the state file.
    Journal { line: Vec<u8> },
    /// Remove the state file.
    JournalEnd { path: String },
    /// Somebody else holds copies of [`Output::transit_files`], or nobody does any more.
    Kept(bool),
    /// Finish all writes, read nothing more, give back every stream and end the thread.
    HandOver { reply: SyncSender<Vec<HandedStream>> },
    /// Finish all writes and end the thread.
    Stop,
}

/// A log of a process that cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFailure {
    /// Its path.
    pub path: Arc<str>,
    /// Why not.
    pub error: Errno,
}

/// Why the activity log could not be cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearError {
    /// There is no file.
    NoFile,
    /// The system refused, or it is no regular file.
    Failed,
}

/// One stream to attach.
pub struct AttachChannel {
    /// Which.
    pub channel: Channel,
    /// The read end of the pipe; none where control reads it itself.
    pub pipe: Option<OwnedFd>,
    /// What to do with its bytes.
    pub plan: ChannelPlan,
    /// How far the bytes have got that another output plane read before; none for a new child.
    pub pipeline: Option<Pipeline>,
}

/// One stream given back.
#[derive(Debug)]
pub struct HandedStream {
    /// Whose.
    pub run: RunId,
    /// Which.
    pub channel: Channel,
    /// Its pipe; none where control reads it itself, or when it has ended.
    pub pipe: Option<OwnedFd>,
    /// What it holds back.
    pub pipeline: Pipeline,
}

/// A copy of the pipe of a stream.
#[derive(Debug)]
pub struct StreamCopy {
    /// Whose.
    pub run: RunId,
    /// Which.
    pub channel: Channel,
    /// The read end.
    pub pipe: OwnedFd,
}

/// What the output plane tells control, in order.
#[derive(Debug)]
pub enum Report {
    /// A piece of output of a stream with events enabled.
    Log { run: RunId, channel: Channel, bytes: Vec<u8> },
    /// A finished capture section.
    Communication { run: RunId, channel: Channel, bytes: Vec<u8> },
    /// Everything the process wrote has been read, and the reports above went out before this one.
    Drained { run: RunId },
    /// Copies of all pipes that are read.
    Copies(Vec<StreamCopy>),
    /// The state file is not what it should be; it must be begun anew.
    StateFailed,
    /// After that it has been.
    StateWritten,
}

#[cfg(test)]
mod tests;
