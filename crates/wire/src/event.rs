//! Event types: their names, their hierarchy, and the header line of an event. The names are those of the original's
//! `supervisor/events.py`.

/// A type of event. The first of each family is abstract: listeners can subscribe to it, but it is never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    Event,
    ProcessState,
    ProcessStateStopped,
    ProcessStateStarting,
    ProcessStateRunning,
    ProcessStateBackoff,
    ProcessStateStopping,
    ProcessStateExited,
    ProcessStateFatal,
    ProcessStateUnknown,
    ProcessCommunication,
    ProcessCommunicationStdout,
    ProcessCommunicationStderr,
    ProcessLog,
    ProcessLogStdout,
    ProcessLogStderr,
    RemoteCommunication,
    SupervisorStateChange,
    SupervisorStateChangeRunning,
    SupervisorStateChangeStopping,
    Tick,
    Tick5,
    Tick60,
    Tick3600,
    ProcessGroup,
    ProcessGroupAdded,
    ProcessGroupRemoved,
}

use EventType as E;

/// Each type with its name on the wire and its parent.
const TREE: [(E, &str, Option<E>); 27] = [
    (E::Event, "EVENT", None),
    (E::ProcessState, "PROCESS_STATE", Some(E::Event)),
    (E::ProcessStateStopped, "PROCESS_STATE_STOPPED", Some(E::ProcessState)),
    (E::ProcessStateStarting, "PROCESS_STATE_STARTING", Some(E::ProcessState)),
    (E::ProcessStateRunning, "PROCESS_STATE_RUNNING", Some(E::ProcessState)),
    (E::ProcessStateBackoff, "PROCESS_STATE_BACKOFF", Some(E::ProcessState)),
    (E::ProcessStateStopping, "PROCESS_STATE_STOPPING", Some(E::ProcessState)),
    (E::ProcessStateExited, "PROCESS_STATE_EXITED", Some(E::ProcessState)),
    (E::ProcessStateFatal, "PROCESS_STATE_FATAL", Some(E::ProcessState)),
    (E::ProcessStateUnknown, "PROCESS_STATE_UNKNOWN", Some(E::ProcessState)),
    (E::ProcessCommunication, "PROCESS_COMMUNICATION", Some(E::Event)),
    (E::ProcessCommunicationStdout, "PROCESS_COMMUNICATION_STDOUT", Some(E::ProcessCommunication)),
    (E::ProcessCommunicationStderr, "PROCESS_COMMUNICATION_STDERR", Some(E::ProcessCommunication)),
    (E::ProcessLog, "PROCESS_LOG", Some(E::Event)),
    (E::ProcessLogStdout, "PROCESS_LOG_STDOUT", Some(E::ProcessLog)),
    (E::ProcessLogStderr, "PROCESS_LOG_STDERR", Some(E::ProcessLog)),
    (E::RemoteCommunication, "REMOTE_COMMUNICATION", Some(E::Event)),
    (E::SupervisorStateChange, "SUPERVISOR_STATE_CHANGE", Some(E::Event)),
    (E::SupervisorStateChangeRunning, "SUPERVISOR_STATE_CHANGE_RUNNING", Some(E::SupervisorStateChange)),
    (E::SupervisorStateChangeStopping, "SUPERVISOR_STATE_CHANGE_STOPPING", Some(E::SupervisorStateChange)),
    (E::Tick, "TICK", Some(E::Event)),
    (E::Tick5, "TICK_5", Some(E::Tick)),
    (E::Tick60, "TICK_60", Some(E::Tick)),
    (E::Tick3600, "TICK_3600", Some(E::Tick)),
    (E::ProcessGroup, "PROCESS_GROUP", Some(E::Event)),
    (E::ProcessGroupAdded, "PROCESS_GROUP_ADDED", Some(E::ProcessGroup)),
    (E::ProcessGroupRemoved, "PROCESS_GROUP_REMOVED", Some(E::ProcessGroup)),
];

impl EventType {
    /// All types, parents before their children.
    pub fn all() -> impl Iterator<Item = EventType> {
        TREE.into_iter().map(|(event, _, _)| event)
    }

    /// The type with this name, which is in capitals.
    pub fn from_name(name: &str) -> Option<EventType> {
        TREE.into_iter().find(|(_, known, _)| *known == name).map(|(event, _, _)| event)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        TREE[self as usize].1
    }

    /// Whether a subscription to `wanted` delivers events of this type.
    pub fn is_a(self, wanted: EventType) -> bool {
        self == wanted || TREE[self as usize].2.is_some_and(|parent| parent.is_a(wanted))
    }
}

/// The header line of one event, including its line feed; the payload follows directly.
///
/// `len` counts characters, not bytes, as the original's listeners in text mode expect. Spaces and colons of the server
/// identifier would add fields to the line, so they are replaced by `_`.
pub fn header(server: &str, serial: u64, pool: &str, pool_serial: u64, event: EventType, payload: &str) -> String {
    let server = server.replace(|letter: char| letter == ':' || letter.is_whitespace(), "_");
    format!(
        "ver:3.0 server:{server} serial:{serial} pool:{pool} poolserial:{pool_serial} eventname:{} len:{}\n",
        event.name(),
        payload.chars().count()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for (position, event) in EventType::all().enumerate() {
            assert_eq!(event as usize, position, "{}", event.name());
        }
    }

    #[test]
    fn a_subscription_includes_all_descendants() {
        assert!(E::ProcessStateExited.is_a(E::ProcessState));
        assert!(E::Tick5.is_a(E::Event));
        assert!(!E::Tick5.is_a(E::Tick60));
    }

    #[test]
    fn the_length_counts_characters() {
        let line = header("sup", 1, "p", 0, E::RemoteCommunication, "type:é\n");
        assert_eq!(line, "ver:3.0 server:sup serial:1 pool:p poolserial:0 eventname:REMOTE_COMMUNICATION len:7\n");
    }

    #[test]
    fn separators_in_an_identifier_are_replaced() {
        let line = header("my web:1\n", 1, "pool", 2, E::Tick5, "when:5");
        assert_eq!(line, "ver:3.0 server:my_web_1_ serial:1 pool:pool poolserial:2 eventname:TICK_5 len:6\n");
    }
}
