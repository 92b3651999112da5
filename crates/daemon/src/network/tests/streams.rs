//! Followed logs.

use std::fs::{self, OpenOptions};

use supervisord_core::event::{Event, ProcessName};
use supervisord_core::process::StateDetail;

use super::*;

fn append(path: &str, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.expect("opened").write_all(text.as_bytes()).expect("written");
}

fn following() -> Plane {
    let plane = Plane::start();
    plane.publish("grp", "cat", ProcessState::Running);
    append(&plane.path("cat.out"), "first\n");
    plane
}

impl Plane {
    fn write(&self, text: &str) {
        append(&self.path("cat.out"), text);
        self.hub.notify(&self.path("cat.out"), Change::Grown);
    }
}

#[test]
fn a_log_is_sent_as_it_grows() {
    let plane = following();
    let mut client = plane.unix();
    // As supervisorctl sends it, with a line too many.
    client.send("GET /logtail/grp%3Acat HTTP/1.1\r\nHost: h\r\n\r\n\r\n");
    let response = client.head();
    assert_eq!(response.status, 200);
    let names = ["Server", "Date", "Last-Modified", "Content-Type", "X-Accel-Buffering"];
    assert_eq!(response.names()[..5], names);
    assert_eq!(response.header("Content-Type"), Some("text/plain;charset=utf-8"));
    assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(client.until("first\n\r\n"), "6\r\nfirst\n\r\n");
    plane.write("second\n");
    assert_eq!(client.until("second\n\r\n"), "7\r\nsecond\n\r\n");
}

#[test]
fn an_old_client_gets_it_plain_and_at_once() {
    let plane = following();
    let mut client = plane.tcp();
    client.send("GET /logtail/grp:cat/stdout HTTP/1.0\r\n\r\n");
    assert_eq!(client.head().header("Transfer-Encoding"), None);
    assert_eq!(client.until("first\n"), "first\n");
    plane.write("second\n");
    assert_eq!(client.until("second\n"), "second\n");
}

#[test]
fn rotation_and_emptying_are_followed() {
    let plane = following();
    let log = plane.path("cat.out");
    let mut client = plane.unix();
    client.send("GET /logtail/grp:cat HTTP/1.0\r\n\r\n");
    client.until("first\n");
    append(&log, "old\n");
    fs::rename(&log, format!("{log}.1")).expect("renamed");
    append(&log, "new\n");
    plane.hub.notify(&log, Change::Replaced);
    assert_eq!(client.until("new\n"), "old\nnew\n");
    fs::File::create(&log).expect("emptied");
    plane.hub.notify(&log, Change::Replaced);
    client.until("==> File truncated <==\n");
    plane.write("more\n");
    assert_eq!(client.until("more\n"), "more\n");
    // As by a program that rotates logs and tells nobody.
    fs::File::create(&log).expect("emptied");
    plane.write("2\n");
    assert_eq!(client.until("2\n"), "==> File truncated <==\n2\n");
}

#[test]
fn a_log_that_others_write_is_looked_at_too() {
    let plane = following();
    append(&plane.path("main.log"), "begin\n");
    let mut client = plane.unix();
    client.send("GET /mainlogtail HTTP/1.0\r\n\r\n");
    client.until("begin\n");
    append(&plane.path("main.log"), "unannounced\n");
    client.until("unannounced\n");
}

#[test]
fn what_has_no_log_is_not_found() {
    let plane = following();
    plane.publish("nolog", "nolog", ProcessState::Running);
    for path in [
        "/logtail",
        "/logtail/",
        "/logtail/cat",
        "/logtail/grp:*",
        "/logtail/grp:cat/stderr",
        "/logtail/grp:cat/stdin",
        "/logtail/nolog",
        "/mainlogtail",
    ] {
        assert_eq!(plane.get(path).status, 404, "{path}");
    }
}

#[test]
fn who_leaves_is_not_followed_any_more() {
    let plane = following();
    let log = plane.path("cat.out");
    for request in ["GET /logtail/grp:cat HTTP/1.1\r\nHost: h\r\n\r\n", "GET /logtail/grp:cat HTTP/1.1\r\n\r\n\r\n"] {
        let mut client = plane.unix();
        client.send(request);
        client.until("first\n");
        assert!(plane.hub.is_followed(&log));
        drop(client);
        eventually(|| (!plane.hub.is_followed(&log)).then_some(()));
    }
}

#[test]
fn a_reader_that_pauses_holds_up_nobody_and_loses_nothing() {
    let plane = following();
    let mut client = plane.unix();
    client.send("GET /logtail/grp:cat HTTP/1.0\r\n\r\n");
    client.until("first\n");
    let line = format!("{}\n", "x".repeat(99));
    for _ in 0..100 {
        plane.write(&line.repeat(1000));
        assert_eq!(plane.get("/ok.html").body, "OK");
    }
    plane.write("last\n");
    assert_eq!(client.until("last\n").len(), 100 * 1000 * 100 + 5);
}

#[test]
fn readers_that_use_up_the_memory_of_streams_hold_up_no_other_stream() {
    let limits = Limits { all_streams_bytes: 32 << 10, ..Limits::default() };
    let plane = Setup { limits, ..Setup::default() }.start();
    plane.publish("grp", "cat", ProcessState::Running);
    append(&plane.path("cat.out"), "first\n");
    let follow = || {
        let mut client = plane.unix();
        client.send("GET /logtail/grp:cat HTTP/1.0\r\n\r\n");
        client.until("first\n");
        client
    };
    let (mut paused, mut reader) = ([follow(), follow(), follow()], follow());
    let all = format!("{}\nlast\n", "x".repeat(2 << 20));
    plane.write(&all);
    assert_eq!(reader.until("last\n"), all);
    for client in &mut paused {
        assert_eq!(client.until("last\n"), all);
    }
}

