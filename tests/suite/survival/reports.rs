//! What programs say to listeners while the daemon is replaced.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Daemon, Scene, Subject};

/// Several programs say numbers, each in a line that is an event and in one between the marks of an event of its own.
const TALK: &str = r#"
$| = 1;
for my $n (1 .. $ARGV[0]) {
    print "$n\n<!--XSUPERVISOR:BEGIN-->$n<!--XSUPERVISOR:END-->";
    select(undef, undef, undef, 0.002);
}
print "end\n";
"#;

const SPEAKERS: usize = 4;

/// How many numbers each of them says.
const NUMBERS: usize = 1500;

/// The payloads of an event type, without their first lines, one after the other, by process.
fn said(daemon: &Daemon, name: &str) -> BTreeMap<String, Vec<String>> {
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in daemon.read("events.json").lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(payload), true) = (event["payload"].as_str(), event["header"]["eventname"] == name) else { continue };
        let (head, text) = payload.split_once('\n').expect("a payload has a head and a body");
        let process = head.split_whitespace().next().expect("it begins with the name");
        said.entry(process.to_owned()).or_default().push(text.to_owned());
    }
    said
}

/// A piece of a text of digits and line ends.
fn text_from(text: &str, position: usize) -> &str {
    &text[position..text.len().min(position + 60)]
}

#[test]
fn an_upgrade_loses_and_repeats_no_report_to_listeners() {
    let text = format!(
        "[eventlistener:record]\ncommand=python3 {{dir}}/listener.py {{dir}}/events.json\nbuffer_size=100000\n\
         events=PROCESS_LOG,PROCESS_COMMUNICATION\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={{dir}}/listener.err\n\
         [program:s]\ncommand=perl {{dir}}/talk.pl {NUMBERS}\nprocess_name=s%(process_num)d\nnumprocs={SPEAKERS}\n\
         startsecs=0\nautorestart=false\nautostart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
         stdout_events_enabled=true\nstdout_capture_maxbytes=1000\n"
    );
    let scene = Scene::with("reports", &text)
        .file("listener.py", include_str!("../fixtures/listener.py"))
        .file("talk.pl", TALK);
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_state("record", "RUNNING");
    daemon.call("supervisor.startProcessGroup", &["s".into()]);
    let mut upgrades = 0;
    while daemon.read("events.json").matches("end\\n").count() < SPEAKERS {
        // On a busy machine the logs may take longer to answer than an upgrade waits: it is refused, and nothing is lost.
        daemon.wait_until("it upgrades", |daemon| match daemon.rpc("supervisor.upgrade", &[]) {
            Ok(_) => true,
            Err((_, text)) if text.contains("the log files do not respond") => false,
            Err((_, text)) => panic!("{text}\n{}", daemon.report()),
        });
        upgrades += 1;
        daemon.wait_until("it goes on", |daemon| {
            daemon.log().matches("supervisord upgraded with pid").count() == upgrades
        });
        let heard = daemon.read("events.json").len();
        daemon.wait_until("something is heard since", |daemon| {
            daemon.read("events.json").len() > heard || daemon.read("events.json").matches("end\\n").count() == SPEAKERS
        });
    }
    assert!(upgrades > 1, "{}", daemon.report());
    // What is captured is output, too.
    let expected = (1..=NUMBERS).map(|number| format!("{number}\n{number}")).collect::<String>() + "end\n";
    let lines = said(&daemon, "PROCESS_LOG_STDOUT");
    assert_eq!(lines.len(), SPEAKERS);
    for (process, texts) in lines {
        let text = texts.concat();
        let same = text.bytes().zip(expected.bytes()).take_while(|(left, right)| left == right).count();
        let (found, wanted) = (text_from(&text, same), text_from(&expected, same));
        assert_eq!(found, wanted, "{process} after {upgrades} upgrades\n{}", daemon.report());
    }
    let captured = said(&daemon, "PROCESS_COMMUNICATION_STDOUT");
    let expected: Vec<String> = (1..=NUMBERS).map(|number| number.to_string()).collect();
    assert_eq!(captured.len(), SPEAKERS);
    for (process, numbers) in captured {
        assert_eq!(numbers, expected, "{process} after {upgrades} upgrades");
    }
    assert_eq!(daemon.stop(), 0);
}
