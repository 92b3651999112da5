//! Hostile and broken clients, which must not disturb supervision.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::dial;
use super::resources::{Resources, assert_idle, assert_no_leak, restart_latency};
use crate::harness::{Daemon, Scene, Subject, only_ours, wait};

const PROGRAM: &str = "[supervisord]\nminfds=4000\n[program:p]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\n\
    stdout_logfile={dir}/p.log\nstderr_logfile=NONE\n";

/// How long a restart may take during an attack. A busy machine may need seconds, a daemon that waits for a client half a minute.
const MAX_RESTART_LATENCY: Duration = Duration::from_secs(20);

/// How much memory a client may make the daemon use temporarily, in kB: all bodies together and the cost of parsing.
const MAX_TEMPORARY_KB: u64 = 256 << 10;

/// How much memory may stay in use after the first attack, in kB.
const MAX_RETAINED_KB: u64 = 4 << 10;

/// How much memory the remaining connections may use, in kB.
const CONNECTIONS_MEMORY_KB: u64 = 8 << 10;

/// Runs a daemon under an attack. During and after it, programs are restarted and other clients are answered; at the
/// end no resources of the attack remain.
fn attack(name: &str, attack: impl Fn(&Path) + Sync) {
    only_ours(|| {
        let mut daemon = Scene::with(name, PROGRAM).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let socket = daemon.path("s.sock");
        let at_first = Resources::of(&daemon);
        // Memory that is allocated once, by the first request of a kind, is no leak.
        attack(&socket);
        daemon.wait_until("the first wave is over", |daemon| {
            let now = Resources::of(daemon);
            now.descriptors < 40 && now.memory < at_first.memory + MAX_RETAINED_KB
        });
        let before = Resources::of(&daemon);
        let is_over = AtomicBool::new(false);
        let mut latencies = Vec::new();
        let mut most = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                attack(&socket);
                is_over.store(true, Ordering::Relaxed);
            });
            while !is_over.load(Ordering::Relaxed) || latencies.len() < 5 {
                latencies.push(restart_latency(&daemon, "p"));
                wait_until_served(&daemon);
                most = most.max(Resources::of(&daemon).memory);
                if latencies.len() > 100 {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        latencies.sort();
        let slowest = latencies.last().copied().unwrap_or_default();
        let median = latencies[latencies.len() / 2];
        eprintln!(
            "{name}: {} restarts, median {median:?}, slowest {slowest:?}, {before:?}, most {most} kB",
            latencies.len()
        );
        assert!(slowest < MAX_RESTART_LATENCY, "a restart took {slowest:?}\n{}", daemon.report());
        assert!(most < before.memory + MAX_TEMPORARY_KB, "memory grew from {} kB to {most} kB", before.memory);
        assert_no_leak(&mut daemon, before);
        assert_idle(&daemon);
        assert_eq!(daemon.stop(), 0);
    });
}

/// Waits until another client has been told that the program runs.
fn wait_until_served(daemon: &Daemon) {
    let served = wait::poll(wait::DEADLINE, || {
        let info = daemon.rpc_if_up("supervisor.getProcessInfo", &["p".into()])?;
        (info.get("statename").text() == "RUNNING").then_some(())
    });
    assert!(served.is_some(), "an honest client is not served\n{}", daemon.report());
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(wait::DEADLINE)).expect("a timeout");
    stream.set_write_timeout(Some(wait::DEADLINE)).expect("a timeout");
    stream
}

/// Sends the request unless the server closes the connection, and reads the answer.
fn exchange(socket: &Path, request: &[u8]) -> String {
    let mut stream = connect(socket);
    let _ = stream.write_all(request);
    answer(&mut stream)
}

fn answer(stream: &mut UnixStream) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => seen.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("no end of the answer: {error}: {:?}", String::from_utf8_lossy(&seen)),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

