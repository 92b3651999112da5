//! Requests and replies: authentication, addresses, headers, and what becomes of the connection.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const CALL: &str = "<?xml version='1.0'?><methodCall><methodName>supervisor.getPID</methodName></methodCall>";

fn call(method: &str) -> String {
    CALL.replace("getPID", method)
}

fn guarded() -> Plane {
    let credentials = Some(RequiredCredentials { username: "user".into(), password: "pw".into() });
    Setup { credentials, ..Setup::default() }.start()
}

#[test]
fn a_call_is_answered_on_both_kinds_of_socket() {
    let plane = Plane::start();
    let request = format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{CALL}", CALL.len());
    let expected = format!("<int>{}</int>", std::process::id());
    let mut unix = plane.unix();
    let mut tcp = plane.tcp();
    unix.send(&request);
    tcp.send(&request);
    for response in [unix.response(), tcp.response()] {
        assert_eq!(response.status, 200);
        assert!(response.body.contains(&expected), "{}", response.body);
        assert_eq!(response.names(), ["Server", "Date", "Content-Type", "Content-Length"]);
        assert_eq!(response.header("Server"), Some("Medusa/1.12"));
        assert_eq!(response.header("Content-Type"), Some("text/xml"));
    }
}

#[test]
fn two_host_names_are_no_request() {
    let plane = Plane::start();
    let mut client = plane.tcp();
    client.send("GET /ok.html HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.response().status, 400);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_connection_is_kept_for_further_calls() {
    let plane = Plane::start();
    let mut client = plane.unix();
    for _ in 0..3 {
        client.send(&format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{CALL}", CALL.len()));
        assert_eq!(client.response().status, 200);
    }
    // All at once as well.
    let one = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{CALL}", CALL.len());
    client.send(&one.repeat(3));
    for _ in 0..3 {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn an_old_client_gets_its_reply_and_the_end() {
    let plane = Plane::start();
    let mut client = plane.unix();
    client.send("GET /ok.html HTTP/1.0\r\n\r\n");
    let reply = client.rest();
    assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n\r\nOK"), "{reply}");
}

#[test]
fn a_client_may_close_its_half_before_the_reply() {
    let plane = Plane::start();
    let mut client = plane.unix();
    let call = call("shutdown");
    client.send(&format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
    client.stream.shutdown(std::net::Shutdown::Write).expect("closed");
    assert!(client.rest().contains("<boolean>1</boolean>"));
}

#[test]
fn what_is_no_call_is_refused() {
    let plane = Plane::start();
    assert_eq!(plane.get("/RPC2").status, 400);
    assert_eq!(plane.post("/RPC2", "", "").status, 400);
    assert_eq!(plane.post("/RPC2", "", "nonsense").status, 400);
    assert_eq!(plane.ask("POST /RPC2 HTTP/1.1\r\nHost: h\r\n\r\n").status, 411);
    for (coding, status) in [("chunked", 400), ("gzip, chunked", 501), ("gzip", 400)] {
        let coded = format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        assert_eq!(plane.ask(&coded).status, status, "{coding}");
    }
    assert_eq!(plane.post("/RPC2/more", "", CALL).status, 200);
    assert_eq!(plane.post("/RPC3", "", CALL).status, 400);
}

#[test]
fn a_call_from_a_page_of_another_site_is_refused() {
    let plane = Plane::start();
    let foreign = "Origin: http://evil\r\nContent-Type: text/plain\r\n";
    assert_eq!(plane.post("/RPC2", foreign, &call("shutdown")).status, 403);
    assert_eq!(plane.post("/RPC2", "Origin: http://h\r\nContent-Type: text/plain\r\n", CALL).status, 200);
    assert_eq!(plane.post("/RPC2", "Content-Type: text/plain\r\n", CALL).status, 200);
    for content in ["text/xml", "application/xml", "text/plain"] {
        for site in ["cross-site", "same-site"] {
            let said = format!("Sec-Fetch-Site: {site}\r\nContent-Type: {content}\r\n");
            assert_eq!(plane.post("/RPC2", &said, CALL).status, 403, "{said}");
        }
    }
    // Behind a proxy that hides our name.
    let proxied = "Origin: http://outer\r\nContent-Type: text/xml\r\n";
    assert_eq!(plane.post("/RPC2", proxied, CALL).status, 200);
    assert!(plane.calls.try_recv().is_err());
}

/// A call in chunks of some bytes each.
fn chunked(body: &str, size: usize) -> String {
    let pieces = body
        .as_bytes()
        .chunks(size)
        .map(|piece| format!("{:x};name=value\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
    let head = "POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n";
    format!("{head}{}0\r\nX-Sum: 1\r\n\r\n", pieces.collect::<String>())
}

#[test]
fn a_call_may_come_in_chunks() {
    let plane = Plane::start();
    let mut client = plane.unix();
    for size in [1, 7, CALL.len()] {
        client.send(&chunked(CALL, size));
        assert_eq!(client.response().status, 200, "the connection goes on");
    }
    let long = CALL.replace("<methodCall>", &format!("<!--{}--><methodCall>", "x".repeat(1 << 20)));
    client.send(&chunked(&long, 10_000));
    assert_eq!(client.response().status, 200);
}

#[test]
fn errors_have_the_page_of_the_original() {
    let plane = Plane::start();
    let response = plane.get("/nowhere");
    assert_eq!(response.status, 404);
    assert_eq!(response.header("Content-Length"), Some("134"));
    assert_eq!(response.header("Content-Type"), Some("text/html"));
    assert!(response.body.starts_with("<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n"));
    assert!(response.body.contains("<p>Error code 404.\r\n<p>Message: Not Found.\r\n</body>"));
    assert_eq!(plane.ask("PUT / HTTP/1.1\r\nHost: h\r\n\r\n").header("Content-Length"), Some("136"));
    assert_eq!(plane.ask("POST / HTTP/1.1\r\nHost: h\r\n\r\n").header("Content-Length"), Some("140"));
}

/// Whoever guesses is slowed down; others, and those who know the password, notice nothing.
#[test]
fn wrong_passwords_are_throttled_by_user() {
    let plane = guarded();
    let request = |user: &str, password: &str| {
        let pair = format!("{user}:{password}");
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair);
        format!("GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {encoded}\r\n\r\n")
    };
    let ask = |user: &str, password: &str| plane.ask(&request(user, password)).status;
    for _ in 0..30 {
        assert_eq!(ask("user", "pw"), 200);
    }
    let slowed = || plane.log.lock().expect("unpoisoned").iter().filter(|line| line.contains("slows down")).count();
    let mut took = Vec::new();
    // On a busy machine more than ten are allowed until then.
    while slowed() == 0 {
        let begin = std::time::Instant::now();
        assert_eq!(ask("user", "guess"), 401);
        took.push(begin.elapsed());
    }
    assert!(took.len() > 10 && took.last() > Some(&Duration::from_millis(500)), "the last had to wait: {took:?}");
    assert_eq!(plane.logged("slows down").matches("localhost:0").count(), 1);
    assert_eq!(ask("other", "guess"), 401);
    assert_eq!(slowed(), 1, "nobody else has to");
    let mut crowd: Vec<_> = (0..20).map(|_| plane.unix()).collect();
    crowd.iter_mut().for_each(|client| client.send(&request("user", "guess")));
    let last = crowd.last_mut().expect("a client").head();
    assert_eq!((last.status, last.header("Retry-After")), (429, Some("1")), "only so many may wait");
}

#[test]
fn nothing_is_shown_without_the_password() {
    let plane = guarded();
    for path in ["/", "/ok.html", "/RPC2", "/nowhere", "/images/icon.png", "/logtail/a", "/mainlogtail"] {
        let mut client = plane.unix();
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status, 401, "{path}");
        let names = ["Server", "Date", "Connection", "Www-Authenticate", "Content-Length", "Content-Type"];
        assert_eq!(response.names(), names);
        assert_eq!(response.header("WWW-Authenticate"), Some("Basic realm=\"default\""));
        assert_eq!(response.header("Content-Length"), Some("137"));
        assert_eq!(client.rest(), "", "the connection is closed");
    }
    assert_eq!(plane.ask("GET /ok.html HTTP/1.1\r\nAuthorization: Basic dXNlcjpwdw==\r\n\r\n").body, "OK");
    assert_eq!(plane.ask("GET /ok.html HTTP/1.1\r\nAuthorization: Basic dXNlcg==\r\n\r\n").status, 401);
    assert_eq!(plane.ask("GET /ok.html HTTP/1.1\r\nAuthorization: Basic ?\r\n\r\n").status, 401);
}

#[test]
fn a_refused_client_sees_the_refusal_though_it_is_still_sending() {
    let plane = guarded();
    let mut client = plane.tcp();
    let length = 1 << 20;
    client.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"));
    client.send(&"x".repeat(length));
    assert_eq!(client.response().status, 401);
}

#[test]
fn assets_are_served() {
    let plane = Plane::start();
    let mut client = plane.unix();
    client.send("GET /stylesheets/supervisor.css HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = client.response();
    assert_eq!(response.names(), ["Server", "Date", "Last-Modified", "Content-Length", "Content-Type"]);
    let modified = response.header("Last-Modified").expect("a date");
    let again = format!("GET /stylesheets/supervisor.css HTTP/1.1\r\nIf-Modified-Since: {modified}\r\n\r\n");
    client.send(&again);
    let response = client.head();
    assert_eq!(response.status, 304);
    client.send("HEAD /images/icon.png HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = client.head();
    assert_eq!((response.status, response.header("Content-Type")), (200, Some("image/png")));
    client.send("GET /images HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().header("Location"), Some("images/"));
}

#[test]
fn requests_leave_lines() {
    let plane = Plane::start();
    plane.get("/error.html?a=b");
    let line = plane.logged("error.html");
    let expected = "TRAC localhost:0 - - [20/Nov/2026:12:00:00 +0000] \"GET /error.html?a=b HTTP/1.1\" 404 ";
    assert!(line.contains(expected), "{line}");
    let mut client = plane.tcp();
    client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    client.response();
    plane.logged("TRAC 127.0.0.1:");
}

#[test]
fn a_panic_ends_one_request_only() {
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let clock = Clock {
        now: || if BROKEN.swap(false, Ordering::SeqCst) { panic!("once, as this test has it") } else { 0 },
        local: |_| NOON,
    };
    let plane = Setup { clock, ..Setup::default() }.start();
    let mut client = plane.unix();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 500);
    assert!(plane.logged("Server Error").contains("ERRO"));
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_reply_that_is_known_is_still_sent_at_the_end() {
    let mut plane = Plane::start();
    let mut client = plane.unix();
    let call = call("shutdown");
    client.send(&format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
    assert_eq!(plane.asked(), "Shutdown");
    plane.stop();
    assert!(client.rest().contains("<boolean>1</boolean>"));
}

#[test]
fn the_end_closes_everything_and_removes_the_socket() {
    let mut plane = Setup { rote: |_| None, ..Setup::default() }.start();
    let mut idle = plane.unix();
    let mut waiting = plane.tcp();
    idle.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    idle.response();
    let call = call("stopAllProcesses");
    waiting.send(&format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
    plane.asked();
    plane.stop();
    assert_eq!(idle.rest(), "");
    assert_eq!(waiting.rest(), "");
    assert!(!std::path::Path::new(&plane.path("s.sock")).exists());
    assert!(TcpStream::connect(plane.inet).is_err());
}

/// As when a daemon is upgraded twice within a moment.
#[test]
fn clients_outlive_a_plane_that_ends_before_it_lets_them_in() {
    let (ours, theirs) = UnixStream::pair().expect("connected");
    let mut client = Client { stream: ours, received: Vec::new() };
    client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut clients = vec![OwnedFd::from(theirs)];
    for _ in 0..2 {
        let mut plane = Setup { clients, lets_in: false, ..Setup::default() }.start();
        let kept = plane.handle.take().expect("running").hand_over();
        assert!(kept.iter().all(|(section, _)| section == "unix_http_server"));
        clients = kept.into_iter().map(|(_, client)| client).collect();
    }
    let _plane = Setup { clients, ..Setup::default() }.start();
    assert_eq!(client.response().status, 200);
}
