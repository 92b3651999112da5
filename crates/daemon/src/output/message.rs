//! What control and the output plane send each other.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use supervisord_core::output::forward::ForwardPlan;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{Channel, ChannelPlan, MemoryPlan};
pub use supervisord_core::supervisor::RunId;
use supervisord_sys::Errno;

use super::answer::Promise;
use super::compression_end::CompressionEnd;
use super::loss::Entries;

/// What control asks of the output plane, in order.
pub enum OutputRequest {
    /// Open the logs of a process about to be spawned and begin to read its pipes. The answer says which log cannot be
    /// opened; then nothing was attached. When nobody waits for it any more, the process
    /// runs already, and is attached whether its logs can be opened or not.
    Attach { run: RunId, process: Arc<str>, channels: Vec<AttachChannel>, reply: Promise<Result<(), LogFailure>> },
    /// Say that everything asked before has been done.
    Answer { reply: Promise<()> },
    /// Begin to read the pipes of a process that another program started. Its logs are opened when they are first
    /// written: after an upgrade nobody waits for a thousand of them.
    Resume { run: RunId, process: Arc<str>, channels: Vec<AttachChannel> },
    /// A process whose logs have records has been made: its pipes were not to be read before.
    Spawned { run: RunId, pid: u32 },
    /// Tell in the log what happens to the process.
    Mark { run: RunId, text: String },
    /// The process ended: read what is still in its pipes, finish its pipeline, tell of the end in the log, close its logs, answer
    /// [`Report::Drained`].
    Drain { run: RunId, marker: Option<String> },
    /// The process was never spawned after all: forget it without a report.
    Detach { run: RunId },
    /// Log bytes that control itself read (the stdout of a listener).
    Write { run: RunId, channel: Channel, bytes: Vec<u8> },
    /// Write one finished line (with its line feed) to the activity log.
    Activity { line: String },
    /// Write one finished line (with its line feed) to the audit log.
    Audit { line: String },
    /// Close and open again the activity log, the audit log and all child logs (SIGUSR2).
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
    /// Forward the lines of a stream where this plan says from now on.
    Forward { run: RunId, channel: Channel, plan: Option<Arc<ForwardPlan>> },
    /// Keep the last bytes of a stream in memory as this plan says from now on.
    KeepInMemory { run: RunId, channel: Channel, plan: Option<MemoryPlan> },
    /// What belongs into the activity log about lines that are forwarded. Some may have been lost.
    Forwarding(Entries),
    /// A rotated log has been compressed, or could not be.
    Compressed(CompressionEnd),
    /// Remove the state file.
    JournalEnd { path: String },
    /// Somebody else holds copies of [`super::Output::transit_files`], or nobody does any more.
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
    /// Its last bytes until now, where they are kept or a line is looked for.
    pub end: Vec<u8>,
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
    /// Its last bytes, where they are kept or a line is looked for.
    pub end: Vec<u8>,
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
    /// So many bytes of a stream did not get into its log.
    Lost { run: RunId, channel: Channel, bytes: u64 },
    /// So many lines of a stream of the process did not get to a log service.
    LinesLost { group: String, process: String, channel: Channel, lines: u64 },
    /// The process has written the line by which it says that it is ready.
    ReadyLine { run: RunId },
    /// Everything the process wrote has been read, and the reports above went out before this one. `end` is what explains how
    /// it ended, where anything does.
    Drained { run: RunId, end: Vec<u8> },
    /// Copies of all pipes that are read.
    Copies(Vec<StreamCopy>),
    /// The state file is not what it should be; it must be begun anew.
    StateFailed,
    /// After that it has been.
    StateWritten,
}
