//! `docs/events.md` shows every event as a listener gets it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use supervisord_wire::event::EventType;

use crate::harness::{Scene, Subject, only_ours};

/// A listener of everything, a program that says something in each way, and one that cannot be started.
const PROGRAMS: &str = "
[eventlistener:record]
command=python3 {dir}/listener.py {dir}/events.json
events=EVENT
buffer_size=1000
startsecs=0
[program:web]
command=sh -c 'printf said; printf \"<!--XSUPERVISOR:BEGIN-->told<!--XSUPERVISOR:END-->\"; exec sleep 1000'
stdout_events_enabled=true
stdout_capture_maxbytes=1KB
[program:bad]
command=false
startretries=0
[program:short]
command=true
startsecs=0
autorestart=false
";

/// The examples of the page: the name of the event, the length that its header has, and the payload.
fn examples(page: &str) -> Vec<(String, usize, String)> {
    let field = |header: &str, name: &str| {
        header.split(' ').find_map(|token| token.strip_prefix(name)).map(str::to_owned).unwrap_or_default()
    };
    let headings = page.split("\n#### `").skip(1);
    headings
        .map(|section| {
            let block = section.split("```text\n").nth(1).and_then(|after| after.split("```").next());
            let (header, payload) = block.and_then(|block| block.split_once('\n')).expect("an example");
            let name = section.split('`').next().unwrap_or_default();
            assert_eq!(field(header, "eventname:"), name);
            (name.to_owned(), field(header, "len:").parse().expect("a length"), payload.to_owned())
        })
        .collect()
}

/// The names of the fields of a payload, in their order, and how many lines follow.
fn shape(payload: &str) -> (Vec<String>, bool) {
    let (fields, data) = payload.split_once('\n').unwrap_or((payload, ""));
    let names = fields.split(' ').filter_map(|field| Some(field.split_once(':')?.0.to_owned()));
    (names.collect(), !data.is_empty())
}

/// What a listener gets has the fields that the page shows, in the same order.
#[test]
fn the_examples_have_the_fields_of_real_events() {
    only_ours(|| {
        let listener = include_str!("../fixtures/listener.py");
        let mut daemon = Scene::with("events-page", PROGRAMS).file("listener.py", listener).start(Subject::Ours);
        daemon.wait_for_states(&["web"], "RUNNING");
        daemon.wait_for_states(&["bad"], "FATAL");
        daemon.call("supervisor.sendRemoteCommEvent", &["greeting".into(), "hello".into()]);
        daemon.ctl(&["stop", "web"]);
        daemon.ctl(&["remove", "web"]);
        daemon.wait_until("the last event is recorded", |daemon| {
            daemon.read("events.json").contains("PROCESS_GROUP_REMOVED")
        });
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).expect("a page");
        let examples = examples(&page);
        let mut seen = BTreeSet::new();
        for line in daemon.read("events.json").lines() {
            let event: Value = serde_json::from_str(line).expect("an event");
            let name = event["header"]["eventname"].as_str().expect("a name");
            let (_, _, example) = examples.iter().find(|(known, ..)| known == name).expect("an example");
            let payload = event["payload"].as_str().expect("a payload");
            assert_eq!(shape(payload), shape(example), "{name}: {payload:?}");
            seen.insert(name.to_owned());
        }
        for name in ["PROCESS_STATE_FATAL", "PROCESS_STATE_EXITED", "PROCESS_STATE_STOPPED", "PROCESS_LOG_STDOUT"] {
            assert!(seen.contains(name), "{name} has not come: {seen:?}");
        }
        assert!(seen.contains("PROCESS_COMMUNICATION_STDOUT") && seen.contains("REMOTE_COMMUNICATION"), "{seen:?}");
    });
}

#[test]
fn every_event_has_an_example_with_its_true_length() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).expect("a page");
    let examples = examples(&page);
    let shown: BTreeSet<&str> = examples.iter().map(|(name, ..)| &**name).collect();
    let is_sent = |event: &EventType| !EventType::all().any(|other| other != *event && other.is_a(*event));
    let sent: BTreeSet<&str> = EventType::all().filter(is_sent).map(EventType::name).collect();
    assert_eq!(shown, sent);
    for event in EventType::all() {
        assert!(page.contains(&format!("{}\n", event.name())), "{} is not in the tree", event.name());
    }
    for (name, length, payload) in &examples {
        // The block ends with a line feed, which the payload may have or not.
        let characters = payload.chars().count();
        assert!([characters, characters.saturating_sub(1)].contains(length), "{name}: {length}, not {characters}");
    }
}
