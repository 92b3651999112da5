//! The client with a server that sends scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use supervisord_wire::fault::FaultCode;

use super::*;

/// The server's reaction to one request.
enum Step {
    /// Sends this and keeps the connection.
    Answer(String),
    /// Sends this and closes the connection.
    Last(String),
}

/// A server that takes one step per request, on one connection after the other. It reports each request with the number
/// of its connection.
fn server(steps: Vec<Step>) -> (ServerUrl, Receiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = ServerUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (tell, heard) = channel();
    thread::spawn(move || {
        let mut steps = steps.into_iter().peekable();
        for number in 0.. {
            if steps.peek().is_none() {
                return;
            }
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            while let Some(request) = request(&mut connection) {
                tell.send((number, request)).unwrap();
                match steps.next() {
                    Some(Step::Answer(text)) => connection.get_mut().write_all(text.as_bytes()).unwrap(),
                    Some(Step::Last(text)) => {
                        connection.get_mut().write_all(text.as_bytes()).unwrap();
                        break;
                    }
                    None => return,
                }
            }
        }
    });
    (url, heard)
}

/// The head of the next request; its body is skipped.
fn request(connection: &mut BufReader<impl Read>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).ok()?;
    Some(head)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn value(value: &str) -> String {
    ok(&format!("<methodResponse><params><param><value>{value}</value></param></params></methodResponse>"))
}

fn client(url: ServerUrl) -> Client {
    Client::new(url, None)
}

#[test]
fn calls_share_a_connection() {
    let (url, heard) = server(vec![Step::Answer(value("<int>7</int>")), Step::Answer(value("<string>3.0</string>"))]);
    let mut client = client(url);
    assert_eq!(client.pid().unwrap(), 7);
    assert_eq!(client.api_version().unwrap(), "3.0");
    drop(client);
    let connections: Vec<usize> = heard.iter().map(|(connection, _)| connection).collect();
    assert_eq!(connections, [0, 0]);
}

#[test]
fn a_connection_that_the_server_closed_is_opened_again() {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    let closing = value("<int>7</int>").replace("HTTP/1.1 200 OK\r\n", close);
    let (url, heard) = server(vec![Step::Last(closing), Step::Answer(value("<int>8</int>"))]);
    let mut client = client(url);
    assert_eq!(client.pid().unwrap(), 7);
    assert_eq!(client.pid().unwrap(), 8);
    drop(client);
    let connections: Vec<usize> = heard.iter().map(|(connection, _)| connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn a_connection_that_was_closed_without_notice_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (closed, wait) = channel();
    thread::spawn(move || {
        for number in 1..=2 {
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            request(&mut connection).unwrap();
            connection.get_mut().write_all(value(&format!("<int>{number}</int>")).as_bytes()).unwrap();
            drop(connection);
            closed.send(()).unwrap();
        }
    });
    let mut client = client(ServerUrl::parse(&format!("unix://{}", path.display())).unwrap());
    for number in 1..=2 {
        assert_eq!(client.pid().unwrap(), number);
        wait.recv().unwrap();
    }
}

#[test]
fn credentials_are_sent_with_calls_even_if_empty_but_not_to_streams() {
    let (url, heard) = server(vec![Step::Last(value("<int>7</int>")), Step::Last(ok(""))]);
    let credentials = Credentials { username: "u".into(), password: String::new() };
    let mut client = Client::new(url, Some(credentials));
    client.pid().unwrap();
    client.follow("/mainlogtail").unwrap();
    let heads: Vec<String> = heard.iter().map(|(_, head)| head.to_lowercase()).collect();
    assert!(heads[0].starts_with("post /rpc2 http/1.1\r\n") && heads[0].contains("authorization: basic dto=\r\n"));
    assert!(heads[1].starts_with("get /mainlogtail http/1.1\r\n") && !heads[1].contains("authorization"));
}

#[test]
fn each_kind_of_error_keeps_its_kind() {
    let fault = "<methodResponse><fault><value><struct>\
        <member><name>faultCode</name><value><int>10</int></value></member>\
        <member><name>faultString</name><value><string>BAD_NAME: x</string></value></member>\
        </struct></value></fault></methodResponse>";
    let answers = [
        ok(fault),
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno".to_owned(),
        "HTTP/1.1 599 Own Words\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ok("no xml"),
        value("<string>x</string>"),
        String::new(),
        "nonsense\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_owned(),
    ];
    let failures: Vec<ClientError> = answers
        .into_iter()
        .map(|answer| {
            let (url, _heard) = server(vec![Step::Last(answer)]);
            client(url).pid().unwrap_err()
        })
        .collect();
    assert!(failures[0].is_fault(FaultCode::BadName));
    assert!(failures[1].is_unauthorized());
    assert!(matches!(&failures[2], ClientError::Status { code: 599, reason } if reason == "Own Words"));
    assert!(matches!(failures[3], ClientError::Decode(_)));
    assert!(matches!(failures[4], ClientError::Shape { method: "supervisor.getPID" }));
    assert!(matches!(failures[5], ClientError::Closed));
    assert!(matches!(failures[6], ClientError::Http(_)));
    assert!(matches!(&failures[7], ClientError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof));
}

#[test]
fn a_list_is_parsed_completely_or_not_at_all() {
    let outcome = |status: &str| {
        let member = |name: &str, value: &str| format!("<member><name>{name}</name><value>{value}</value></member>");
        let texts = ["name", "group", "description"].map(|name| member(name, "x")).concat();
        format!("<value><struct>{texts}{}</struct></value>", member("status", status))
    };
    let list = |items: &[String]| value(&format!("<array><data>{}</data></array>", items.concat()));
    let ask = |answer: String| {
        let (url, _heard) = server(vec![Step::Last(answer)]);
        client(url).stop_all(true)
    };
    let good = outcome("<int>80</int>");
    assert_eq!(ask(list(&[good.clone(), good.clone()])).unwrap().len(), 2);
    for bad in [list(&[good, outcome("<string>80</string>")]), value("<string>x</string>")] {
        assert!(matches!(ask(bad), Err(ClientError::Shape { method: "supervisor.stopAllProcesses" })));
    }
}

#[test]
fn a_refused_connection_is_an_error_with_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let left_behind = ServerUrl::parse(&format!("unix://{}", socket.display())).unwrap();
    let error = client(left_behind).pid().unwrap_err();
    assert_eq!(error.connect_kind(), Some(std::io::ErrorKind::ConnectionRefused));
    let error = client(ServerUrl::parse("unix:///nonexistent/s.sock").unwrap()).pid().unwrap_err();
    assert!(matches!(error, ClientError::Connect(error) if error.raw_os_error() == Some(2)));
}

#[test]
fn a_log_is_read_in_chunks_until_its_end() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n2\r\nü\r\n0\r\n\r\n";
    let (url, _heard) = server(vec![Step::Last(chunked.to_owned())]);
    let pieces: Vec<u8> = client(url).follow("/x").unwrap().flat_map(Result::unwrap).collect();
    assert_eq!(pieces, "oneü".as_bytes());
}

#[test]
fn a_blocked_log_stream_can_be_stopped() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
    let (url, _heard) = server(vec![Step::Answer(head.to_owned())]);
    let mut stream = client(url).follow("/x").unwrap();
    assert_eq!(stream.next().unwrap().unwrap().as_ref(), b"one");
    let stopper = stream.stopper();
    let waiting = thread::spawn(move || stream.next().is_none());
    stopper.stop();
    assert!(waiting.join().unwrap());
}
