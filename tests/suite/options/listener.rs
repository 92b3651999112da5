//! `[eventlistener:x]`.

use serde_json::Value;

use crate::harness::{Daemon, Observed, Scene, compare, compare_refusal, differ};

fn scene(options: &str) -> Scene {
    let text = format!(
        "[eventlistener:record]\ncommand=python3 {{dir}}/listener.py {{dir}}/events.json\nstdout_logfile=NONE\nstderr_logfile={{dir}}/listener.err\n{options}\n"
    );
    Scene::with("listener", &text).file("listener.py", include_str!("../fixtures/listener.py"))
}

/// The recorded events; checks the announced length of each.
fn events(daemon: &Daemon) -> Vec<Value> {
    let record = daemon.read("events.json");
    let events: Vec<Value> = record.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for event in &events {
        let payload = event["payload"].as_str().unwrap_or_default();
        assert_eq!(event["header"]["len"].as_str(), Some(payload.chars().count().to_string().as_str()), "{event}");
    }
    events
}

fn note_events(daemon: &Daemon, observed: &mut Observed) {
    for event in events(daemon) {
        let header = &event["header"];
        let text = ["ver", "server", "serial", "pool", "poolserial", "eventname"]
            .map(|field| format!("{field}:{}", header[field].as_str().unwrap_or("none")))
            .join(" ");
        observed.note(daemon, &text, event["payload"].as_str().unwrap_or_default());
    }
}

fn seen(daemon: &Daemon, name: &str, payload: &str) -> bool {
    events(daemon).iter().any(|event| {
        event["header"]["eventname"] == name && event["payload"].as_str().is_some_and(|text| text.contains(payload))
    })
}

