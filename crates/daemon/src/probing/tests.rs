//! Probes of real servers, among them servers that do not behave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::*;

/// Long enough for everything that comes at all.
const LONG: Duration = Duration::from_secs(60);

/// Short enough to wait for it.
const SHORT: Duration = Duration::from_millis(50);

/// Runs probes, and gives their results in the order of the requests.
fn run(probes: &[(&str, Duration)], at_once: usize) -> Vec<Result<(), String>> {
    let (sender, answers) = channel();
    let give = move |answer| sender.send(answer).expect("the test waits");
    let (prober, work) = queue(at_once, BlockingThreads::default(), give, |_| ());
    for (number, (text, timeout)) in probes.iter().enumerate() {
        prober.send(ProbeRequest {
            process: ProcessId(7),
            purpose: ProbePurpose::Health,
            attempt: number as u64,
            probe: Arc::new(Probe::parse(text).expect("a probe")),
            timeout: *timeout,
        });
    }
    drop(prober);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    local.spawn_local(work.run());
    runtime.block_on(local);
    let mut answers: Vec<ProbeAnswer> = answers.into_iter().collect();
    answers.sort_by_key(|answer| answer.attempt);
    assert!(answers.iter().all(|answer| (answer.process, answer.purpose) == (ProcessId(7), ProbePurpose::Health)));
    assert_eq!(answers.len(), probes.len(), "each request has one answer");
    answers.into_iter().map(|answer| answer.result).collect()
}

fn probe(text: &str, timeout: Duration) -> Result<(), String> {
    run(&[(text, timeout)], 8).remove(0)
}

fn failure(text: &str) -> String {
    probe(text, LONG).expect_err("it fails")
}

/// A server that treats one connection in its own way, and where it listens.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (address, thread::spawn(move || serve(listener.accept().expect("a client").0)))
}

/// The head of a request.
fn request(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

/// The result of a request that is answered in this way.
fn answered(answer: &'static [u8]) -> Result<(), String> {
    let (address, thread) = server(move |mut stream| {
        request(&mut stream);
        // The client may have heard enough.
        let _ = stream.write_all(answer);
    });
    let result = probe(&format!("http://{address}/health"), LONG);
    thread.join().expect("it serves");
    result
}

#[test]
fn the_status_of_a_page_is_its_health() {
    let (address, thread) = server(|mut stream| {
        assert!(request(&mut stream).starts_with("GET /up?x HTTP/1.1\r\nHost: 127.0.0.1:"));
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("a client");
    });
    assert_eq!(probe(&format!("http://{address}/up?x"), LONG), Ok(()));
    thread.join().expect("it serves");
    assert_eq!(answered(b"HTTP/1.1 301 Moved\r\nLocation: http://nowhere.invalid/\r\n\r\n"), Ok(()));
    assert_eq!(answered(b"HTTP/1.1 503 Busy\r\n\r\n"), Err("HTTP status 503".to_owned()));
    assert_eq!(answered(b"HTTP/1.1 404 Not Found\r\n\r\n"), Err("HTTP status 404".to_owned()));
}

#[test]
fn servers_that_do_not_speak_http_fail() {
    assert_eq!(answered(b""), Err("the connection was closed without an answer".to_owned()));
    assert_eq!(answered(b"220 mail\r\n"), Err("the answer is no HTTP/1 response".to_owned()));
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\n"), Err("the connection was closed without an answer".to_owned()));
}

#[test]
fn a_server_that_never_ends_harms_nobody() {
    let (address, thread) = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X: y\r\n").is_ok() {}
    });
    assert_eq!(failure(&format!("http://{address}/")), "the head of the answer is longer than 16 KiB");
    thread.join().expect("it is hung up on");
    let (address, thread) = server(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(probe(&format!("http://{address}/"), LONG), Ok(()));
    thread.join().expect("it is hung up on");
}

#[test]
fn a_server_that_hangs_is_left_when_the_time_is_up() {
    let (address, thread) = server(|mut stream| {
        request(&mut stream);
        // Until the client leaves.
        let _ = stream.read(&mut [0]);
    });
    assert_eq!(probe(&format!("http://{address}/"), SHORT), Err("no answer within 50ms".to_owned()));
    thread.join().expect("it is hung up on");
}

