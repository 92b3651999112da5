//! Slow, large and many: what others do must not keep a client from being served.

use super::*;

fn with(limits: Limits) -> Plane {
    Setup { limits, ..Setup::default() }.start()
}

const SOON: Duration = Duration::from_millis(150);

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let plane = with(Limits { head: SOON, ..Limits::default() });
    let mut silent = plane.unix();
    let mut slow = plane.tcp();
    slow.send("GET /ok.html HTTP/1.1\r\nHo");
    assert_eq!(silent.rest(), "");
    assert_eq!(slow.rest(), "");
}

#[test]
fn a_client_that_was_served_may_be_silent_for_longer() {
    let plane = with(Limits { head: SOON, ..Limits::default() });
    let mut client = plane.unix();
    client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    client.response();
    // Another connection that is closed for its silence shows that the time has passed.
    assert_eq!(plane.unix().rest(), "");
    client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn silence_after_a_request_ends_in_the_end() {
    let plane = with(Limits { idle: SOON, ..Limits::default() });
    let mut client = plane.unix();
    client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_head_may_not_be_too_large() {
    let plane = with(Limits { head_bytes: 8192, ..Limits::default() });
    let mut client = plane.tcp();
    client.send(&format!("GET /ok.html HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)));
    assert_eq!(client.head().status, 431);
    client.rest();
}

#[test]
fn a_body_may_not_be_too_large() {
    let plane = with(Limits { body_bytes: 1000, ..Limits::default() });
    assert_eq!(plane.post("/RPC2", "", &"x".repeat(1000)).status, 400);
    let mut client = plane.unix();
    client.send("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
    assert_eq!(client.response().status, 413);
    let huge = "POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551614\r\n\r\n";
    assert!((400..500).contains(&plane.ask(huge).status));
    let chunked = "POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(plane.ask(&format!("{chunked}3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1000))).status, 400);
    let mut client = plane.unix();
    client.send(&format!("{chunked}3e8\r\n{}\r\n1\r\nx\r\n", "x".repeat(1000)));
    assert_eq!(client.response().status, 413);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let plane = with(Limits { body: SOON, ..Limits::default() });
    let mut client = plane.unix();
    client.send("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.response().status, 408);
    assert_eq!(client.rest(), "");
}

#[test]
fn large_bodies_wait_for_room() {
    let plane = with(Limits { all_bodies_bytes: 1 << 20, body_in_demand: PATIENCE, ..Limits::default() });
    let size = 1 << 20;
    let mut first = plane.unix();
    first.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n"));
    first.send(&"x".repeat(size - 1));
    let mut second = plane.unix();
    second.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 100 << 10));
    // Small ones need none.
    assert_eq!(plane.post("/RPC2", "", "x").status, 400);
    first.send("x");
    assert_eq!(first.response().status, 400);
    second.send(&"x".repeat(100 << 10));
    assert_eq!(second.response().status, 400);
}

/// Nobody knows how long a body in chunks will be: it waits for all that it may become, and gives back what it did not.
#[test]
fn large_bodies_in_chunks_wait_for_room_too() {
    let size = 1 << 20;
    let limits = Limits { all_bodies_bytes: size, body_bytes: size, body_in_demand: PATIENCE, ..Limits::default() };
    let plane = with(limits);
    let head = "POST /RPC2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 100 << 10, "x".repeat(100 << 10));
    let mut first = plane.unix();
    first.send(&format!("{head}{chunk}"));
    let mut second = plane.unix();
    second.send(&format!("{head}{chunk}0\r\n\r\n"));
    assert_eq!(plane.post("/RPC2", "", "x").status, 400, "small ones need none");
    first.send("0\r\n\r\n");
    assert_eq!(first.response().status, 400);
    assert_eq!(second.response().status, 400);
    let mut third = plane.unix();
    third.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size)));
    assert_eq!(third.response().status, 400, "all room is back");
}

/// A form may wait for its answer as long as a call, and its body with it.
#[test]
fn a_form_has_its_room_until_it_is_answered() {
    let size = 100 << 10;
    let limits = Limits { all_bodies_bytes: size, whole_body: Duration::from_secs(5), ..Limits::default() };
    let plane = Setup { limits, rote: |_| None, ..Setup::default() }.start();
    let form = "action=stopall&x=";
    let mut client = plane.unix();
    client.send(&format!("POST /index.html HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{form}"));
    client.send(&"x".repeat(size - form.len()));
    plane.asked();
    assert_eq!(plane.post("/RPC2", "", "x").status, 400, "small ones need no room");
    let mut second = plane.unix();
    second.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size)));
    assert_eq!(second.head().status, 408, "there is none for a second one");
}

#[test]
fn silent_connections_make_room() {
    // Eight for each of the two servers.
    let plane = with(Limits { connections: 16, ..Limits::default() });
    let mut idle: Vec<_> = (0..7).map(|_| plane.unix()).collect();
    let mut served = plane.unix();
    served.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(served.response().status, 200);
    let mut others: Vec<_> = (0..50).map(|_| plane.unix()).collect();
    assert_eq!(plane.get("/ok.html").body, "OK");
    for client in idle.iter_mut().chain(others.iter_mut().take(40)) {
        assert_eq!(client.rest(), "");
    }
    // Those who have been served stay the longest.
    served.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(served.response().status, 200);
}