pins! {
    /// All events of a program from its start to its end.
    events_of_a_life: "eventlistener events" => {
        let options = "events=PROCESS_STATE,PROCESS_GROUP,remote_communication\nstartsecs=0\nbuffer_size=100\n\
            [program:p]\ncommand=sh -c '. ./body'\nautostart=false\nstartsecs=0\nautorestart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
            [program:q]\ncommand=nowhere\nautostart=false\nstartretries=1\n";
        compare(&scene(options).file("body", "sleep 0.3; exit 0"), |daemon, observed| {
            daemon.wait_for_state("record", "RUNNING");
            daemon.wait_until("its own start is delivered", |daemon| seen(daemon, "PROCESS_STATE_RUNNING", "processname:record"));
            daemon.ctl(&["start", "p"]);
            daemon.wait_until("its end is delivered", |daemon| seen(daemon, "PROCESS_STATE_EXITED", "expected:1"));
            daemon.write("body", "sleep 0.3; exit 1");
            daemon.ctl(&["start", "p"]);
            daemon.wait_until("its end is delivered", |daemon| seen(daemon, "PROCESS_STATE_EXITED", "expected:0"));
            daemon.write("body", "exec sleep 1000");
            daemon.ctl(&["start", "p"]);
            daemon.ctl(&["stop", "p"]);
            daemon.wait_until("its stop is delivered", |daemon| seen(daemon, "PROCESS_STATE_STOPPED", "processname:p"));
            daemon.call("supervisor.sendRemoteCommEvent", &["kind".into(), "some däta\nin lines".into()]);
            daemon.wait_until("the message is delivered", |daemon| seen(daemon, "REMOTE_COMMUNICATION", "kind"));
            let _ = daemon.rpc("supervisor.removeProcessGroup", &["p".into()]);
            daemon.wait_until("the removal is delivered", |daemon| seen(daemon, "PROCESS_GROUP_REMOVED", "p"));
            daemon.call("supervisor.addProcessGroup", &["p".into()]);
            daemon.wait_until("the return is delivered", |daemon| {
                let added = |event: &&Value| event["header"]["eventname"] == "PROCESS_GROUP_ADDED" && event["payload"] == "groupname:p\n";
                events(daemon).iter().filter(added).count() == 2
            });
            note_events(daemon, observed);
        });
        compare_refusal(&scene(""));
        compare_refusal(&scene("events=NO_SUCH_EVENT"));
        compare_refusal(&scene("events=PROCESS_STATE,"));
    }

    /// While no listener is ready only the newest events are kept.
    buffer_size: "eventlistener buffer_size" => {
        compare(&scene("events=REMOTE_COMMUNICATION\nautostart=false\nbuffer_size=3\nstartsecs=0"), |daemon, observed| {
            for number in 0..5 {
                daemon.call("supervisor.sendRemoteCommEvent", &["number".into(), number.to_string().as_str().into()]);
            }
            daemon.ctl(&["start", "record"]);
            daemon.wait_until("the last arrives", |daemon| seen(daemon, "REMOTE_COMMUNICATION", "\n4"));
            note_events(daemon, observed);
            observed.note(daemon, "overflow", daemon.log().lines().filter(|line| line.contains("overflow")).collect::<Vec<_>>().join("\n"));
        });
        compare_refusal(&scene("events=TICK\nbuffer_size=0"));
        compare_refusal(&scene("events=TICK\nbuffer_size=x"));
    }

    result_handler: "eventlistener result_handler" => {
        compare(&scene("events=REMOTE_COMMUNICATION\nresult_handler=supervisor.dispatchers:default_handler\nstartsecs=0"), |daemon, observed| {
            daemon.wait_for_state("record", "RUNNING");
            daemon.call("supervisor.sendRemoteCommEvent", &["a".into(), "b".into()]);
            daemon.wait_until("it arrives", |daemon| seen(daemon, "REMOTE_COMMUNICATION", "a"));
            note_events(daemon, observed);
        });
        // A handler that accepts any result and records its arguments.
        const HANDLER: &str = "def handle(event, response):\n    with open('judged', 'a') as file:\n        file.write('%s %r\\n' % (event.payload(), response))\n";
        let own = scene("events=REMOTE_COMMUNICATION\nresult_handler=judge:handle\nstartsecs=0").file("judge.py", HANDLER).env("PYTHONPATH", "{dir}");
        compare(&own, |daemon, observed| {
            daemon.wait_for_state("record", "RUNNING");
            for data in ["b", "c"] {
                daemon.call("supervisor.sendRemoteCommEvent", &["a".into(), data.into()]);
            }
            daemon.wait_until("both are judged", |daemon| daemon.read("judged").contains("\nc "));
            observed.exactly("judged", daemon.read("judged"));
            note_events(daemon, observed);
        });
        compare_refusal(&scene("events=TICK\nresult_handler=nowhere.to:be_found"));
        compare_refusal(&scene("events=TICK\nredirect_stderr=true"));
    }

    /// Listeners start before and stop after all programs, unless configured otherwise.
    priority: "eventlistener priority" => {
        for options in ["", "priority=2000"] {
            let text = format!("events=SUPERVISOR_STATE_CHANGE\nstartsecs=0\n{options}\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n");
            compare(&scene(&text), |daemon, observed| {
                daemon.wait_for_states(&["record", "p"], "RUNNING");
                daemon.wait_until("the start is delivered", |daemon| seen(daemon, "SUPERVISOR_STATE_CHANGE_RUNNING", ""));
                observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
                // It may or may not receive the last event.
                note_events(daemon, observed);
                observed.exactly("exit status", daemon.stop());
                let log = daemon.log();
                let ends: Vec<&str> = log.lines().filter(|line| line.contains("spawned: ") || line.contains("stopped: ") || line.contains("exited: ")).collect();
                observed.note(daemon, "order", ends.join("\n"));
            });
        }
    }
}

/// The original delivers it once for each of the names.
#[test]
fn an_event_is_delivered_once_despite_overlapping_subscriptions() {
    differ(2, 1, |subject| {
        let scene = scene("events=REMOTE_COMMUNICATION,EVENT\nstartsecs=0\nbuffer_size=100");
        let mut daemon = scene.start(subject);
        daemon.wait_for_state("record", "RUNNING");
        for data in ["first", "last"] {
            daemon.call("supervisor.sendRemoteCommEvent", &["kind".into(), data.into()]);
        }
        daemon.wait_until("the last arrives", |daemon| seen(daemon, "REMOTE_COMMUNICATION", "last"));
        events(&daemon)
            .iter()
            .filter(|event| event["payload"].as_str().is_some_and(|payload| payload.ends_with("first")))
            .count()
    });
}
