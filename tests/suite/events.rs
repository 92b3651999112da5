//! The events that listeners receive, type by type.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use supervisord_wire::event::EventType;

use crate::harness::areas::Area;
use crate::harness::needs::{self, Power};
use crate::harness::{Daemon, Scene, compare, processes, record, sources};

/// Programs for every event type: output, captured and not, a program that fails, and one that takes long to stop.
const PROGRAMS: &str = "
[eventlistener:record]
command=python3 {dir}/listener.py {dir}/events.json
events=EVENT
buffer_size=1000
startsecs=0
stdout_logfile=NONE
stderr_logfile={dir}/listener.err
[program:talks]
command=sh {dir}/talk.sh
autostart=false
autorestart=false
startsecs=0
stdout_logfile={dir}/talks.out
stderr_logfile={dir}/talks.err
stdout_capture_maxbytes=1KB
stderr_capture_maxbytes=1KB
stdout_events_enabled=true
stderr_events_enabled=true
[program:fails]
command=false
autostart=false
startretries=1
stdout_logfile=NONE
stderr_logfile=NONE
[program:slow]
command=sh -c 'trap \"sleep 1; exit 0\" TERM; touch ready; while :; do sleep 0.1; done'
startsecs=0
stdout_logfile=NONE
stderr_logfile=NONE
";

const TALK: &str = "\
echo plain; sleep 0.5
echo complaint >&2; sleep 0.5
printf '<!--XSUPERVISOR:BEGIN-->a word<!--XSUPERVISOR:END-->'; sleep 0.5
printf '<!--XSUPERVISOR:BEGIN-->another<!--XSUPERVISOR:END-->' >&2; sleep 0.5
";

/// Each type that is compared here, with a part of its payload that identifies the event.
const COMPARED: [(&str, &str); 17] = [
    ("SUPERVISOR_STATE_CHANGE_RUNNING", ""),
    ("PROCESS_STATE_STARTING", "processname:talks"),
    ("PROCESS_STATE_RUNNING", "processname:talks"),
    ("PROCESS_LOG_STDOUT", "plain"),
    ("PROCESS_LOG_STDERR", "complaint"),
    ("PROCESS_COMMUNICATION_STDOUT", "a word"),
    ("PROCESS_COMMUNICATION_STDERR", "another"),
    ("PROCESS_STATE_EXITED", "processname:talks"),
    ("PROCESS_STATE_BACKOFF", "processname:fails"),
    ("PROCESS_STATE_FATAL", "processname:fails"),
    ("REMOTE_COMMUNICATION", "kind"),
    ("PROCESS_GROUP_REMOVED", "talks"),
    ("PROCESS_GROUP_ADDED", "talks"),
    ("TICK_5", "when"),
    ("PROCESS_STATE_STOPPING", "processname:slow"),
    ("PROCESS_STATE_STOPPED", "processname:slow"),
    ("SUPERVISOR_STATE_CHANGE_STOPPING", ""),
];

/// The types that need a scene of their own, each with its test.
const SEPARATELY: [(&str, &str); 3] = [
    ("TICK_60", "tick_60_and_tick_3600_are_delivered_the_same"),
    ("TICK_3600", "tick_60_and_tick_3600_are_delivered_the_same"),
    ("PROCESS_STATE_UNKNOWN", "process_state_unknown_is_delivered_the_same"),
];

/// The payload of the first event of a type whose payload contains `part`.
fn payload_of(daemon: &Daemon, name: &str, part: &str) -> Option<String> {
    daemon.read("events.json").lines().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let payload = event["payload"].as_str()?.to_owned();
        (event["header"]["eventname"] == name && payload.contains(part)).then_some(payload)
    })
}

