//! The logs of a program: the output plane opens them before the program is spawned, and a spawn waits for that.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use supervisord_config::line_pattern::LinePattern;
use supervisord_config::log_form::LogFormat;
use supervisord_config::model::{Identity, LogLevel, Process};
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::records::{RecordPlan, RecordSource};
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::process::{ExitStatus, ProgramCommand};
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::row::Row;
use supervisord_core::supervisor::{ProcessId, Supervisor};
use supervisord_core::texts;

use super::{forwarding, output_memory};
use crate::control::tools::Tools;
use crate::output::answer::{Awaited, NoAnswer, answer};
use crate::output::{AttachChannel, LogFailure, OutputRequest, RunId};

/// How long a spawn waits for its logs to be opened: normally microseconds, but never longer than this, because their
/// disk may hang.
const OPEN_BOUND: Duration = Duration::from_secs(1);

/// The answer of the output plane that is to open logs: nothing, or why one cannot be opened.
pub(super) type Opening = Awaited<Result<(), LogFailure>>;

/// Has logs opened.
#[derive(Default)]
pub(super) struct LogOpener {
    /// The output plane did not answer in time once; it is not waited for again before it does.
    is_stalled: bool,
}

/// Asks the output plane to open the logs of a program.
pub(super) fn open(run: RunId, process: &Process, channels: Vec<AttachChannel>, tools: &Tools) -> Opening {
    if channels.iter().any(|channel| channel.plan.memory.is_some()) {
        output_memory::prepare(tools);
    }
    let (reply, opening) = answer();
    tools.output.put_off(OutputRequest::Attach {
        run,
        process: process.identity.name.as_str().into(),
        channels,
        reply,
    });
    opening
}

impl LogOpener {
    /// Whether the output plane answers in time, whatever it did before.
    pub(super) fn does_respond(&mut self, tools: &Tools) -> bool {
        let (reply, answered) = answer();
        tools.output.send(OutputRequest::Answer { reply });
        self.is_stalled = answered.within(OPEN_BOUND).is_err();
        !self.is_stalled
    }

    /// Where the output plane does not answer in time, the child is started all the same: its output waits in the pipe.
    pub(super) fn wait(&mut self, opening: Opening, tools: &Tools) -> Result<(), LogFailure> {
        tools.output.ring_if_due();
        let limit = if self.is_stalled { Duration::ZERO } else { OPEN_BOUND };
        match opening.within(limit) {
            Ok(result) => {
                self.is_stalled = false;
                result
            }
            Err(NoAnswer::Overdue) => {
                if !self.is_stalled {
                    self.is_stalled = true;
                    let text = "the log files do not respond; programs are started without waiting for them";
                    tools.activity.log(LogLevel::Warn, text);
                }
                Ok(())
            }
            Err(NoAnswer::Never) => Ok(()),
        }
    }
}

/// Tells the output plane which process has been made, where records are to say that.
pub(super) fn spawned(run: RunId, pid: u32, process: &Process, tools: &Tools) {
    let names_process =
        |channel| *log_format(process, channel) != LogFormat::Raw || forwarding::is_wanted(process, channel);
    if [Channel::Stdout, Channel::Stderr].into_iter().any(names_process) {
        tools.output.put_off(OutputRequest::Spawned { run, pid });
    }
}

/// Tells in the log of a program that it has been started.
pub(super) fn mark_start(run: RunId, pid: u32, process: &Process, tools: &Tools) {
    mark(run, process, tools, || format!("{} started, pid {pid}", process.identity.name));
}

/// Tells in the log of a program that it has been sent a signal.
pub(in crate::control) fn mark_signal(run: RunId, process: &Process, signal: i32, tools: &Tools) {
    mark(run, process, tools, || format!("{} is sent {}", process.identity.name, texts::signal_name(signal)));
}