#[test]
fn the_end_of_the_plane_is_no_end_of_the_log() {
    let mut plane = following();
    let mut client = plane.unix();
    client.send("GET /logtail/grp:cat HTTP/1.1\r\nHost: h\r\n\r\n");
    client.until("first\n\r\n");
    plane.stop();
    assert_eq!(client.rest(), "");
}

#[test]
fn only_so_many_may_follow() {
    let plane = Setup { limits: Limits { connections: 8, ..Limits::default() }, ..Setup::default() }.start();
    plane.publish("grp", "cat", ProcessState::Running);
    append(&plane.path("cat.out"), "first\n");
    let followers: Vec<_> = (0..2)
        .map(|_| {
            let mut client = plane.unix();
            client.send("GET /logtail/grp:cat HTTP/1.0\r\n\r\n");
            client.until("first\n");
            client
        })
        .collect();
    assert_eq!(plane.get("/logtail/grp:cat").status, 503);
    drop(followers);
    eventually(|| {
        let mut client = plane.unix();
        client.send("GET /logtail/grp:cat HTTP/1.0\r\n\r\n");
        (client.head().status == 200).then_some(())
    });
}

fn change(to: ProcessState, pid: u32) -> Event {
    let process = ProcessName { group: "grp".into(), process: "cat".into() };
    Event::ProcessState { process, from: ProcessState::Starting, to, detail: StateDetail::Pid(pid) }
}

impl Plane {
    fn happen(&self, event: Event) {
        self.view.publish_events(vec![event].into_iter());
    }

    /// A client that follows events, from a certain one on; with the id of the event before the first it gets.
    fn following_events(&self, last: Option<&str>) -> (Client<UnixStream>, String) {
        let mut client = self.unix();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        client.send(&format!("GET /api/v1/events HTTP/1.1\r\nHost: h\r\n{last}\r\n"));
        let response = client.head();
        assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/event-stream")));
        let begin = client.until("\n\n");
        let id = begin.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
        (client, id)
    }
}

#[test]
fn events_are_sent_as_they_happen_and_again_from_the_last_one_on() {
    let plane = Plane::start();
    plane.happen(change(ProcessState::Running, 1));
    let (mut client, first) = plane.following_events(None);
    plane.happen(change(ProcessState::Running, 42));
    plane.happen(Event::ProcessGroupAdded("more".into()));
    let sent = client.until("\"group\":\"more\"}\n\n");
    assert!(sent.contains("event: process_state\ndata: {\"time\":"), "{sent}");
    let members = "\"group\":\"grp\",\"name\":\"cat\",\"from\":\"STARTING\",\"state\":\"RUNNING\",\"pid\":42}\n\n";
    assert!(sent.contains(members), "{sent}");
    assert!(!sent.contains("\"pid\":1}"), "what happened before is not sent: {sent}");
    let (mut again, _) = plane.following_events(Some(&first));
    assert!(!again.until("\"group\":\"more\"}\n\n").contains("event: gap"));
}

#[test]
fn a_script_in_a_browser_says_in_the_address_where_it_was() {
    let plane = Plane::start();
    plane.happen(change(ProcessState::Running, 1));
    let (_, present) = plane.following_events(None);
    plane.happen(change(ProcessState::Running, 42));
    let sent = |query: &str, header: &str| {
        let mut client = plane.unix();
        client.send(&format!("GET /api/v1/events?{query} HTTP/1.1\r\nHost: h\r\n{header}\r\n"));
        assert_eq!(client.head().status, 200);
        client.until("\"pid\":42}\n\n")
    };
    let known = sent(&format!("last_event_id={present}"), "");
    assert!(known.contains("retry: 1000\nid: ") && !known.contains("event: gap"), "{known}");
    assert!(!known.contains("\"pid\":1}"), "{known}");
    let all = sent("last_event_id=0", "");
    assert!(all.contains("event: gap") && all.contains("\"pid\":1}"), "{all}");
    // A browser that comes back by itself keeps the address, and sends what it got last.
    let newer = sent("last_event_id=0", &format!("Last-Event-ID: {present}\r\n"));
    assert!(!newer.contains("event: gap") && !newer.contains("\"pid\":1}"), "{newer}");
}

#[test]
fn a_client_learns_that_it_has_missed_events() {
    let plane = Plane::start();
    plane.happen(change(ProcessState::Running, 42));
    let (_, present) = plane.following_events(None);
    let (boot, _) = present.split_once('-').expect("two parts");
    for last in ["garbage".to_owned(), format!("{boot}-1"), "another-1".to_owned()] {
        let mut client = plane.unix();
        client.send(&format!("GET /api/v1/events HTTP/1.1\r\nHost: h\r\nLast-Event-ID: {last}\r\n\r\n"));
        assert_eq!(client.head().status, 200);
        let sent = client.until("\"pid\":42}\n\n");
        let (gap, event) = (sent.find("event: gap\ndata: {}\n\n"), sent.find("event: process_state"));
        assert!(gap.is_some() && gap < event, "{last}: {sent}");
    }
}

#[test]
fn whether_there_are_events_can_be_asked_without_following_them() {
    let plane = Plane::start();
    let response = plane.ask("HEAD /api/v1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!((response.status, response.header("Content-Type")), (200, Some("text/event-stream")));
}
