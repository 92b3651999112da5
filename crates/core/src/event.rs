//! Events. [`Event::render`] gives an event the payload that the original has for it (`supervisor/events.py`). The supervisor
//! renders an event only if an event listener or a plug-in has subscribed to its type.

use std::fmt::Write;
use std::sync::Arc;

use supervisord_wire::event::EventType;
use supervisord_wire::state::ProcessState;

use crate::health::HealthStatus;
use crate::output::Channel;
use crate::output::debug_text::bytes_literal;
use crate::process::{ProgramCommand, StateDetail};
use crate::ticks::Period;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state of a process, as clients see it, has changed.
    ProcessState {
        /// Which process.
        process: ProcessName,
        /// The state before.
        from: ProcessState,
        /// The state now.
        to: ProcessState,
        /// Further details of the change.
        detail: StateDetail,
    },
    /// A process wrote to a channel whose option `stdout_events_enabled` or `stderr_events_enabled` is set.
    ProcessLog(ProcessOutput),
    /// A process wrote text between the tags of the capture mode.
    ProcessCommunication(ProcessOutput),
    /// A client called `sendRemoteCommEvent`.
    RemoteCommunication {
        /// The type that the client chose.
        kind: String,
        /// The body.
        data: String,
    },
    /// The daemon has started, or has begun to stop all processes.
    SupervisorState(SupervisorState),
    /// The wall clock has entered the next period of 5, 60 or 3600 seconds.
    Tick {
        /// The length of the period.
        period: Period,
        /// The beginning of the period, in seconds since the epoch.
        when: u64,
    },
    /// A group was activated.
    ProcessGroupAdded(Arc<str>),
    /// A group was removed.
    ProcessGroupRemoved(Arc<str>),
    /// A process that is watched has become healthy or unhealthy. The original has no such event: only the history gets it.
    ProcessHealth {
        /// Which process.
        process: ProcessName,
        /// How it was before.
        from: HealthStatus,
        /// How it is now.
        to: HealthStatus,
        /// Why it is not well.
        reason: Option<String>,
    },
    /// A hook of a process has failed. The original has no hooks: only the history gets it.
    HookFailed {
        /// Which process.
        process: ProcessName,
        /// Which hook.
        hook: ProgramCommand,
        /// Why, in words.
        reason: String,
    },
    /// Output of a process did not get into its log. The original does not tell: only the history gets it.
    OutputLost {
        /// Which process.
        process: ProcessName,
        /// The channel.
        channel: Channel,
        /// How many bytes of it were lost until now.
        lost_bytes: u64,
    },
}

/// The name of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessName {
    /// Its group.
    pub group: Arc<str>,
    /// Its name within the group.
    pub process: Arc<str>,
}

/// A piece of the output of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOutput {
    /// Which process.
    pub process: ProcessName,
    /// The process id of its child that wrote this.
    pub pid: u32,
    /// The channel.
    pub channel: Channel,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The state of the daemon as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorState {
    /// It supervises its processes.
    Running,
    /// It stops all processes.
    Stopping,
}

/// An event in the form in which the original sends it to listeners and plug-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedEvent {
    /// Its type.
    pub kind: EventType,
    /// Its payload: `key:value` pairs separated by spaces. If the type has a body, a line feed and the body follow.
    pub payload: String,
}

impl Event {
    /// Its type on the wire; none where listeners and plug-ins know no such event.
    pub fn kind(&self) -> Option<EventType> {
        Some(match self {
            Event::ProcessHealth { .. } | Event::HookFailed { .. } | Event::OutputLost { .. } => return None,
            Event::ProcessState { to, .. } => match to {
                ProcessState::Stopped => EventType::ProcessStateStopped,
                ProcessState::Starting => EventType::ProcessStateStarting,
                ProcessState::Running => EventType::ProcessStateRunning,
                ProcessState::Backoff => EventType::ProcessStateBackoff,
                ProcessState::Stopping => EventType::ProcessStateStopping,
                ProcessState::Exited => EventType::ProcessStateExited,
                ProcessState::Fatal => EventType::ProcessStateFatal,
                ProcessState::Unknown => EventType::ProcessStateUnknown,
            },
            Event::ProcessLog(ProcessOutput { channel: Channel::Stdout, .. }) => EventType::ProcessLogStdout,
            Event::ProcessLog(ProcessOutput { channel: Channel::Stderr, .. }) => EventType::ProcessLogStderr,
            Event::ProcessCommunication(ProcessOutput { channel: Channel::Stdout, .. }) => {
                EventType::ProcessCommunicationStdout
            }
            Event::ProcessCommunication(ProcessOutput { channel: Channel::Stderr, .. }) => {
                EventType::ProcessCommunicationStderr
            }
            Event::RemoteCommunication { .. } => EventType::RemoteCommunication,
            Event::SupervisorState(SupervisorState::Running) => EventType::SupervisorStateChangeRunning,
            Event::SupervisorState(SupervisorState::Stopping) => EventType::SupervisorStateChangeStopping,
            Event::Tick { period, .. } => period.kind(),
            Event::ProcessGroupAdded(_) => EventType::ProcessGroupAdded,
            Event::ProcessGroupRemoved(_) => EventType::ProcessGroupRemoved,
        })
    }

