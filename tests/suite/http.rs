//! The servers' answers to plain HTTP, compared.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::harness::http::{self, Response};
use crate::harness::programs::{CAT, IDLE, RUNNING, TEAM};
use crate::harness::{Daemon, Observed, Scene, Subject, compare, only_ours, wait};

fn world() -> String {
    [
        CAT,
        IDLE,
        TEAM,
        "[inet_http_server]
port=127.0.0.1:{port}
",
    ]
    .concat()
}

/// Requests whose answers do not depend on the design of pages. `HEAD` of a page is in docs/differences.md.
const REQUESTS: [(&str, &str); 24] = [
    ("GET", "/ok.html"),
    ("POST", "/ok.html"),
    ("GET", "//ok.html"),
    ("GET", "/nowhere"),
    ("GET", "/nowhere/"),
    ("GET", "/../../etc/passwd"),
    ("GET", "/stylesheets/supervisor.css"),
    ("HEAD", "/stylesheets/supervisor.css"),
    ("GET", "/images/icon.png"),
    ("GET", "/images/state0.gif"),
    ("GET", "/images/supervisor.gif"),
    ("POST", "/images/icon.png"),
    ("PUT", "/nowhere"),
    ("DELETE", "/index.html"),
    ("GET", "/RPC2"),
    ("PUT", "/RPC2"),
    ("GET", "/"),
    ("GET", "/index.html"),
    ("GET", "/tail.html?processname=cat"),
    ("GET", "/tail.html?processname=nobody"),
    ("GET", "/logtail/nobody"),
    ("GET", "/logtail/cat/nonsense"),
    ("GET", "/logtail/team:*"),
    ("POST", "/mainlogtail"),
];

fn ask(daemon: &Daemon, verb: &str, path: &str) -> Response {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let body = if verb == "POST" { "Content-Length: 3\r\n\r\na=b" } else { "\r\n" };
    let request = format!("{verb} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");
    match verb {
        // The body of an answer to HEAD is never sent, or is the original's error page.
        "HEAD" => http::head(&mut *stream).expect("an answer"),
        _ => http::response(&mut *stream).expect("an answer"),
    }
}

#[test]
fn requests_get_the_same_answers() {
    compare(&Scene::with("requests", &world()), |daemon, observed| {
        daemon.wait_for_states(&RUNNING, "RUNNING");
        for (verb, path) in REQUESTS {
            let response = ask(daemon, verb, path);
            let kind = response.header("content-type").unwrap_or("none").to_owned();
            observed.exactly(&format!("{verb} {path}"), format!("{} {kind}", response.status()));
        }
        observed.exactly("body", ask(daemon, "GET", "/ok.html").text());
        observed.exactly("error page", ask(daemon, "GET", "/nowhere").text());
    });
}

#[test]
fn malformed_calls_get_the_same_answers() {
    const BODIES: [&str; 14] = [
        "nonsense",
        "<methodCall/>",
        "<methodCall><methodName></methodName></methodCall>",
        "<methodCall><methodName>supervisor.getState</methodName></methodCall>",
        "<foo><methodName>supervisor.getAPIVersion</methodName></foo>",
        "<methodCall><params/><methodName>supervisor.getAPIVersion</methodName></methodCall>",
        "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value>nobody</value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.readLog</methodName><params><param><value><int>x</int></value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.readLog</methodName><params><param><value><i4>+0</i4></value></param><param><value><int> 1 </int></value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param></param></params></methodCall>",
        "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value><array/></value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.sendProcessStdin</methodName><params><param><value>cat</value></param><param><value><base64>aGVsbG8K</base64></value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value><string>a&#1;b</string></value></param></params></methodCall>",
        "<methodCall><methodName>supervisor.getAPIVersion</methodName></methodCall> trailing",
    ];
    compare(&Scene::with("bodies", &world()), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        daemon.wait_for_log("started with pid");
        for body in BODIES {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            let response = http::request(&mut *stream, "POST", "/RPC2", &[], body.as_bytes()).expect("an answer");
            let log = body.contains("readLog") && response.status() == 200;
            observed
                .exactly(body, format!("{}\n{}", response.status(), if log { String::new() } else { response.text() }));
        }
        assert_eq!(daemon.wait_for_file("cat.log"), "hello\n");
    });
}