fn post(length: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nConnection: close\r\n{length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn call(body: &[u8]) -> Vec<u8> {
    post(&format!("Content-Length: {}", body.len()), body)
}

#[test]
fn a_body_of_a_gigabyte_is_refused() {
    attack("gigabyte", |socket| {
        for announced in
            ["Content-Length: 1073741824", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked"]
        {
            let mut stream = connect(socket);
            stream.write_all(&post(announced, b"")).expect("it reads the head");
            let piece = match announced.starts_with("Transfer") {
                true => [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat(),
                false => vec![b' '; 1 << 20],
            };
            // The server reads from a refused client for a moment, so that it sees the answer and not a connection
            // reset.
            let _ = (0..1024).try_for_each(|_| stream.write_all(&piece));
            let _ = stream.shutdown(Shutdown::Write);
            let answer = answer(&mut stream);
            assert!(!answer.contains("200 OK"), "{announced}: {answer}");
        }
    });
}

#[test]
fn an_endless_request_head_is_refused() {
    attack("head", |socket| {
        for line in ["X: y\r\n", "X", "GET", "\r\n"] {
            let mut stream = connect(socket);
            let _ = stream.write_all(if line == "X: y\r\n" || line == "X" { b"GET / HTTP/1.1\r\n" } else { b"" });
            let piece = line.repeat((64 << 10) / line.len());
            let _ = (0..1024).try_for_each(|_| stream.write_all(piece.as_bytes()));
            let answer = answer(&mut stream);
            assert!(!answer.contains("200 OK"), "{line:?}: {answer}");
        }
    });
}

/// Opens connections to an address, prints their number, and keeps them until its stdin ends.
const OPEN_CONNECTIONS: &str = r#"
import resource, socket, sys
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
crowd = []
for _ in range(int(sys.argv[1])):
    path = sys.argv[2]
    stream = socket.socket(socket.AF_UNIX if "/" in path else socket.AF_INET)
    stream.connect(path if "/" in path else ("127.0.0.1", int(path)))
    crowd.append(stream)
print(len(crowd), flush=True)
sys.stdin.read()
"#;

/// Ten times as many idle connections as a daemon has descriptors by default: a new client is served all the same.
#[test]
fn idle_connections_do_not_keep_other_clients_out() {
    let count = dial("CONNECTIONS", 10_000, 10_000);
    only_ours(|| {
        let configuration = "[inet_http_server]\nport=127.0.0.1:{port}\n[program:p]\ncommand=sleep 1000\nstartsecs=0\n\
            autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with("crowd", configuration).shell("ulimit -S -n 1024; exec \"$@\"");
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let before = Resources::of(&daemon);
        for door in [daemon.path("s.sock").display().to_string(), daemon.ports[0].to_string()] {
            let mut crowd = Command::new("python3")
                .args(["-c", OPEN_CONNECTIONS, &count.to_string(), &door])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("python3 is installed");
            let mut said = String::new();
            let stdout = crowd.stdout.take().expect("a pipe");
            BufReader::new(stdout).read_line(&mut said).expect("readable");
            assert_eq!(said.trim(), count.to_string(), "not everybody got in\n{}", daemon.report());

            assert!(restart_latency(&daemon, "p") < MAX_RESTART_LATENCY, "{}", daemon.report());
            let url = if door.contains('/') { format!("unix://{door}") } else { format!("http://127.0.0.1:{door}") };
            let status = daemon.ctl(&["-s", &url, "status"]);
            assert!(status.stdout.starts_with("p  ") && status.code == 0, "{}", status.transcript());
            let meanwhile = Resources::of(&daemon);
            eprintln!("{url}: {before:?}, under the crowd {meanwhile:?}");
            assert!(meanwhile.descriptors < 512, "{} of 1024 descriptors are in use", meanwhile.descriptors);
            assert!(meanwhile.memory < before.memory + CONNECTIONS_MEMORY_KB, "{before:?} -> {meanwhile:?}");
            assert_idle(&daemon);
            drop(crowd.stdin.take());
            crowd.wait().expect("it ends");
        }
        daemon.wait_until("the crowd is gone", |daemon| Resources::of(daemon).descriptors <= before.descriptors);
        assert_eq!(daemon.stop(), 0);
    });
}

/// Connections that fall silent after a request count as idle, too.
#[test]
fn idle_connections_after_a_request_do_not_keep_other_clients_out() {
    attack("served", |socket| {
        let mut served = Vec::new();
        for _ in 0..1500 {
            let mut stream = connect(socket);
            let body = "<methodCall><methodName>supervisor.getState</methodName></methodCall>";
            let head = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
            let _ = stream.read(&mut [0; 4096]);
            served.push(stream);
        }
        assert!(exchange(socket, b"GET / HTTP/1.0\r\n\r\n").contains("200 OK"));
    });
}

/// Requests that arrive one byte at a time, on hundreds of connections in parallel.
#[test]
fn slow_requests_cost_little() {
    let seconds = dial("SOAK_SECONDS", 4, 600);
    attack("trickle", |socket| {
        let mut crowd: Vec<UnixStream> = (0..300).map(|_| connect(socket)).collect();
        let bytes = b"POST /RPC2 HTTP/1.1\r\nHost: a.very.long.name.of.a.host.that.takes.its.time\r\nContent-Length: 100000\r\n";
        let start = Instant::now();
        for byte in bytes.iter().cycle() {
            crowd.retain_mut(|stream| stream.write_all(&[*byte]).is_ok());
            thread::sleep(Duration::from_millis(20));
            if start.elapsed() > Duration::from_secs(seconds) {
                break;
            }
        }
    });
}

#[test]
fn endless_nesting_is_refused() {
    let values = |depth: usize| {
        let open = "<value><array><data>".repeat(depth);
        format!("<methodCall><methodName>system.listMethods</methodName><params><param>{open}")
    };
    let elements = |depth: usize| "<a>".repeat(depth);
    let bodies = [
        values(100_000),
        elements(1_000_000),
        values(700_000),
        "<!--".repeat(1_000_000),
        "<a b='".to_owned() + &"x".repeat(4 << 20),
    ];
    attack("nesting", |socket| {
        for body in &bodies {
            let answer = exchange(socket, &call(body.as_bytes()));
            assert!(answer.starts_with("HTTP/1.") && !answer.contains("<methodResponse><params>"), "{:.200}", answer);
        }
    });
}

#[test]
fn entity_expansion_attacks_are_refused() {
    let mut laughs = "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY a 'lol'>".to_owned();
    for level in 1..20 {
        let inner = format!("&{};", (b'a' + level - 1) as char).repeat(10);
        laughs.push_str(&format!("<!ENTITY {} '{inner}'>", (b'a' + level) as char));
    }
    laughs.push_str("]><methodCall><methodName>&t;</methodName></methodCall>");
    let external =
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><methodCall><methodName>&e;</methodName></methodCall>";
    let quadratic = format!(
        "<!DOCTYPE x [<!ENTITY e '{}'>]><methodCall><methodName>{}</methodName></methodCall>",
        "x".repeat(100_000),
        "&e;".repeat(100_000)
    );
    attack("entities", |socket| {
        for body in [laughs.as_str(), external, &quadratic] {
            let answer = exchange(socket, &call(body.as_bytes()));
            assert!(answer.starts_with("HTTP/1.") && !answer.contains("root:"), "{:.200}", answer);
            assert!(answer.len() < 10_000, "the answer has {} bytes", answer.len());
        }
    });
}

/// A client that sends many calls and reads no answer gets a bounded number of them.
#[test]
fn unread_answers_use_bounded_memory() {
    attack("unread", |socket| {
        let body = "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>".to_owned()
            + &"<value><struct><member><name>methodName</name><value><string>supervisor.getAllConfigInfo</string></value></member>\
                <member><name>params</name><value><array><data/></array></value></member></struct></value>".repeat(2000)
            + "</data></array></value></param></params></methodCall>";
        let head = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        let request = [head.as_bytes(), body.as_bytes()].concat();
        let mut crowd: Vec<UnixStream> = (0..20).map(|_| connect(socket)).collect();
        for stream in &mut crowd {
            stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout");
            for _ in 0..20 {
                if stream.write_all(&request).is_err() {
                    break;
                }
            }
        }
        thread::sleep(Duration::from_millis(500));
    });
}

/// The largest answers possible, for many clients that do not read them: a log of which every character becomes five.
#[test]
fn unread_long_answers_share_bounded_memory() {
    attack("untaken", |socket| {
        let log = socket.with_file_name("p.log");
        if !log.exists() || std::fs::metadata(&log).is_ok_and(|log| log.len() < 1 << 20) {
            std::fs::write(&log, "<".repeat(20 << 20)).expect("the log can be written");
        }
        let body = "<methodCall><methodName>supervisor.readProcessStdoutLog</methodName><params><param><value>p</value>\
            </param><param><value><int>0</int></value></param><param><value><int>0</int></value></param></params></methodCall>";
        let head = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut crowd: Vec<UnixStream> = (0..12).map(|_| connect(socket)).collect();
        for stream in &mut crowd {
            stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads the request");
        }
        thread::sleep(Duration::from_secs(3));
    });
}

/// All kinds of malformed requests again and again, by clients that disconnect at any point.
#[test]
fn malformed_requests_are_answered_or_dropped() {
    let seconds = dial("SOAK_SECONDS", 4, 600);
    let valid = call(
        b"<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params/></methodCall>",
    );
    attack("nonsense", |socket| {
        let start = Instant::now();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        while start.elapsed() < Duration::from_secs(seconds) {
            let mut request = valid.clone();
            for _ in 0..next(8) {
                let position = next(request.len());
                match next(3) {
                    0 => request[position] = next(256) as u8,
                    1 => drop(request.drain(position..(position + next(20)).min(request.len()))),
                    _ => request.insert(position, next(256) as u8),
                }
            }
            request.truncate(next(request.len() * 2).max(1));
            let mut stream = connect(socket);
            let _ = stream.write_all(&request);
            if next(2) == 0 {
                let _ = stream.shutdown(Shutdown::Write);
                let _ = answer(&mut stream);
            }
        }
    });
}

/// Hundreds of clients that make slow calls and do not wait for the answer.
#[test]
fn clients_that_disconnect_leave_nothing_behind() {
    attack("hang up", |socket| {
        let body = |method: &str| format!("<methodCall><methodName>supervisor.{method}</methodName></methodCall>");
        for _ in 0..300 {
            let mut stream = connect(socket);
            let _ = stream.write_all(&call(body("getAllProcessInfo").as_bytes()));
            let mut stream = connect(socket);
            let _ = stream.write_all(b"GET /logtail/p HTTP/1.1\r\nHost: x\r\n\r\n");
            let mut stream = connect(socket);
            let _ = stream.write_all(b"GET /mainlogtail HTTP/1.1\r\nHost: x\r\n\r\n");
        }
    });
}
