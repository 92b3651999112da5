//! `events`: what has happened on all hosts, from the stream that keeps it.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::consumer::DeliverPolicy;
use clap::ArgMatches;
use serde_json::{Map, Value, json};
use supervisord_wire::calendar::rfc_3339;
use supervisord_wire::name::namespec;
use supervisord_wire::terminal_text::escaped_in_line;

use crate::asking::Asking;
use crate::command_line;
use crate::event_batch::{EventBatch, EventReader, FleetEvent};
use crate::fleet_error::{FleetError, exit_status};
use crate::host_name::HostName;
use crate::output::print;
use crate::subjects;

/// How far to go back when nobody says so, in seconds.
const BACK: f64 = 3600.0;

/// Times from the year 10,000 on are no times, in seconds since the epoch.
const END_OF_TIME: f64 = 253_402_300_800.0;

/// Prints events as they come.
pub(crate) async fn run(matches: &ArgMatches) -> Result<u8, FleetError> {
    let follow = matches.get_flag("follow");
    let since: Duration = command_line::seconds(matches, "since", if follow { 0.0 } else { BACK })?;
    let asking = Asking::open(matches).await?;
    let from = if since.is_zero() {
        DeliverPolicy::New
    } else {
        let start = SystemTime::now().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH);
        DeliverPolicy::ByStartTime { start_time: start.into() }
    };
    let (mut messages, mut left) = asking.client.events(from).await?;
    let is_meant_to_be_all = command_line::hosts(matches)?.is_empty();
    let mut reader = EventReader::default();
    let away = || FleetError::NoServer(format!("the NATS server has sent no event for {} s", asking.limit.as_secs()));
    while follow || left > 0 {
        let message = match follow {
            true => messages.next().await,
            false => tokio::time::timeout(asking.limit, messages.next()).await.map_err(|_| away())?,
        };
        left = message.info().map(|info| info.pending).unwrap_or(0);
        let Some(host) = subjects::host_of_event(&message.subject) else { continue };
        if !is_meant_to_be_all && !asking.hosts.contains(&host) {
            continue;
        }
        let Some(batch) = EventBatch::read(&message.payload) else { continue };
        let told = |event: FleetEvent| if asking.is_json { as_json(&host, event) } else { line(&host, &event) };
        let text: String = reader.unread(&host, batch).into_iter().map(told).collect();
        if !print(&text) {
            return Ok(exit_status::GENERIC);
        }
    }
    Ok(exit_status::SUCCESS)
}

fn as_json(host: &HostName, event: FleetEvent) -> String {
    let FleetEvent { id, event, data } = event;
    let mut members = Map::from_iter(
        [("host", json!(host)), ("id", json!(id)), ("event", json!(event))]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    match data {
        Value::Object(data) => members.extend(data),
        Value::Null => {}
        other => drop(members.insert("data".to_owned(), other)),
    }
    format!("{}\n", Value::Object(members))
}

/// The line of an event: its time, its host, and the same words as `supervisorctl events`.
fn line(host: &HostName, event: &FleetEvent) -> String {
    let text = |member: &str| event.data.get(member).and_then(Value::as_str).unwrap_or("?");
    let process = || namespec(text("group"), text("name"));
    let told = match event.event.as_str() {
        "process_state" => format!("{}: {} -> {}", process(), text("from"), text("state")),
        "process_health" => format!("{}: {} -> {}", process(), text("from"), text("health")),
        "output_lost" => {
            let bytes = event.data.get("lost_bytes").and_then(Value::as_u64).unwrap_or(0);
            format!("{}: {bytes} bytes of {} could not be logged so far", process(), text("stream"))
        }
        "group_added" => format!("{}: group added", text("group")),
        "group_removed" => format!("{}: group removed", text("group")),
        "supervisor_state" => format!("supervisord: {}", text("state")),
        "gap" => "events are missing here".to_owned(),
        other => format!("{other}: {}", event.data),
    };
    // UTC: hosts may be in different places.
    let time = event.data.get("time").and_then(Value::as_f64).filter(|time| *time < END_OF_TIME);
    let time = time.and_then(|time| Duration::try_from_secs_f64(time).ok()).map(rfc_3339);
    let time = time.as_deref().unwrap_or("-");
    format!("{time:24}  {host}  {}\n", escaped_in_line(&told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_or_an_object() {
        let host = HostName::parse("web1").unwrap();
        let data = json!({"group": "web", "name": "a\u{1b}", "from": "STARTING", "state": "RUNNING", "time": 1.5});
        let event = FleetEvent { id: "b-1".to_owned(), event: "process_state".to_owned(), data };
        assert_eq!(line(&host, &event), "1970-01-01T00:00:01.500Z  web1  web:a\\x1b: STARTING -> RUNNING\n");
        let read: Value = serde_json::from_str(&as_json(&host, event.clone())).unwrap();
        assert_eq!((&read["host"], &read["id"], &read["state"]), (&json!("web1"), &json!("b-1"), &json!("RUNNING")));
        let gap = FleetEvent { event: "gap".to_owned(), data: Value::Null, ..event };
        let none = format!("{:24}  web1  events are missing here\n", "-");
        assert_eq!(line(&host, &gap), none);
        for time in [json!(-1), json!(1e300), json!("x")] {
            let gap = FleetEvent { data: json!({ "time": time }), ..gap.clone() };
            assert_eq!(line(&host, &gap), none);
        }
    }

    #[test]
    fn an_event_is_one_line_of_its_host() {
        let host = HostName::parse("evil").unwrap();
        for event in ["process_state", "output_lost", "supervisor_state", "a\nweb1  x"] {
            let data = json!({"group": "x\nweb1  y", "name": "z", "state": "\n", "stream": "\n", "health": "\n"});
            let told = line(&host, &FleetEvent { id: "b-1".to_owned(), event: event.to_owned(), data });
            assert_eq!(
                (told.matches('\n').count(), told.starts_with(&format!("{:24}  evil  ", "-"))),
                (1, true),
                "{told}"
            );
        }
    }
}
