//! Events of a daemon as messages of the stream, and back.
//!
//! A message carries the events that were there together. It is sent again until the server has accepted it, so that one
//! may come twice: ids grow within a boot of the host, and readers pass over what is not newer than what they had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host_name::HostName;
use crate::report::{MAX_MESSAGE, bound};
use crate::server_sent::ServerSentEvent;

/// The most events in a message.
pub const MAX_EVENTS: usize = 64;
/// When a message is full, in bytes of the data of its events.
pub const FULL: usize = 64 << 10;
/// The most hosts of which a reader remembers the last event.
const MAX_READ: usize = 5000;

/// One event of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetEvent {
    /// The id that the daemon has given it.
    pub id: String,
    /// What has happened.
    pub event: String,
    /// The members of the event.
    pub data: Value,
}

/// A message of the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// In the order in which they happened.
    pub events: Vec<FleetEvent>,
}

/// Passes over events that have been read.
#[derive(Debug, Default)]
pub struct EventReader {
    last: BTreeMap<HostName, String>,
}

impl FleetEvent {
    /// An event of the daemon's stream; none for a block without an event, and what is no event of the past.
    pub fn of_daemon(event: &ServerSentEvent) -> Option<FleetEvent> {
        if event.name.is_empty() || event.name == "usage" {
            return None;
        }
        let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
        Some(FleetEvent { id: event.id.clone(), event: event.name.clone(), data })
    }
}

impl EventBatch {
    /// What the server knows a message by that has come before.
    pub fn message_id(&self, host: &HostName) -> String {
        let id = |event: Option<&FleetEvent>| event.map(|event| event.id.clone()).unwrap_or_default();
        format!("{host}/{}/{}/{}", id(self.events.first()), id(self.events.last()), self.events.len())
    }

    /// The events of a message; none where it is no such message.
    pub fn read(message: &[u8]) -> Option<EventBatch> {
        if message.len() > MAX_MESSAGE {
            return None;
        }
        let mut batch: EventBatch = serde_json::from_slice(message).ok()?;
        batch.events.truncate(MAX_EVENTS);
        for event in &mut batch.events {
            bound(&mut event.id);
            bound(&mut event.event);
        }
        Some(batch)
    }
}

impl EventReader {
    /// Those events of a message that have not been read.
    pub fn unread(&mut self, host: &HostName, batch: EventBatch) -> Vec<FleetEvent> {
        if self.last.len() >= MAX_READ && !self.last.contains_key(host) {
            return batch.events;
        }
        let last = self.last.entry(host.clone()).or_default();
        let mut unread = Vec::new();
        for event in batch.events {
            // A gap has the id of what comes before it.
            if event.event == "gap" || is_newer(&event.id, last) {
                if !event.id.is_empty() {
                    last.clone_from(&event.id);
                }
                unread.push(event);
            }
        }
        unread
    }
}

/// Whether an id is newer than another. Ids are `BOOT-NUMBER`; what is not from the same boot is newer.
fn is_newer(id: &str, last: &str) -> bool {
    fn parts(id: &str) -> Option<(&str, u64)> {
        let (boot, number) = id.rsplit_once('-')?;
        Some((boot, number.parse().ok()?))
    }
    match (parts(id), parts(last)) {
        (Some((boot, number)), Some((last_boot, last_number))) if boot == last_boot => number > last_number,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host() -> HostName {
        HostName::parse("h").unwrap()
    }

    fn event(id: String) -> FleetEvent {
        FleetEvent { id, event: "process_state".to_owned(), data: Value::Null }
    }

    fn ids(events: &[FleetEvent]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn what_comes_twice_is_read_once_and_another_boot_is_new() {
        let mut reader = EventReader::default();
        let mut read = |list: &[&str]| {
            let events = list.iter().map(|id| event((*id).to_owned())).collect();
            ids(&reader.unread(&host(), EventBatch { events })).join(" ")
        };
        assert_eq!(read(&["a-1", "a-2"]), "a-1 a-2");
        assert_eq!(read(&["a-1", "a-2", "a-10"]), "a-10");
        assert_eq!(read(&["a-9", "b-1"]), "b-1");
    }

    #[test]
    fn a_gap_is_always_told() {
        let mut reader = EventReader::default();
        let gap = FleetEvent { event: "gap".to_owned(), ..event("a-5".to_owned()) };
        reader.unread(&host(), EventBatch { events: vec![event("a-5".to_owned())] });
        assert_eq!(reader.unread(&host(), EventBatch { events: vec![gap.clone()] }), [gap]);
    }

    #[test]
    fn blocks_without_events_are_none() {
        let named =
            |name: &str| ServerSentEvent { id: "a-1".to_owned(), name: name.to_owned(), data: "{\"x\":1}".to_owned() };
        assert!(FleetEvent::of_daemon(&named("")).is_none() && FleetEvent::of_daemon(&named("usage")).is_none());
        assert_eq!(FleetEvent::of_daemon(&named("gap")).unwrap().data["x"], 1);
    }

    proptest! {
        /// Batches that overlap, as after a crash of the agent, tell each event once and in order.
        #[test]
        fn overlapping_batches_tell_each_event_once(cuts in proptest::collection::vec((0u64..8, 1u64..8), 1..20)) {
            let (mut reader, mut told, mut next) = (EventReader::default(), Vec::new(), 0u64);
            for (back, length) in cuts {
                let from = next.saturating_sub(back);
                next = next.max(from + length);
                let events = (from..from + length).map(|number| event(format!("a-{number}"))).collect();
                told.extend(reader.unread(&host(), EventBatch { events }));
            }
            let expected: Vec<String> = (0..next).map(|number| format!("a-{number}")).collect();
            prop_assert_eq!(ids(&told), expected.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
