//! The output plane: one thread that owns every child's stdout and stderr pipe and every log sink.
//!
//! It never decides about processes. A disk that hangs stops this thread and nothing else.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use supervisord_core::output::{Channel, ChannelPlan};

/// One life of one process, from its spawn to its end; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// What control asks of the output plane, in order.
pub enum Request {
    /// Open the logs of a process about to be spawned and begin to read its pipes. The answer is the system's error
    /// number where a log cannot be opened; then nothing was attached.
    Attach { run: RunId, process: Arc<str>, channels: Vec<AttachChannel>, reply: SyncSender<Result<(), i32>> },
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
    /// Finish all writes and end the thread.
    Stop,
}

/// Why the activity log could not be cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearError {
    /// There is no file.
    NoFile,
    /// The system refused.
    Failed(i32),
}

/// One stream to attach.
pub struct AttachChannel {
    /// Which.
    pub channel: Channel,
    /// The read end of the pipe; none where control reads it itself.
    pub pipe: Option<OwnedFd>,
    /// What to do with its bytes.
    pub plan: ChannelPlan,
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
}