#[test]
fn every_event_type_is_delivered_the_same() {
    let scene =
        Scene::with("types", PROGRAMS).file("listener.py", include_str!("fixtures/listener.py")).file("talk.sh", TALK);
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&["record", "slow"], "RUNNING");
        daemon.wait_until("it is prepared", |daemon| daemon.path("ready").exists());
        let heard = |daemon: &mut Daemon, name: &str| {
            let (_, part) = COMPARED.into_iter().find(|(known, _)| *known == name).expect("a type of the table");
            daemon.wait_until(name, |daemon| payload_of(daemon, name, part).is_some());
        };
        heard(daemon, "SUPERVISOR_STATE_CHANGE_RUNNING");
        daemon.call("supervisor.startProcess", &["talks".into()]);
        // It fails; the call may be answered before or after that is known.
        let _ = daemon.rpc("supervisor.startProcess", &["fails".into(), false.into()]);
        heard(daemon, "PROCESS_STATE_EXITED");
        heard(daemon, "PROCESS_STATE_FATAL");
        daemon.call("supervisor.sendRemoteCommEvent", &["kind".into(), "of".into()]);
        daemon.call("supervisor.removeProcessGroup", &["talks".into()]);
        daemon.call("supervisor.addProcessGroup", &["talks".into()]);
        daemon.call("supervisor.stopProcess", &["slow".into()]);
        heard(daemon, "PROCESS_STATE_STOPPED");
        heard(daemon, "TICK_5");
        fs::remove_file(daemon.path("ready")).expect("it was there");
        daemon.call("supervisor.startProcess", &["slow".into()]);
        daemon.wait_until("it is prepared", |daemon| daemon.path("ready").exists());
        // Listeners stop last, and the slow program leaves them time to receive the last events.
        observed.exactly("exit status", daemon.stop());
        for (name, part) in COMPARED {
            let payload = payload_of(daemon, name, part)
                .unwrap_or_else(|| panic!("{name} was not delivered\n{}", daemon.report()));
            let payload = match payload.split_once("when:") {
                Some((_, seconds)) => format!("when: a number: {}", seconds.parse::<u64>().is_ok()),
                None => payload,
            };
            observed.note(daemon, name, payload);
        }
    });
    let seen: BTreeSet<&str> = COMPARED.into_iter().map(|(name, _)| name).collect();
    have_compared(seen.len());
}

/// Adds to the types that the report counts: each scene adds its own, because not every machine can run every scene.
fn have_compared(types: usize) {
    record::covered(Area::Events, "types", types, sent().len());
}

/// The types that are sent, that is, those without subtypes. The others can only be subscribed to.
fn sent() -> BTreeSet<&'static str> {
    let has_children = |event: EventType| EventType::all().any(|other| other != event && other.is_a(event));
    EventType::all().filter(|event| !has_children(*event)).map(EventType::name).collect()
}

#[test]
fn every_type_is_compared_somewhere() {
    let types = COMPARED.into_iter().map(|(name, _)| name);
    let compared: Vec<&str> = types.chain(SEPARATELY.into_iter().map(|(name, _)| name)).collect();
    assert_eq!(compared.iter().copied().collect::<BTreeSet<_>>(), sent());
    assert_eq!(compared.len(), sent().len(), "each of them once");
    let tests = sources::tests();
    for (name, test) in SEPARATELY {
        assert!(tests.contains(test), "{name} is compared by {test}, which does not exist");
    }
}

const RECORD: &str = "[eventlistener:record]\ncommand=python3 {dir}/listener.py {dir}/events.json\nstartsecs=0\n\
    stdout_logfile=NONE\nstderr_logfile={dir}/listener.err\n";

/// Both daemons run ten times as fast, from shortly before a full hour on. Their listeners do not: the clock library
/// leaves a file behind for each process that is killed.
#[test]
fn tick_60_and_tick_3600_are_delivered_the_same() {
    let Some(library) = needs::clock_library("the events TICK_60 and TICK_3600") else { return };
    let scene = Scene::with("hour", &format!("{RECORD}environment=LD_PRELOAD=\"\"\nevents=TICK\n"))
        .file("listener.py", include_str!("fixtures/listener.py"))
        .env("LD_PRELOAD", &library.display().to_string())
        .env("FAKETIME", "@2026-01-01 00:58:30 x10")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    compare(&scene, |daemon, observed| {
        for name in ["TICK_60", "TICK_3600"] {
            daemon.wait_until(name, |daemon| payload_of(daemon, name, "when:1767229200").is_some());
            observed.exactly(name, payload_of(daemon, name, "when:1767229200").unwrap_or_default());
        }
        observed.exactly("exit status", daemon.stop());
    });
    have_compared(2);
}

