//! Logs and usage in the JSON API.

use std::fs::{OpenOptions, rename, write};

use serde_json::{Value, json};

use super::*;

const LOG: &str = "/api/v1/programs/web/a/logs/stdout";

fn plane(log: &[u8]) -> Plane {
    let plane = Plane::start();
    plane.publish("web", "a", ProcessState::Running);
    write(plane.path("a.out"), log).expect("written");
    plane
}

impl Plane {
    fn append(&self, bytes: &[u8]) {
        let file = OpenOptions::new().append(true).create(true).open(self.path("a.out"));
        file.expect("opened").write_all(bytes).expect("written");
        self.hub.notify(&self.path("a.out"), Change::Grown);
    }

    fn delete(&self, path: &str) -> Response {
        self.ask(&format!("DELETE {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    fn stream(&self, path: &str, headers: &str) -> Client<UnixStream> {
        let mut client = self.unix();
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n"));
        let head = client.head();
        assert_eq!((head.status, head.header("Content-Type")), (200, Some("text/event-stream")), "{}", head.head);
        client
    }
}

/// One server-sent event.
#[derive(Debug, PartialEq)]
struct Sent {
    id: String,
    name: String,
    data: Value,
}

impl Client<UnixStream> {
    /// The next event of a stream in chunks, in which no event is longer than a chunk; those without data are passed over.
    fn event(&mut self) -> Sent {
        loop {
            let text = self.until("\n\n");
            let field =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
            let data = field("data: ");
            if !data.is_empty() {
                let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
                return Sent { id: field("id: "), name: field("event: "), data };
            }
        }
    }

    /// The text of the events up to the one that completes this.
    fn text(&mut self, expected: &str) -> String {
        let (mut text, mut id) = (String::new(), String::new());
        while text.len() < expected.len() {
            let event = self.event();
            assert_eq!(event.name, "output");
            text += event.data["text"].as_str().expect("text");
            id = event.id;
        }
        assert_eq!(text, expected);
        id
    }
}

#[test]
fn a_part_of_a_log_is_what_was_asked_for() {
    let plane = plane(b"0123456789");
    for (query, expected, offset) in [
        ("", "0123456789", "0"),
        ("?offset=2&length=3", "234", "2"),
        ("?offset=-4", "6789", "6"),
        ("?offset=-40&length=1", "0", "0"),
        ("?offset=10", "", "10"),
        ("?offset=9999", "", "10"),
        ("?length=0", "", "0"),
    ] {
        let part = plane.get(&format!("{LOG}{query}"));
        assert_eq!((part.status, &*part.body), (200, expected), "{query}");
        assert_eq!(part.header("Log-Offset"), Some(offset), "{query}");
        assert_eq!(part.header("Log-Size"), Some("10"), "{query}");
        assert_eq!(part.header("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(part.header("X-Content-Type-Options"), Some("nosniff"));
    }
    for (path, status, detail) in [
        (format!("{LOG}?offset=x"), 400, "offset is 'x': write a whole number"),
        (format!("{LOG}?length=-1"), 400, "length is '-1': write a whole number of 0 or more"),
        (LOG.replace("stdout", "stderr"), 404, "web:a has no stderr log: stderr_logfile is NONE"),
        (LOG.replace("stdout", "stdin"), 404, "there is no log 'stdin': write stdout or stderr"),
        (LOG.replace("/a/", "/b/"), 404, "no program is named web:b"),
    ] {
        let refused = plane.get(&path);
        assert_eq!(refused.status, status, "{path}");
        assert!(refused.body.contains(detail), "{path}: {}", refused.body);
    }
    std::fs::remove_file(plane.path("a.out")).expect("removed");
    for path in [LOG.to_owned(), format!("{LOG}?follow"), format!("{LOG}?download")] {
        assert_eq!(plane.get(&path).status, 404, "{path}");
    }
}

#[test]
fn a_whole_log_is_an_attachment() {
    let log: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let plane = plane(log.as_bytes());
    let mut client = plane.unix();
    client.send(&format!("GET {LOG}?download HTTP/1.1\r\nHost: h\r\n\r\nGET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n"));
    let whole = client.response();
    assert_eq!(whole.header("Content-Disposition"), Some("attachment; filename=\"web-a-stdout.log\""));
    assert!(whole.body == log, "{} of {} bytes", whole.body.len(), log.len());
    assert_eq!(client.response().body, "OK", "the connection goes on");
    write(plane.path("a.out"), "").expect("emptied");
    assert_eq!(plane.get(&format!("{LOG}?download")).body, "");
}

#[test]
fn a_followed_log_is_text_whatever_bytes_it_has() {
    let plane = plane("\u{0}\"\\\r\n\u{1b}[31m<script>\u{2028}é".as_bytes());
    let mut client = plane.stream(&format!("{LOG}?follow"), "");
    client.text("\u{0}\"\\\r\n\u{1b}[31m<script>\u{2028}é");
    plane.append(b"\xff\xfe.");
    client.text("\u{fffd}\u{fffd}.");
    let euro = "€".as_bytes();
    plane.append(&[b"5", &euro[..1]].concat());
    client.text("5");
    plane.append(&euro[1..]);
    client.text("€");
    let long = "\u{1}".repeat(40_000);
    plane.append(long.as_bytes());
    client.text(&long);
}

#[test]
fn a_client_that_comes_back_misses_nothing_and_is_told_of_a_rotation() {
    let plane = plane(b"1");
    let mut client = plane.stream(LOG, "Accept: text/event-stream\r\n");
    let id = client.text("1");
    assert!(id.starts_with("1-"), "{id}");
    plane.append(b"2");
    let again = |id: &str| plane.stream(LOG, &format!("Accept: text/event-stream\r\nLast-Event-ID: {id}\r\n"));
    again(&id).text("2");
    client.text("2");
    rename(plane.path("a.out"), plane.path("a.out.1")).expect("renamed");
    plane.append(b"3");
    plane.hub.notify(&plane.path("a.out"), Change::Replaced);
    let mut late = again(&id);
    // It reads the end of the rotated file first.
    late.text("2");
    for client in [&mut client, &mut late] {
        assert_eq!((client.event().name, client.text("3").split('-').next()), ("rotated".to_owned(), Some("1")));
    }
    for unknown in ["9999", "nonsense", "1-0"] {
        let mut client = again(unknown);
        let event = client.event();
        assert_eq!((&*event.name, event.data), ("rotated", serde_json::json!({"skipped": null})), "{unknown}");
        client.text("3");
    }
}

#[test]
fn a_stream_begins_with_the_end_of_a_long_log() {
    let log = format!("{}é{}", "a".repeat(1000), "b".repeat((64 << 10) - 1));
    let plane = plane(log.as_bytes());
    // The rest of a character is not shown.
    plane.stream(&format!("{LOG}?follow"), "").text(&"b".repeat((64 << 10) - 1));
}

#[test]
fn logs_are_cleared_one_by_one() {
    let plane = plane(b"1");
    assert_eq!(plane.delete(LOG).status, 200);
    assert!(plane.asked().contains("action: ClearLogs(Some(Stdout))"));
    assert_eq!(plane.delete(&LOG.replace("stdout", "stderr")).status, 404);
    assert_eq!(plane.delete("/api/v1/daemon/log").body, "{}");
    assert_eq!(plane.asked(), "ClearLog");
}

#[test]
fn the_activity_log_is_read_in_the_same_way() {
    let plane = plane(b"1");
    write(plane.path("main.log"), "lines").expect("written");
    assert_eq!(plane.get("/api/v1/daemon/log?offset=-1").body, "s");
    plane.stream("/api/v1/daemon/log?follow", "").text("lines");
}

#[test]
fn usage_is_that_of_the_whole_tree() {
    let plane = Plane::start();
    plane.view.publish_row(Row { pid: std::process::id(), ..row("web", "up") });
    plane.view.publish_row(Row { pid: 0, ..row("web", "down") });
    let usage: Value = serde_json::from_str(&plane.get("/api/v1/usage").body).expect("JSON");
    let nothing =
        json!({"group": "web", "name": "down", "cpu_seconds": 0.0, "memory_bytes": 0, "processes": 0, "threads": 0});
    assert_eq!(usage["programs"][0], nothing);
    assert_eq!(usage["programs"][1]["name"], "up");
    for used in [&usage["programs"][1], &usage["daemon"]] {
        assert!(used["memory_bytes"].as_u64() > Some(1 << 20), "{usage}");
        assert!(used["processes"].as_u64() >= Some(1) && used["threads"].as_u64() >= Some(2), "{usage}");
    }
    let mut client = plane.stream("/api/v1/events?usage=1", "");
    let first = client.event();
    assert_eq!((&*first.name, &first.data["programs"][0]), ("usage", &nothing));
    assert_eq!(client.event().name, "usage", "and again");
    for wrong in ["0", "3601", "x", ""] {
        assert_eq!(plane.get(&format!("/api/v1/events?usage={wrong}")).status, 400, "{wrong}");
    }
}
