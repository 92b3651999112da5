//! The last events, as an upgrade passes them on.
//!
//! They are optional: a reader that does not understand them begins without, and whoever follows the events learns that
//! there is a gap.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use supervisord_core::event::{self, ProcessName, SupervisorState};
use supervisord_core::health::HealthStatus;
use supervisord_core::history::{self, HistoryData, Numbered};
use supervisord_core::output::Channel;
use supervisord_core::process::{ProgramCommand, StateDetail};
use supervisord_wire::state::ProcessState;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// The last events.
#[derive(Debug, Serialize, Deserialize)]
struct History {
    version: u32,
    /// The number of the last event that was dropped.
    dropped: u64,
    events: Vec<Event>,
}

/// An event with its number. What happened is one of the other members.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Event {
    number: u64,
    /// Nanoseconds since the epoch.
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<ProcessChange>,
    /// The name of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_added: Option<String>,
    /// The name of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_removed: Option<String>,
    /// `running` or `stopping`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supervisor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<HealthChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_hook: Option<FailedHook>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_output: Option<LostOutput>,
}

/// Output of a process was lost.
#[derive(Debug, Serialize, Deserialize)]
struct LostOutput {
    group: String,
    name: String,
    stream: String,
    bytes: u64,
}

/// A hook of a process has failed.
#[derive(Debug, Serialize, Deserialize)]
struct FailedHook {
    group: String,
    name: String,
    hook: String,
    reason: String,
}

/// A process has become healthy or unhealthy.
#[derive(Debug, Serialize, Deserialize)]
struct HealthChange {
    group: String,
    name: String,
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A process has come from one state into another; the states are codes, as clients know them.
#[derive(Debug, Serialize, Deserialize)]
struct ProcessChange {
    group: String,
    name: String,
    from: i32,
    to: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tries: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
}

/// Writes them as a field of another record.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(history: &Option<history::History>, serializer: S) -> Result<S::Ok, S::Error> {
    history.as_ref().map(History::from).serialize(serializer)
}

/// Reads them; none where they are not understood.
///
/// # Errors
/// It is no JSON.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<history::History>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let read: Option<History> = serde_json::from_value(value).ok();
    Ok(read.filter(|history| history.version == VERSION).map(history::History::from))
}

impl From<&history::History> for History {
    fn from(history: &history::History) -> History {
        let HistoryData { events, dropped } = history.into();
        History { version: VERSION, dropped, events: events.iter().filter_map(Event::new).collect() }
    }
}

impl From<History> for history::History {
    fn from(History { version: _, mut dropped, events }: History) -> history::History {
        let mut known = Vec::new();
        for event in events {
            let number = event.number;
            match event.known() {
                Some(event) => known.push(event),
                // One that is left out would be missed without anybody learning of it.
                None => {
                    known.clear();
                    dropped = number;
                }
            }
        }
        HistoryData { events: known, dropped }.into()
    }
}

impl Event {
    fn new(Numbered { number, at, event }: &Numbered) -> Option<Event> {
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let bare = Event { number: *number, at, ..Event::default() };
        match event {
            event::Event::ProcessState { process, from, to, detail } => {
                let (tries, pid, expected) = match *detail {
                    StateDetail::None => (None, None, None),
                    StateDetail::Tries(tries) => (Some(tries), None, None),
                    StateDetail::Pid(pid) => (None, Some(pid), None),
                    StateDetail::Exit { expected, pid } => (None, Some(pid), Some(expected)),
                };
                let (group, name) = (process.group.to_string(), process.process.to_string());
                let change = ProcessChange { group, name, from: from.code(), to: to.code(), tries, pid, expected };
                Some(Event { process: Some(change), ..bare })
            }
            event::Event::ProcessGroupAdded(group) => Some(Event { group_added: Some(group.to_string()), ..bare }),
            event::Event::ProcessGroupRemoved(group) => Some(Event { group_removed: Some(group.to_string()), ..bare }),
            event::Event::SupervisorState(state) => {
                let state = match state {
                    SupervisorState::Running => "running",
                    SupervisorState::Stopping => "stopping",
                };
                Some(Event { supervisor: Some(state.to_owned()), ..bare })
            }
            event::Event::ProcessHealth { process, from, to, reason } => {
                let (group, name) = (process.group.to_string(), process.process.to_string());
                let (from, to) = (from.word().to_owned(), to.word().to_owned());
                Some(Event { health: Some(HealthChange { group, name, from, to, reason: reason.clone() }), ..bare })
            }
            event::Event::HookFailed { process, hook, reason } => {
                let (group, name) = (process.group.to_string(), process.process.to_string());
                let failed = FailedHook { group, name, hook: hook.word().to_owned(), reason: reason.clone() };
                Some(Event { failed_hook: Some(failed), ..bare })
            }
            event::Event::OutputLost { process, channel, lost_bytes } => {
                let (group, name) = (process.group.to_string(), process.process.to_string());
                let lost = LostOutput { group, name, stream: channel.name().to_owned(), bytes: *lost_bytes };
                Some(Event { lost_output: Some(lost), ..bare })
            }
            // The history keeps none of these.
            event::Event::ProcessLog(_)
            | event::Event::ProcessCommunication(_)
            | event::Event::RemoteCommunication { .. }
            | event::Event::Tick { .. } => None,
        }
    }