/// Root without CAP_KILL cannot signal processes of other users; after the refused signal the state is UNKNOWN.
#[test]
fn process_state_unknown_is_delivered_the_same() {
    if !Power::ForgoSignals.is_there_for("the event PROCESS_STATE_UNKNOWN") {
        return;
    }
    let text = format!(
        "{RECORD}events=PROCESS_STATE\n[program:p]\ncommand=sleep 1000\nuser=nobody\nautostart=false\nstartsecs=0\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n"
    );
    let scene = Scene::with("unknown", &text)
        .file("listener.py", include_str!("fixtures/listener.py"))
        .shell("exec setpriv --bounding-set=-kill \"$@\"");
    compare(&scene, |daemon, observed| {
        daemon.wait_for_state("record", "RUNNING");
        daemon.call("supervisor.startProcess", &["p".into()]);
        // Before the child changes its user, the daemon may signal it.
        daemon.wait_until("it is another user", |daemon| processes::status(daemon.pid_of("p"), "Uid") == Some(65534));
        let (code, _) = daemon.rpc("supervisor.stopProcess", &["p".into()]).expect_err("it is not permitted");
        observed.exactly("fault", code);
        observed.exactly("state", daemon.state_of("p"));
        let name = "PROCESS_STATE_UNKNOWN";
        daemon.wait_until(name, |daemon| payload_of(daemon, name, "processname:p").is_some());
        observed.note(daemon, name, payload_of(daemon, name, "processname:p").unwrap_or_default());
    });
    have_compared(1);
}

/// What a subscription delivers, with several listeners of different interests.
#[test]
fn subscriptions_deliver_the_types_they_name() {
    let interests = ["PROCESS_STATE", "PROCESS_STATE_EXITED,TICK", "process_group", "PROCESS_LOG,REMOTE_COMMUNICATION"];
    let listeners = interests.iter().enumerate().map(|(number, events)| {
        format!(
            "[eventlistener:l{number}]\ncommand=python3 {{dir}}/listener.py {{dir}}/events{number}.json\nevents={events}\n\
             buffer_size=1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={{dir}}/listener.err\n"
        )
    });
    let program = "[program:p]\ncommand=sh -c 'echo word; sleep 0.3'\nautostart=false\nautorestart=false\nstartsecs=0\n\
        stdout_logfile=NONE\nstderr_logfile=NONE\nstdout_events_enabled=true\n";
    let scene = Scene::with("subscriptions", &(listeners.collect::<String>() + program))
        .file("listener.py", include_str!("fixtures/listener.py"));
    compare(&scene, |daemon, observed| {
        daemon.wait_for_states(&["l0", "l1", "l2", "l3"], "RUNNING");
        daemon.call("supervisor.startProcess", &["p".into()]);
        daemon.wait_for_state("p", "EXITED");
        daemon.call("supervisor.removeProcessGroup", &["p".into()]);
        daemon.call("supervisor.sendRemoteCommEvent", &["the".into(), "end".into()]);
        let last = ["PROCESS_STATE_EXITED", "PROCESS_STATE_EXITED", "PROCESS_GROUP_REMOVED", "REMOTE_COMMUNICATION"];
        for (number, last) in last.into_iter().enumerate() {
            let record = format!("events{number}.json");
            daemon.wait_until("its last event has come", |daemon| daemon.read(&record).contains(last));
            let names: BTreeSet<String> = daemon
                .read(&record)
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .filter_map(|event| event["header"]["eventname"].as_str().map(str::to_owned))
                .filter(|name| !name.starts_with("TICK"))
                .collect();
            observed.exactly(interests[number], names.into_iter().collect::<Vec<_>>().join(" "));
        }
    });
}