#[test]
fn a_port_is_healthy_where_it_accepts_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    assert_eq!(probe(&format!("tcp:127.0.0.1:{port}"), LONG), Ok(()));
    assert_eq!(probe(&format!("tcp:localhost:{port}"), LONG), Ok(()));
    drop(listener);
    assert_eq!(failure(&format!("tcp:127.0.0.1:{port}")), "Connection refused");
    assert!(failure("tcp:no-such-host.invalid:80").starts_with("no-such-host.invalid: "));
}

#[test]
fn unix_sockets_and_files_are_looked_at() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s").display().to_string();
    assert_eq!(failure(&format!("unix:{path}")), format!("{path}: No such file or directory"));
    assert_eq!(failure(&format!("file:{path}")), format!("{path}: No such file or directory"));
    let listener = UnixListener::bind(&path).expect("a socket");
    assert_eq!(probe(&format!("file:{path}"), LONG), Ok(()));
    assert_eq!(probe(&format!("unix:{path}"), LONG), Ok(()));
    drop(listener.accept());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        assert!(request(&mut stream).starts_with("GET /up HTTP/1.1\r\nHost: localhost\r\n"));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("a client");
    });
    assert_eq!(probe(&format!("http://unix:{path}:/up"), LONG), Ok(()));
    thread.join().expect("it serves");
    assert_eq!(failure(&format!("unix:{path}")), format!("{path}: Connection refused"));
}

#[test]
fn probes_wait_for_their_turn_without_losing_time() {
    let (address, thread) = server(|mut stream| {
        request(&mut stream);
        let _ = stream.read(&mut [0]);
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let tcp = format!("tcp:{}", listener.local_addr().expect("an address"));
    let hanging = format!("http://{address}/");
    // Those that wait have less time than the first one takes.
    let (first, less) = (Duration::from_secs(4), Duration::from_millis(3000));
    let results = run(&[(&hanging, first), (&tcp, less), (&tcp, less)], 1);
    assert_eq!(results, [Err("no answer within 4s".to_owned()), Ok(()), Ok(())]);
    thread.join().expect("it is hung up on");
}

/// A server without room for another client stands for whatever does not answer.
#[test]
fn readiness_and_files_do_not_wait_behind_checks_without_an_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let (sender, answers) = channel();
    let (said, log) = channel();
    let give = move |answer| sender.send(answer).expect("the test waits");
    let note = move |text: &str| said.send(text.to_owned()).expect("the test waits");
    let (prober, work) = queue(1, BlockingThreads::default(), give, note);
    let ask = |process, purpose, text: &str| {
        let probe = Arc::new(Probe::parse(text).expect("a probe"));
        prober.send(ProbeRequest { process: ProcessId(process), purpose, attempt: 1, probe, timeout: LONG });
    };
    let page = format!("http://{address}/");
    (1..4).for_each(|process| ask(process, ProbePurpose::Health, &page));
    ask(4, ProbePurpose::Health, "file:/");
    ask(5, ProbePurpose::Readiness, &format!("tcp://{address}"));
    let plane = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = LocalSet::new();
        local.spawn_local(work.run());
        runtime.block_on(async { tokio::time::timeout(LONG, local).await })
    });
    let next = || answers.recv_timeout(LONG).expect("an answer");
    let mut first: Vec<_> = [next(), next()].into_iter().map(|answer| (answer.process, answer.result)).collect();
    first.sort_by_key(|(process, _)| process.0);
    assert_eq!(first, [(ProcessId(4), Ok(())), (ProcessId(5), Ok(()))]);
    assert_eq!(log.try_iter().filter(|line| line.starts_with("1 health checks have connections")).count(), 1);
    drop(silent);
    assert_eq!([next(), next(), next()].into_iter().filter(|answer| answer.result.is_err()).count(), 3);
    drop(prober);
    plane.join().expect("it ends").expect("it ends in time");
}
