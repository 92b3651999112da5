//! Clients that follow the events of the JSON API while the daemon is replaced.

use crate::harness::http::{self, Stream};
use crate::harness::{Daemon, Scene, Subject};

/// Follows the events after the one with this id, or from now on.
fn follow(daemon: &Daemon, last: Option<&str>) -> Box<dyn Stream> {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("the daemon answers");
    let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: h\r\n{last}\r\n");
    stream.write_all(request.as_bytes()).expect("the daemon reads");
    assert_eq!(http::head(&mut *stream).expect("an answer").status(), 200);
    stream
}

/// What comes until this has come.
fn read_until(stream: &mut dyn Stream, expected: &str) -> String {
    let mut text = String::new();
    while !text.contains(expected) {
        let chunk = http::chunk(stream).unwrap_or_else(|error| panic!("{error} after {text}"));
        text += &String::from_utf8(chunk.unwrap_or_else(|| panic!("it ends after {text}"))).expect("text");
    }
    text
}

fn last_id(text: &str) -> &str {
    text.lines().rev().find_map(|line| line.strip_prefix("id: ")).expect("an id")
}

#[test]
fn events_go_on_without_a_gap_after_an_upgrade_but_not_after_a_crash() {
    let mut daemon = Scene::with("events", "[program:quiet]\ncommand=sleep 1000\nstartsecs=0\n").start(Subject::Ours);
    daemon.wait_for_state("quiet", "RUNNING");
    let begin = read_until(&mut *follow(&daemon, None), "\n\n");
    daemon.call("supervisor.stopProcess", &["quiet".into()]);
    assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
    daemon.wait_for_log("supervisord upgraded with pid");
    let mut stream = follow(&daemon, Some(last_id(&begin)));
    let before = read_until(&mut *stream, "\"state\":\"STOPPED\"");
    assert!(!before.contains("event: gap") && before.contains("\"state\":\"STOPPING\""), "{before}");
    daemon.call("supervisor.startProcess", &["quiet".into()]);
    let after = read_until(&mut *stream, "\"state\":\"RUNNING\"");
    assert!(!after.contains("event: gap"), "{after}");
    drop(stream);
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    let text = read_until(&mut *follow(&daemon, Some(last_id(&after))), "\n\n");
    assert!(text.contains("event: gap"), "{text}");
    assert_eq!(daemon.stop(), 0);
}