/// Every byte of an answer, with its headers in order.
#[test]
fn answers_are_the_same_to_the_byte() {
    compare(&Scene::with("written", &world()), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        for (method, arguments) in [
            ("supervisor.getState", ""),
            ("supervisor.getAPIVersion", ""),
            ("supervisor.startProcess", "<param><value>nobody &lt;&amp;&gt;</value></param>"),
            ("supervisor.startProcess", "<param><value>idle</value></param>"),
            ("supervisor.stopProcess", "<param><value>idle</value></param>"),
            ("system.methodSignature", "<param><value>supervisor.startProcess</value></param>"),
            ("supervisor.stopAllProcesses", ""),
        ] {
            let body =
                format!("<methodCall><methodName>{method}</methodName><params>{arguments}</params></methodCall>");
            let mut stream = http::tcp(daemon.ports[0]).expect("it listens");
            let response = http::request(&mut *stream, "POST", "/RPC2", &[], body.as_bytes()).expect("an answer");
            let headers: Vec<String> = response
                .headers
                .iter()
                .map(|(name, value)| if name == "Date" { name.clone() } else { format!("{name}: {value}") })
                .collect();
            observed.exactly(
                method,
                format!("{}\n{}\n{}", response.status_line, headers.join("\n"), sorted(&response.text())),
            );
        }
    });
}

