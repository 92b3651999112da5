//! An event of the JSON API as a line, without I/O.

use serde_json::{Map, Value, json};
use supervisord_wire::name::namespec;

use crate::client::StreamEvent;

/// What stands for a process that an event is about.
pub fn process_of(data: &Value) -> Option<(&str, &str)> {
    Some((data.get("group")?.as_str()?, data.get("name")?.as_str()?))
}

/// The event as one object: its id and name, and the members of its data.
pub fn as_json(event: &StreamEvent) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(event.id));
    members.insert("event".to_owned(), json!(event.name));
    match serde_json::from_str(&event.data) {
        Ok(Value::Object(data)) => members.extend(data),
        Ok(data) => drop(members.insert("data".to_owned(), data)),
        Err(_) => drop(members.insert("data".to_owned(), json!(event.data))),
    }
    Value::Object(members)
}

/// What has happened, without the time. `data` is the data of the event.
pub fn describe(name: &str, data: &Value) -> String {
    let text = |member: &str| data.get(member).and_then(Value::as_str).unwrap_or("?");
    let process = || process_of(data).map_or_else(|| "?".to_owned(), |(group, name)| namespec(group, name));
    match name {
        "process_state" => {
            let details: Vec<String> = [
                data.get("pid").map(|pid| format!("pid {pid}")),
                data.get("tries").filter(|tries| **tries != json!(0)).map(|tries| format!("{tries} failed in a row")),
                data.get("expected").filter(|expected| **expected == json!(false)).map(|_| "not expected".to_owned()),
            ]
            .into_iter()
            .flatten()
            .collect();
            let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
            format!("{}: {} -> {}{details}", process(), text("from"), text("state"))
        }
        "process_health" => {
            let reason = data.get("reason").and_then(Value::as_str).map(|reason| format!(" ({reason})"));
            format!("{}: {} -> {}{}", process(), text("from"), text("health"), reason.unwrap_or_default())
        }
        "output_lost" => {
            let bytes = data.get("lost_bytes").and_then(Value::as_u64).unwrap_or(0);
            format!("{}: {bytes} bytes of {} could not be logged so far", process(), text("stream"))
        }
        "group_added" => format!("{}: group added", text("group")),
        "group_removed" => format!("{}: group removed", text("group")),
        "supervisor_state" => format!("supervisord: {}", text("state")),
        "gap" => "events are missing here".to_owned(),
        // What a later daemon tells.
        other => format!("{other}: {data}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_a_line() {
        let process = json!({"group": "web", "name": "web_1"});
        let with = |members: Value| {
            let mut data = process.clone();
            data.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            data
        };
        for (name, data, line) in [
            (
                "output_lost",
                with(json!({"stream": "stderr", "lost_bytes": 7})),
                "web:web_1: 7 bytes of stderr could not be logged so far",
            ),
            (
                "process_state",
                with(json!({"from": "STARTING", "state": "RUNNING", "pid": 7})),
                "web:web_1: STARTING -> RUNNING (pid 7)",
            ),
            (
                "process_state",
                with(json!({"from": "RUNNING", "state": "EXITED", "pid": 7, "expected": false})),
                "web:web_1: RUNNING -> EXITED (pid 7, not expected)",
            ),
            (
                "process_state",
                with(json!({"from": "BACKOFF", "state": "STARTING", "tries": 2})),
                "web:web_1: BACKOFF -> STARTING (2 failed in a row)",
            ),
            (
                "process_state",
                with(json!({"from": "STOPPED", "state": "STARTING", "tries": 0})),
                "web:web_1: STOPPED -> STARTING",
            ),
            (
                "process_health",
                with(json!({"from": "healthy", "health": "unhealthy", "reason": "HTTP status 503"})),
                "web:web_1: healthy -> unhealthy (HTTP status 503)",
            ),
            ("group_added", json!({"group": "web"}), "web: group added"),
            ("supervisor_state", json!({"state": "RUNNING"}), "supervisord: RUNNING"),
            ("gap", json!({}), "events are missing here"),
            ("process_scaled", json!({"to": 3}), "process_scaled: {\"to\":3}"),
            ("process_state", json!([]), "?: ? -> ?"),
        ] {
            assert_eq!(describe(name, &data), line);
        }
    }

    #[test]
    fn as_json_an_event_is_one_object() {
        let event = StreamEvent { id: "b-8".to_owned(), name: "gap".to_owned(), data: "{\"x\":1}".to_owned() };
        assert_eq!(as_json(&event), json!({"id": "b-8", "event": "gap", "x": 1}));
        let broken = StreamEvent { data: "x".to_owned(), ..event };
        assert_eq!(as_json(&broken), json!({"id": "b-8", "event": "gap", "data": "x"}));
    }
}
