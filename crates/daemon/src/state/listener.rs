//! How far an event listener has got with its events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::supervisor::ListenerProgress;
use supervisord_wire::listener::{self, ListenerData};

use super::pool::Queued;

/// An event listener.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listener {
    protocol: Protocol,
    event: Option<Queued>,
    #[serde(default)]
    judgement: Option<u64>,
    violations: u32,
    #[serde(rename = "revival")]
    restart_at: Option<Duration>,
    #[serde(default, rename = "doubt")]
    ready_at: Option<Duration>,
}

/// The state of the protocol.
#[derive(Debug, Serialize, Deserialize)]
struct Protocol {
    state: State,
    buffer: Vec<u8>,
    result_length: Option<usize>,
    judging: bool,
    #[serde(default, rename = "knowledge")]
    completeness: Completeness,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum State {
    Ready,
    Busy,
    Acknowledged,
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum Completeness {
    #[default]
    #[serde(rename = "Sure")]
    Complete,
    #[serde(rename = "Doubtful")]
    Uncertain,
    #[serde(rename = "Missed")]
    Incomplete,
}

impl From<&ListenerProgress> for Listener {
    fn from(progress: &ListenerProgress) -> Listener {
        let ListenerProgress { protocol, event, judgement, violations, restart_at, ready_at } = progress;
        Listener {
            protocol: ListenerData::from(protocol.clone()).into(),
            event: event.as_ref().map(Queued::from),
            judgement: *judgement,
            violations: *violations,
            restart_at: *restart_at,
            ready_at: *ready_at,
        }
    }
}

impl From<Listener> for ListenerProgress {
    fn from(listener: Listener) -> ListenerProgress {
        let Listener { protocol, event, judgement, violations, restart_at, ready_at } = listener;
        ListenerProgress {
            protocol: ListenerData::from(protocol).into(),
            event: event.and_then(Queued::known),
            judgement,
            violations,
            restart_at,
            ready_at,
        }
    }
}

impl From<ListenerData> for Protocol {
    fn from(data: ListenerData) -> Protocol {
        let ListenerData { state, buffer, result_length, judging, completeness } = data;
        let state = match state {
            listener::ListenerState::Ready => State::Ready,
            listener::ListenerState::Busy => State::Busy,
            listener::ListenerState::Acknowledged => State::Acknowledged,
            listener::ListenerState::Unknown => State::Unknown,
        };
        let completeness = match completeness {
            listener::Completeness::Complete => Completeness::Complete,
            listener::Completeness::Uncertain => Completeness::Uncertain,
            listener::Completeness::Incomplete => Completeness::Incomplete,
        };
        Protocol { state, buffer, result_length, judging, completeness }
    }
}

impl From<Protocol> for ListenerData {
    fn from(protocol: Protocol) -> ListenerData {
        let Protocol { state, buffer, result_length, judging, completeness } = protocol;
        let state = match state {
            State::Ready => listener::ListenerState::Ready,
            State::Busy => listener::ListenerState::Busy,
            State::Acknowledged => listener::ListenerState::Acknowledged,
            State::Unknown => listener::ListenerState::Unknown,
        };
        let completeness = match completeness {
            Completeness::Complete => listener::Completeness::Complete,
            Completeness::Uncertain => listener::Completeness::Uncertain,
            Completeness::Incomplete => listener::Completeness::Incomplete,
        };
        ListenerData { state, buffer, result_length, judging, completeness }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form(state: &str, completeness: &str) -> Value {
        json!({
            "protocol": {"state": state, "buffer": [82, 69], "result_length": 5, "judging": true, "knowledge": completeness},
            "event": {"event": {"kind": "Tick5", "payload": "when:5"}, "serial": 3, "pool_serial": 1},
            "judgement": 9, "violations": 2, "revival": {"secs": 1, "nanos": 2}, "doubt": {"secs": 3, "nanos": 4},
        })
    }

    #[test]
    fn a_listener_keeps_its_form() {
        for state in ["Ready", "Busy", "Acknowledged", "Unknown"] {
            for completeness in ["Sure", "Doubtful", "Missed"] {
                let form = form(state, completeness);
                let progress: ListenerProgress = serde_json::from_value::<Listener>(form.clone()).unwrap().into();
                assert_eq!(serde_json::to_value(Listener::from(&progress)).unwrap(), form);
            }
        }
        let progress: ListenerProgress = serde_json::from_value::<Listener>(form("Busy", "Missed")).unwrap().into();
        let ListenerProgress { protocol, event, judgement, violations, restart_at, ready_at } = progress;
        let data = ListenerData {
            state: listener::ListenerState::Busy,
            buffer: b"RE".to_vec(),
            result_length: Some(5),
            judging: true,
            completeness: listener::Completeness::Incomplete,
        };
        assert_eq!(ListenerData::from(protocol), data);
        assert_eq!(event.map(|event| (event.event.payload.clone(), event.serial)), Some(("when:5".to_owned(), 3)));
        assert_eq!((judgement, violations), (Some(9), 2));
        assert_eq!((restart_at, ready_at), (Some(Duration::new(1, 2)), Some(Duration::new(3, 4))));
    }
}