    fn known(self) -> Option<Numbered> {
        let Event { number, at, process, group_added, group_removed, supervisor, health, failed_hook, lost_output } =
            self;
        if let Some(lost) = lost_output {
            return Some(Numbered { number, at: Duration::from_nanos(at), event: lost.known()? });
        }
        if let Some(failed) = failed_hook {
            return Some(Numbered { number, at: Duration::from_nanos(at), event: failed.known()? });
        }
        if let Some(change) = health {
            return Some(Numbered { number, at: Duration::from_nanos(at), event: change.known()? });
        }
        let event = match (process, group_added, group_removed, supervisor.as_deref()) {
            (Some(change), ..) => change.known()?,
            (_, Some(group), ..) => event::Event::ProcessGroupAdded(group.into()),
            (_, _, Some(group), _) => event::Event::ProcessGroupRemoved(group.into()),
            (.., Some("running")) => event::Event::SupervisorState(SupervisorState::Running),
            (.., Some("stopping")) => event::Event::SupervisorState(SupervisorState::Stopping),
            (.., Some(_) | None) => return None,
        };
        Some(Numbered { number, at: Duration::from_nanos(at), event })
    }
}

impl HealthChange {
    fn known(self) -> Option<event::Event> {
        let HealthChange { group, name, from, to, reason } = self;
        Some(event::Event::ProcessHealth {
            process: ProcessName { group: group.into(), process: name.into() },
            from: HealthStatus::from_word(&from)?,
            to: HealthStatus::from_word(&to)?,
            reason,
        })
    }
}

impl LostOutput {
    fn known(self) -> Option<event::Event> {
        let LostOutput { group, name, stream, bytes: lost_bytes } = self;
        let process = ProcessName { group: group.into(), process: name.into() };
        let channel = [Channel::Stdout, Channel::Stderr].into_iter().find(|channel| channel.name() == stream)?;
        Some(event::Event::OutputLost { process, channel, lost_bytes })
    }
}

impl FailedHook {
    fn known(self) -> Option<event::Event> {
        let FailedHook { group, name, hook, reason } = self;
        let process = ProcessName { group: group.into(), process: name.into() };
        Some(event::Event::HookFailed { process, hook: ProgramCommand::from_word(&hook)?, reason })
    }
}

impl ProcessChange {
    fn known(self) -> Option<event::Event> {
        let ProcessChange { group, name, from, to, tries, pid, expected } = self;
        let detail = match (tries, pid, expected) {
            (Some(tries), ..) => StateDetail::Tries(tries),
            (None, pid, Some(expected)) => StateDetail::Exit { expected, pid: pid.unwrap_or(0) },
            (None, Some(pid), None) => StateDetail::Pid(pid),
            (None, None, None) => StateDetail::None,
        };
        Some(event::Event::ProcessState {
            process: ProcessName { group: group.into(), process: name.into() },
            from: ProcessState::from_code(from.into())?,
            to: ProcessState::from_code(to.into())?,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Fields {
        #[serde(default, with = "super")]
        history: Option<history::History>,
    }

    fn form() -> Value {
        let change = |more: Value| {
            let mut change = json!({"group": "g", "name": "p", "from": 10, "to": 20});
            let members = change.as_object_mut().unwrap();
            members.extend(more.as_object().unwrap().clone());
            change
        };
        json!({"history": {"version": 1, "dropped": 5, "events": [
            {"number": 6, "at": 1_500_000_000_u64, "supervisor": "running"},
            {"number": 7, "at": 1, "group_added": "g"},
            {"number": 8, "at": 1, "process": change(json!({}))},
            {"number": 9, "at": 1, "process": change(json!({"tries": 2}))},
            {"number": 10, "at": 1, "process": change(json!({"pid": 0}))},
            {"number": 11, "at": 1, "process": change(json!({"pid": 7, "expected": false}))},
            {"number": 12, "at": 1, "group_removed": "g"},
            {"number": 13, "at": 1, "supervisor": "stopping"},
            {"number": 14, "at": 1, "health": {"group": "g", "name": "p", "from": "starting", "to": "healthy"}},
            {"number": 15, "at": 1,
             "health": {"group": "g", "name": "p", "from": "healthy", "to": "unhealthy", "reason": "HTTP status 503"}},
            {"number": 16, "at": 1,
             "failed_hook": {"group": "g", "name": "p", "hook": "pre-stop", "reason": "exit status 3"}},
        ]}})
    }

    fn read(form: Value) -> Option<HistoryData> {
        serde_json::from_value::<Fields>(form).unwrap().history.map(|history| (&history).into())
    }

    #[test]
    fn the_last_events_keep_their_form() {
        let fields: Fields = serde_json::from_value(form()).unwrap();
        assert_eq!(serde_json::to_value(fields).unwrap(), form());
        let data = read(form()).unwrap();
        assert_eq!((data.dropped, data.events.len()), (5, 11));
        let process = ProcessName { group: "g".into(), process: "p".into() };
        let (from, to) = (ProcessState::Starting, ProcessState::Running);
        let detail = StateDetail::Exit { expected: false, pid: 7 };
        let event = event::Event::ProcessState { process, from, to, detail };
        assert_eq!(data.events[5], Numbered { number: 11, at: Duration::from_nanos(1), event });
        assert_eq!(data.events[0].at, Duration::from_millis(1500));
    }

    #[test]
    fn an_event_that_is_not_known_is_a_gap() {
        let mut later = form();
        later["history"]["events"][4] = json!({"number": 10, "at": 1, "probe": {"name": "p"}});
        later["history"]["more"] = 3.into();
        let data = read(later).unwrap();
        let numbers: Vec<u64> = data.events.iter().map(|event| event.number).collect();
        assert_eq!((data.dropped, numbers), (10, vec![11, 12, 13, 14, 15, 16]));
    }

    #[test]
    fn events_that_are_not_understood_do_no_harm() {
        let mut other_version = form();
        other_version["history"]["version"] = 2.into();
        for form in [other_version, json!({}), json!({"history": null}), json!({"history": [1]})] {
            assert_eq!(read(form), None);
        }
    }
}