/// Results for many processes come in the order in which the processes finish.
fn sorted(body: &str) -> String {
    if !body.contains("description") {
        return body.to_owned();
    }
    let mut lines: Vec<&str> = body.lines().collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn logs_can_be_followed() {
    compare(&Scene::with("followed", &world()), |daemon, observed| {
        daemon.wait_for_state("cat", "RUNNING");
        let say = |daemon: &Daemon, text: &str| {
            daemon.call("supervisor.sendProcessStdin", &["cat".into(), text.into()]);
        };
        say(daemon, &("x".repeat(1999) + "\n"));
        daemon.wait_until("all is written", |daemon| daemon.read("cat.log").len() == 2000);
        for path in ["/logtail/cat", "/logtail/cat/stdout", "/logtail/cat%3Acat"] {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).expect("it reads");
            let head = http::head(&mut *stream).expect("an answer");
            note_head(observed, path, &head);
            let first = http::chunk(&mut *stream).expect("a piece").unwrap_or_default();
            observed.exactly("the end of the past", first.len());
            say(daemon, "more\n");
            let second = http::chunk(&mut *stream).expect("a piece").unwrap_or_default();
            observed.exactly("the present", String::from_utf8_lossy(&second));
        }
        let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
        stream.write_all(b"GET /mainlogtail HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        note_head(observed, "/mainlogtail", &http::head(&mut *stream).expect("an answer"));
        let first = http::chunk(&mut *stream).expect("a piece").unwrap_or_default();
        assert!(String::from_utf8_lossy(&first).contains("spawned: 'cat'"));
    });
}

fn note_head(observed: &mut Observed, path: &str, head: &Response) {
    // These are hints to browsers and proxies.
    const HINTS: [&str; 2] = ["X-Content-Type-Options", "X-Accel-Buffering"];
    let mut headers: Vec<&str> = head.headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.retain(|name| !HINTS.contains(name));
    headers.sort_by_key(|name| name.to_ascii_lowercase());
    let kind = head.header("content-type").unwrap_or_default();
    observed.exactly(path, format!("{} {kind} {}", head.status(), headers.join(" ")));
}

#[test]
fn connections_are_kept_and_closed_the_same_way() {
    const HEADS: [(&str, &str); 6] = [
        ("HTTP/1.1", ""),
        ("HTTP/1.1", "Connection: close\r\n"),
        ("HTTP/1.1", "Connection: keep-alive\r\n"),
        ("HTTP/1.0", ""),
        ("HTTP/1.0", "Connection: keep-alive\r\n"),
        ("HTTP/1.0", "Connection: close\r\n"),
    ];
    compare(&Scene::with("kept", &world()), |daemon, observed| {
        for (version, header) in HEADS {
            let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
            let request = format!("GET /ok.html {version}\r\nHost: h\r\n{header}\r\n");
            stream.write_all(request.as_bytes()).expect("it reads");
            let first = http::response(&mut *stream).expect("an answer");
            let again = stream.write_all(request.as_bytes()).and_then(|()| http::response(&mut *stream));
            observed.exactly(&format!("{version} {header}"), format!("{}, kept: {}", first.status(), again.is_ok()));
        }
    });
}

/// A request and the first line of its answer: the same from both, or one for each. An empty line means that the server
/// closes the connection without an answer, a dash that it does not answer.
enum Odd {
    Alike(&'static str),
    Better(&'static str, &'static str),
}

use Odd::{Alike, Better};

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";
const OK: &str = "HTTP/1.1 200 OK";
const BAD: &str = "HTTP/1.1 400 Bad Request";
const FAILED: &str = "HTTP/1.1 500 Internal Server Error";

const ODD_REQUESTS: &[(&str, Odd)] = &[
    ("GET /ok.html\r\n\r\n", Better("HTTP/None 500 Internal Server Error", BAD)),
    ("GET /ok.html HTTP/1.2\r\n\r\n", Better("HTTP/1.2 200 OK", BAD)),
    ("GET /ok.html HTTP/2.0\r\n\r\n", Better("HTTP/2.0 200 OK", BAD)),
    ("GET /ok.html HTTP/1.1\r\n\r\n", Alike(OK)),
    ("GET /ok.html HTTP/1.1\nHost: h\n\n", Better("-", OK)),
    ("\r\n\r\nGET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n", Better("", OK)),
    ("GET /ok.html HTTP/1.1\r\nX: a\r\n b\r\n\r\n", Better(OK, BAD)),
    ("GET /ok.html HTTP/1.1\r\nnocolon\r\n\r\n", Better(FAILED, BAD)),
    ("GET /ok html HTTP/1.1\r\n\r\n", Better("", BAD)),
    ("GET /ok.html;x HTTP/1.1\r\n\r\n", Better("-", NOT_FOUND)),
    ("GET /%6fk%2ehtml?x=%zz HTTP/1.1\r\n\r\n", Alike(OK)),
    ("GET /ok.html#x HTTP/1.1\r\n\r\n", Alike(OK)),
    ("GET http://h/ok.html HTTP/1.1\r\nHost: h\r\n\r\n", Better(NOT_FOUND, OK)),
    ("OPTIONS / HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("OPTIONS * HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("TRACE / HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("NONSENSE / HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("get /ok.html HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("HEAD /ok.html HTTP/1.1\r\n\r\n", Better(NOT_FOUND, OK)),
    ("HEAD /nowhere HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("HEAD /logtail/cat HTTP/1.1\r\n\r\n", Alike(BAD)),
    ("GET /status.html HTTP/1.1\r\n\r\n", Better(OK, NOT_FOUND)),
    ("GET /images HTTP/1.1\r\nHost: h\r\n\r\n", Alike("HTTP/1.1 301 Moved Permanently")),
    ("GET /images/ HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("GET /stylesheets/supervisor.css HTTP/1.1\r\nRange: bytes=0-3\r\n\r\n", Alike(OK)),
    ("GET /images/icon.png HTTP/1.1\r\nIf-Modified-Since: nonsense\r\n\r\n", Alike(OK)),
    ("GET /logtail HTTP/1.1\r\n\r\n", Better(FAILED, NOT_FOUND)),
    ("GET /logtail/ HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("GET /logtail/cat/stdout/more HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("GET /logtail/cat/stderr HTTP/1.1\r\n\r\n", Alike(NOT_FOUND)),
    ("GET /logtail/cat?x=1 HTTP/1.1\r\n\r\n", Alike(OK)),
    ("GET /logtailx/cat HTTP/1.1\r\n\r\n", Alike(OK)),
    ("GET /mainlogtailx HTTP/1.1\r\n\r\n", Alike(OK)),
    ("POST /RPC2 HTTP/1.1\r\n\r\n", Alike("HTTP/1.1 411 Length Required")),
    ("POST / HTTP/1.1\r\n\r\n", Alike("HTTP/1.1 411 Length Required")),
    ("POST /RPC2 HTTP/1.1\r\nContent-Length: abc\r\n\r\n", Better(FAILED, BAD)),
    ("POST /RPC2 HTTP/1.1\r\nContent-Length: -5\r\n\r\n", Better("-", BAD)),
    ("POST /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Better("-", BAD)),
    ("POST /RPC2 HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", Alike(BAD)),
    (
        "POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        Better("HTTP/1.1 411 Length Required", BAD),
    ),
    ("GET /?action=nonsense HTTP/1.1\r\n\r\n", Better(FAILED, BAD)),
    ("GET /?action=start HTTP/1.1\r\n\r\n", Better(FAILED, BAD)),
];

#[test]
fn malformed_requests_are_answered_the_same_or_better() {
    compare(&Scene::with("odd", &world()), |daemon, _| {
        daemon.wait_for_state("cat", "RUNNING");
        daemon.wait_until("the log is there", |daemon| daemon.path("cat.log").exists());
        for (request, expected) in ODD_REQUESTS {
            let expected = match (expected, daemon.subject) {
                (Alike(line) | Better(line, _), Subject::Original) | (Alike(line) | Better(_, line), _) => *line,
            };
            // The original does not answer some requests.
            let limit = if expected == SILENCE { Duration::from_secs(3) } else { wait::DEADLINE };
            assert_eq!(first_line(daemon, request, limit), expected, "{request:?}");
        }
    });
}

/// Stands for no answer.
const SILENCE: &str = "-";

/// The first line of the answer that comes within a time.
fn first_line(daemon: &Daemon, request: &str, limit: Duration) -> String {
    let mut stream = UnixStream::connect(daemon.path("s.sock")).expect("it listens");
    stream.set_read_timeout(Some(limit)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line) {
        Ok(_) => line.trim_end().to_owned(),
        Err(_) => SILENCE.to_owned(),
    }
}

/// The original answers 404 there.
#[test]
fn the_json_api_shows_what_status_shows() {
    only_ours(|| {
        let mut daemon = Scene::with("json", &world()).start(Subject::Ours);
        daemon.wait_for_state("cat", "RUNNING");
        let get = |path: &str| -> serde_json::Value {
            let response = ask(&daemon, "GET", path);
            assert_eq!(response.status(), 200, "{path}");
            serde_json::from_slice(&response.body).expect("JSON")
        };
        let programs = get("/api/v1/programs");
        let shown: Vec<[&str; 4]> = programs["programs"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|program| {
                ["group", "name", "state", "description"].map(|member| program[member].as_str().expect("text"))
            })
            .collect();
        let line = |[group, name, state, description]: &[&str; 4]| {
            let name = if group == name { (*name).to_owned() } else { format!("{group}:{name}") };
            let line = format!("{name:<32} {state:<9} {description}");
            // The time it has been up goes on.
            line.split(", uptime").next().unwrap_or_default().trim_end().to_owned()
        };
        let status = daemon.ctl(&["status"]).stdout;
        let listed: Vec<&str> = status.lines().map(|line| line.split(", uptime").next().unwrap_or_default()).collect();
        assert_eq!(shown.iter().map(line).collect::<Vec<_>>(), listed);
        let pid = daemon.ctl(&["pid", "cat"]).stdout;
        assert_eq!(get("/api/v1/programs/cat/cat")["pid"].to_string(), pid.trim());
        assert_eq!(get("/api/v1/daemon")["pid"].to_string(), daemon.ctl(&["pid"]).stdout.trim());
    });
}
