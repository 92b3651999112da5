//! The logs of a program: the output plane opens them before the program is spawned, and a spawn waits for that.

use std::os::fd::OwnedFd;
use std::time::Duration;

use supervisord_config::line_pattern::LinePattern;
use supervisord_config::model::{LogLevel, Process};
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::supervisor::{ProcessId, Supervisor};

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

/// What the output plane is to read and how.
pub(in crate::control) fn channel(
    supervisor: &Supervisor,
    id: ProcessId,
    channel: Channel,
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
    end: Vec<u8>,
) -> Option<AttachChannel> {
    let process = supervisor.process(id)?;
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
        ready_line: None,
    };
    Some(AttachChannel { channel, pipe, plan, pipeline, end })
}

/// The same of a program that says by a line of its output that it is ready, and is still to do so.
pub(in crate::control) fn awaiting(channel: AttachChannel, line: Option<&LinePattern>) -> AttachChannel {
    let plan = ChannelPlan { ready_line: line.cloned(), ..channel.plan };
    AttachChannel { plan, ..channel }
}

/// What the output plane is to read of a command of a process: it goes to the logs of the program, and causes no events.
pub(in crate::control) fn command_channel(
    supervisor: &Supervisor,
    id: ProcessId,
    kind: Channel,
    pipe: Option<OwnedFd>,
    pipeline: Option<Pipeline>,
) -> Option<AttachChannel> {
    let channel = channel(supervisor, id, kind, pipe, pipeline, Vec::new())?;
    let plan = ChannelPlan { capture_maxbytes: 0, events_enabled: false, ..channel.plan };
    Some(AttachChannel { plan, ..channel })
}