/// On whichever socket: what is known of these clients is no more than of those who have sent half a head.
#[test]
fn half_requests_make_room() {
    let plane = with(Limits { connections: 16, body: 10 * PATIENCE, ..Limits::default() });
    let mut served = plane.unix();
    served.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(served.response().status, 200);
    let json = "Content-Type: application/json\r\n";
    for (path, headers) in [("/RPC2", ""), ("/api/v1/config/plan", json), ("/", ""), ("/tail.html", "")] {
        let half = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: 100000\r\n\r\n0123456789");
        let on_unix: Vec<_> = (0..50)
            .map(|_| {
                let mut client = plane.unix();
                client.send(&half);
                client
            })
            .collect();
        let on_tcp: Vec<_> = (0..50)
            .map(|_| {
                let mut client = plane.tcp();
                client.send(&half);
                client
            })
            .collect();
        assert_eq!(plane.get("/ok.html").body, "OK", "{path}");
        let mut client = plane.tcp();
        client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().body, "OK", "{path}");
        drop((on_unix, on_tcp));
    }
    // Those who have been served stay the longest.
    served.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(served.response().status, 200);
}

/// They are still listened to, so that they can read why.
#[test]
fn refused_clients_make_room() {
    let credentials = Some(RequiredCredentials { username: "user".into(), password: "secret".into() });
    let limits = Limits { connections: 16, linger: 10 * PATIENCE, ..Limits::default() };
    let plane = Setup { limits, credentials, ..Setup::default() }.start();
    for request in ["POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n0123456789", "nonsense\r\n\r\n"] {
        let refused: Vec<_> = (0..50)
            .map(|_| {
                let mut client = plane.tcp();
                client.send(request);
                client
            })
            .collect();
        let mut client = plane.tcp();
        // "user:secret"
        client.send("GET /ok.html HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n");
        assert_eq!(client.response().body, "OK", "{request}");
        drop(refused);
    }
}

/// Small bodies need no room, large ones get that of others who send nothing.
#[test]
fn half_bodies_give_up_their_memory() {
    let size = 1 << 20;
    let long = 10 * PATIENCE;
    let limits =
        Limits { all_bodies_bytes: size, body: long, whole_body: long, body_in_demand: SOON, ..Limits::default() };
    let plane = with(limits);
    let mut idler = plane.unix();
    idler.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n0123456789"));
    assert_eq!(plane.post("/RPC2", "", &"x".repeat(size)).status, 400, "it was read as a whole");
    assert_eq!(idler.response().status, 408);
}

#[test]
fn a_full_server_keeps_nobody_from_another() {
    let plane =
        Setup { limits: Limits { connections: 4, ..Limits::default() }, rote: |_| None, ..Setup::default() }.start();
    let call = "<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>";
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let mut client = plane.tcp();
            client.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
            plane.asked();
            client
        })
        .collect();
    let mut waiting = plane.tcp();
    waiting.send("GET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(plane.get("/ok.html").body, "OK");
    // Nobody is sent away in the middle of a call, but who leaves makes room.
    assert!(waiting.received.is_empty());
    drop(busy);
    drop(plane);
    assert_eq!(waiting.rest(), "");
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let plane = with(Limits { reply: SOON, ..Limits::default() });
    let client = plane.unix();
    // More replies than any buffer holds.
    let request = "GET /stylesheets/supervisor.css HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
    client.stream.set_nonblocking(true).expect("set");
    eventually(|| match (&client.stream).write(request.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Some(()),
        _ => None,
    });
}

#[test]
fn calls_go_on_without_their_clients_but_not_too_many() {
    let limits = Limits { calls: 2, ..Limits::default() };
    let plane = Setup { limits, rote: |_| None, ..Setup::default() }.start();
    let call = "<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>";
    for _ in 0..2 {
        let mut client = plane.tcp();
        client.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
        plane.asked();
    }
    assert_eq!(plane.post("/RPC2", "", call).status, 503);
    assert_eq!(plane.get("/ok.html").body, "OK");
}

#[test]
fn a_refused_client_is_not_listened_to_for_ever() {
    let plane = with(Limits { body_bytes: 1000, ..Limits::default() });
    let mut client = plane.unix();
    client.send("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    let piece = [b'x'; 1 << 16];
    let taken = (0..1000).take_while(|_| client.stream.write_all(&piece).is_ok()).count();
    assert!((16..200).contains(&taken), "{taken} pieces of 64 KiB were taken");
}

/// A list of processes that is made as a whole, and does not fit into any buffer of the system.
const LIST: &str = "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data><value><struct>\
    <member><name>methodName</name><value>supervisor.getAllProcessInfo</value></member>\
    <member><name>params</name><value><array><data></data></array></value></member>\
    </struct></value></data></array></value></param></params></methodCall>";

#[test]
fn long_answers_share_memory_and_whoever_takes_none_makes_room() {
    let plane = Setup { answers: MemoryBudget::new(6 << 20), ..Setup::default() }.start();
    for number in 0..5000 {
        plane.publish("many", &format!("{number:04}"), ProcessState::Running);
    }
    let ask = || {
        let mut client = plane.unix();
        client.send(&format!("POST /RPC2 HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{LIST}", LIST.len()));
        client
    };
    let mut idlers: Vec<_> = (0..3).map(|_| ask()).collect();
    // Each answer takes most of the memory, so that the last waits for all idlers.
    let mut reader = ask();
    let response = reader.response();
    assert_eq!(response.status, 200);
    assert!(response.body.len() > 3 << 20, "the answer has {} bytes", response.body.len());
    for idler in &mut idlers {
        let rest = idler.rest();
        assert!(rest.len() < response.body.len(), "an idler got {} bytes", rest.len());
    }
    // What needs little memory never waits.
    assert_eq!(plane.get("/ok.html").body, "OK");
}
