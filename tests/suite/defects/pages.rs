//! Defects of the original in the web page and in HTTP responses.

use std::io::{Read, Write};

use crate::harness::http::{self, Response};
use crate::harness::programs::CAT;
use crate::harness::{Daemon, Scene, Subject, differ, only_ours};

fn cat(subject: Subject, name: &str) -> Daemon {
    let mut daemon = Scene::with(name, CAT).start(subject);
    daemon.wait_for_state("cat", "RUNNING");
    daemon
}

fn get(daemon: &Daemon, path: &str, headers: &[&str]) -> Response {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    http::request(&mut *stream, "GET", path, headers, b"").expect("an answer")
}

/// In the original any site can have a link that stops a program.
#[test]
fn a_link_from_another_site_stops_no_program() {
    differ((301, "STOPPED"), (403, "RUNNING"), |subject| {
        let daemon = cat(subject, "foreign");
        let answer = get(&daemon, "/index.html?processname=cat&action=stop", &["Origin: http://elsewhere"]);
        (answer.status(), if daemon.state_of("cat") == "RUNNING" { "RUNNING" } else { "STOPPED" })
    });
}

/// Browsers cache the original's permanent redirect, whose address is taken from the `Host` header.
#[test]
fn an_action_redirects_temporarily() {
    differ((301, true), (303, false), |subject| {
        let answer = get(&cat(subject, "refresh"), "/index.html?action=refresh", &[]);
        (
            answer.status(),
            answer.header("location").is_some_and(|place| place.starts_with("http://localhost/?message=")),
        )
    });
}

/// The original fails with an internal error.
#[test]
fn invalid_actions_are_answered_with_400() {
    differ([500, 500], [400, 400], |subject| {
        let daemon = cat(subject, "nonsense");
        ["action=nonsense", "action=start"].map(|action| get(&daemon, &format!("/index.html?{action}"), &[]).status())
    });
}

#[test]
fn head_requests_for_pages_are_answered() {
    differ(404, 200, |subject| {
        let daemon = cat(subject, "head");
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("it reads");
        http::head(&mut *stream).expect("an answer").status()
    });
}

/// The case of a header name and of a chunk size, and the target of a redirect to a directory.
#[test]
fn some_response_headers_are_spelled_differently() {
    let spelled = |texts: [&str; 3]| texts.map(str::to_owned);
    let original = spelled(["WWW-Authenticate", "1a", "http://<unix domain socket>/stylesheets/"]);
    differ(original, spelled(["Www-Authenticate", "1A", "stylesheets/"]), |subject| {
        let text = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p\n";
        let mut daemon = Scene::with("spelling", &format!("{CAT}{text}")).start(subject);
        daemon.wait_for_state("cat", "RUNNING");
        daemon.call("supervisor.sendProcessStdin", &["cat".into(), "abcdefghijklmnopqrstuvwxy\n".into()]);
        daemon.wait_until("it is written", |daemon| daemon.read("cat.log").len() == 26);

        let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        let refused = http::response(&mut *stream).expect("an answer");
        let names = refused.headers.iter().map(|(name, _)| name.clone());
        let challenge = names.into_iter().find(|name| name.eq_ignore_ascii_case("www-authenticate"));

        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /logtail/cat HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        http::head(&mut *stream).expect("an answer");
        let mut size = [0; 2];
        stream.read_exact(&mut size).expect("a chunk");

        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /stylesheets HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        let moved = http::response(&mut *stream).expect("an answer");
        let place = moved.header("location").map(str::to_owned);
        [challenge.unwrap_or_default(), String::from_utf8_lossy(&size).into_owned(), place.unwrap_or_default()]
    });
}

#[test]
fn responses_have_headers_for_proxies_and_browsers() {
    let said = |texts: [&str; 3]| texts.map(str::to_owned);
    differ(said(["", "", ""]), said(["close", "nosniff", "no"]), |subject| {
        let daemon = cat(subject, "hints");
        let head = |request: &str| {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            stream.write_all(request.as_bytes()).expect("it reads");
            http::head(&mut *stream).expect("an answer")
        };
        [
            ("Connection", "GET /ok.html HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            ("X-Content-Type-Options", "GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n"),
            ("X-Accel-Buffering", "GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n"),
        ]
        .map(|(name, request)| head(request).header(name).unwrap_or_default().to_owned())
    });
}

/// The original keeps the connection open and buffers its input without limit.
#[test]
fn a_refused_connection_is_closed() {
    only_ours(|| {
        let text = "[inet_http_server]\nport=127.0.0.1:{port}\nusername=u\npassword=p\n";
        let mut daemon = Scene::with("refused", text).start(Subject::Ours);
        daemon.wait_for_log("started with pid");
        let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        let mut all = String::new();
        stream.read_to_string(&mut all).expect("it ends");
        assert!(all.starts_with("HTTP/1.1 401 "), "{all}");
    });
}
