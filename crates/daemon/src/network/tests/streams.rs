//! Followed logs.

use std::fs::{self, OpenOptions};

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