/// What tells in the log of a program that it has ended; none where nothing is to.
pub(in crate::control) fn end_marker(process: &Process, status: ExitStatus) -> Option<String> {
    let text = || format!("{} ended, {}", process.identity.name, texts::termination(status));
    process.logging.log_markers.then(text)
}

fn mark(run: RunId, process: &Process, tools: &Tools, text: impl FnOnce() -> String) {
    if process.logging.log_markers {
        tools.output.put_off(OutputRequest::Mark { run, text: text() });
    }
}

const fn log_format(process: &Process, channel: Channel) -> &LogFormat {
    match channel {
        Channel::Stdout => &process.logging.stdout.log_format,
        Channel::Stderr => &process.logging.stderr.log_format,
    }
}

/// The records that are to be made of a stream of the process with this id; none where its lines stay as they are.
fn records(row: &Row, channel: Channel, pid: Option<u32>) -> Option<RecordPlan> {
    let Identity { name, number, section, .. } = &row.config.identity;
    let program = section.split_once(':').map_or(section.as_str(), |(_, program)| program);
    let source = RecordSource { program, group: &row.group, process: name, number: *number, channel };
    RecordPlan::new(log_format(&row.config, channel), &source, pid)
}

/// What the output plane is to read and how. `pid` is that of the process, where there is one already.
pub(in crate::control) fn channel(
    supervisor: &Supervisor,
    id: ProcessId,
    pid: Option<u32>,
    channel: Channel,
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
    end: Vec<u8>,
) -> Option<AttachChannel> {
    let row = supervisor.row(id)?;
    let process = &row.config;
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
        rotation_rules: RotationRules::of(&log.rotation),
        capture_maxbytes: if is_protocol { 0 } else { log.capture_maxbytes },
        events_enabled: log.events_enabled && !is_protocol,
        syslog: log.syslog && !is_protocol,
        keeps_end: channel == Channel::Stderr || process.logging.redirect_stderr && !is_protocol,
        records: if is_protocol { None } else { records(&row, channel, pid) },
        markers: process.logging.log_markers && !is_protocol && has_markers(supervisor, id, channel),
        when_blocked: process.logging.log_when_blocked,
        memory: output_memory::plan(&row, channel),
        forward: if is_protocol { None } else { forwarding::plan(&row, channel, pid).map(Arc::new) },
        ready_line: None,
        is_private: false,
    };
    Some(AttachChannel { channel, pipe, plan, pipeline, end })
}

/// Whether this is the log that tells what happens to a process: that of its stdout, or if it has none, that of its stderr.
fn has_markers(supervisor: &Supervisor, id: ProcessId, channel: Channel) -> bool {
    channel == Channel::Stdout || supervisor.is_listener(id) || supervisor.log_file(id, Channel::Stdout).is_none()
}

/// The same of a program that says by a line of its output that it is ready, and is still to do so.
pub(in crate::control) fn awaiting(channel: AttachChannel, line: Option<&LinePattern>) -> AttachChannel {
    let plan = ChannelPlan { ready_line: line.cloned().map(Box::new), ..channel.plan };
    AttachChannel { plan, ..channel }
}

/// What a command writes beside what it tells about the environment: it goes to the log of the program, and nowhere else.
fn private(plan: ChannelPlan) -> ChannelPlan {
    ChannelPlan { syslog: false, forward: None, is_private: true, ..plan }
}

/// What the output plane is to read of a command of a process: it goes to the logs of the program, and causes no events.
pub(in crate::control) fn command_channel(
    supervisor: &Supervisor,
    id: ProcessId,
    pid: Option<u32>,
    (command, kind): (ProgramCommand, Channel),
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
) -> Option<AttachChannel> {
    let channel = channel(supervisor, id, pid, kind, pipe, pipeline, Vec::new())?;
    let plan = ChannelPlan { capture_maxbytes: 0, events_enabled: false, markers: false, ..channel.plan };
    let plan = if command == ProgramCommand::Environment { private(plan) } else { plan };
    Some(AttachChannel { plan, ..channel })
}