    /// The event in the form for listeners and plug-ins; none where they know no such event.
    pub fn render(&self) -> Option<RenderedEvent> {
        Some(RenderedEvent { kind: self.kind()?, payload: self.payload() })
    }

    fn payload(&self) -> String {
        match self {
            Event::ProcessState { process, from, detail: StateDetail::None, .. } => {
                format!("{} from_state:{from}", names(process))
            }
            Event::ProcessState { process, from, detail, .. } => {
                format!("{} from_state:{from} {detail}", names(process))
            }
            Event::ProcessLog(output) => {
                let channel = output.channel.name();
                with_data(format!("{} pid:{} channel:{channel}\n", names(&output.process), output.pid), &output.bytes)
            }
            Event::ProcessCommunication(output) => {
                with_data(format!("{} pid:{}\n", names(&output.process), output.pid), &output.bytes)
            }
            Event::RemoteCommunication { kind, data } => format!("type:{kind}\n{data}"),
            Event::SupervisorState(_)
            | Event::ProcessHealth { .. }
            | Event::HookFailed { .. }
            | Event::OutputLost { .. } => String::new(),
            Event::Tick { when, .. } => format!("when:{when}"),
            Event::ProcessGroupAdded(group) | Event::ProcessGroupRemoved(group) => format!("groupname:{group}\n"),
        }
    }
}

fn names(ProcessName { group, process }: &ProcessName) -> String {
    format!("processname:{process} groupname:{group}")
}

/// Appends the output of a process. Output that is not UTF-8 appears as in the original (`ProcessLogEvent` and
/// `ProcessCommunicationEvent` in `supervisor/events.py`).
fn with_data(mut payload: String, bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => payload.push_str(text),
        // Writing to a string cannot fail.
        Err(_) => _ = write!(payload, "Undecodable: {}", bytes_literal(bytes)),
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(event: Event) -> (&'static str, String) {
        let RenderedEvent { kind, payload } = event.render().unwrap();
        (kind.name(), payload)
    }

    fn process() -> ProcessName {
        ProcessName { group: "g".into(), process: "p".into() }
    }

    fn output(channel: Channel, bytes: &[u8]) -> ProcessOutput {
        ProcessOutput { process: process(), pid: 7, channel, bytes: bytes.to_vec() }
    }

    /// The forms are those of `supervisor/events.py` of the original.
    #[test]
    fn each_event_has_the_text_of_the_original() {
        let changed = |from, to, detail| Event::ProcessState { process: process(), from, to, detail };
        let cases = [
            (
                changed(ProcessState::Starting, ProcessState::Running, StateDetail::Pid(7)),
                "PROCESS_STATE_RUNNING",
                "processname:p groupname:g from_state:STARTING pid:7",
            ),
            (
                changed(ProcessState::Running, ProcessState::Exited, StateDetail::Exit { expected: false, pid: 7 }),
                "PROCESS_STATE_EXITED",
                "processname:p groupname:g from_state:RUNNING expected:0 pid:7",
            ),
            (
                changed(ProcessState::Starting, ProcessState::Backoff, StateDetail::Tries(2)),
                "PROCESS_STATE_BACKOFF",
                "processname:p groupname:g from_state:STARTING tries:2",
            ),
            (
                changed(ProcessState::Backoff, ProcessState::Fatal, StateDetail::None),
                "PROCESS_STATE_FATAL",
                "processname:p groupname:g from_state:BACKOFF",
            ),
            (
                Event::ProcessLog(output(Channel::Stderr, b"a\nb")),
                "PROCESS_LOG_STDERR",
                "processname:p groupname:g pid:7 channel:stderr\na\nb",
            ),
            (
                Event::ProcessCommunication(output(Channel::Stdout, b"\xff")),
                "PROCESS_COMMUNICATION_STDOUT",
                "processname:p groupname:g pid:7\nUndecodable: b'\\xff'",
            ),
            (
                Event::RemoteCommunication { kind: "t".to_owned(), data: "d".to_owned() },
                "REMOTE_COMMUNICATION",
                "type:t\nd",
            ),
            (Event::SupervisorState(SupervisorState::Stopping), "SUPERVISOR_STATE_CHANGE_STOPPING", ""),
            (Event::Tick { period: Period::Minute, when: 120 }, "TICK_60", "when:120"),
            (Event::ProcessGroupRemoved("g".into()), "PROCESS_GROUP_REMOVED", "groupname:g\n"),
        ];
        for (event, kind, payload) in cases {
            assert_eq!(rendered(event), (kind, payload.to_owned()));
        }
    }
}
