//! As much of a daemon's JSON API as an agent uses, in this process: it counts what it is asked to do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the stub knows.
#[derive(Default)]
struct World {
    /// The actions that were asked for.
    actions: Vec<Value>,
    /// What has happened, by number.
    events: BTreeMap<u64, Value>,
    /// Whether an action is answered.
    is_held: bool,
    changes: u64,
}

/// The path of actions.
const ACTIONS: &str = "/api/v1/programs/actions";

/// A request that has come.
struct StubRequest {
    /// Without what is behind the question mark.
    path: String,
    body: Vec<u8>,
    /// Where a stream of events goes on.
    after: Option<u64>,
}

impl StubRequest {
    fn read(stream: &UnixStream) -> Option<StubRequest> {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            let line = line.trim().to_owned();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap_or(0);
            }
            head.push(line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let path = head.first()?.split([' ', '?']).nth(1)?.to_owned();
        let after = head.iter().find_map(|line| line.strip_prefix("last-event-id: b-")?.parse().ok());
        Some(StubRequest { path, body, after })
    }
}

/// A daemon that only pretends.
#[derive(Clone, Default)]
pub struct StubDaemon {
    world: Arc<(Mutex<World>, Condvar)>,
}

impl StubDaemon {
    /// Answers on a socket until the test ends.
    pub fn listen(path: &Path) -> StubDaemon {
        let stub = StubDaemon::default();
        let listener = UnixListener::bind(path).expect("a socket");
        let answering = stub.clone();
        let small = || std::thread::Builder::new().stack_size(128 << 10);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                // Like the daemon, it reads requests in the order in which they come, and answers them at the same time.
                let Some(request) = StubRequest::read(&stream) else { continue };
                let stub = answering.clone();
                if request.path == ACTIONS {
                    let action = serde_json::from_slice(&request.body).unwrap_or_default();
                    // Nobody waits for that: 600 streams need not wake.
                    stub.world.0.lock().expect("no panic").actions.push(action);
                }
                // Whoever has gone away needs no answer.
                let _ = small().spawn(move || drop(stub.respond(stream, &request)));
            }
        };
        small().spawn(accept).expect("a thread");
        stub
    }

    /// The actions that were asked for.
    pub fn actions(&self) -> Vec<Value> {
        self.world.0.lock().expect("no panic").actions.clone()
    }

    /// Lets actions wait, or no longer.
    pub fn hold(&self, is_held: bool) {
        self.change(|world| world.is_held = is_held);
    }

    /// Something happens.
    pub fn happen(&self, number: u64) {
        let event =
            json!({"time": 1.5, "group": "web", "name": "web", "from": "STARTING", "state": "RUNNING", "pid": number});
        self.change(|world| drop(world.events.insert(number, event)));
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.0.lock().expect("no panic"));
        self.world.1.notify_all();
    }

    fn respond(&self, mut stream: UnixStream, request: &StubRequest) -> std::io::Result<()> {
        let program =
            json!({"group": "web", "name": "web", "state": "RUNNING", "wanted": "up", "description": "pid 7"});
        let answer = match request.path.as_str() {
            "/api/v1/daemon" => json!({"identifier": "stub", "version": "0"}),
            "/api/v1/programs" => json!({"programs": [program]}),
            ACTIONS => {
                let held = |world: &mut World| world.is_held;
                drop(self.world.1.wait_while(self.world.0.lock().expect("no panic"), held).expect("no panic"));
                json!({"results": [{"group": "web", "name": "web", "ok": true, "detail": null}]})
            }
            "/api/v1/changes" => {
                return self.stream(
                    stream,
                    None,
                    |world| world.changes,
                    |_, number| format!("event: changed\ndata: {number}\n\n"),
                );
            }
            "/api/v1/events" => {
                let last = |world: &World| world.events.keys().next_back().copied().unwrap_or(0);
                let from = request.after.unwrap_or_else(|| last(&self.world.0.lock().expect("no panic")));
                return self.stream(stream, Some(from), last, |world, number| {
                    let Some(event) = world.events.get(&number) else { return String::new() };
                    format!("id: b-{number}\nevent: process_state\ndata: {event}\n\n")
                });
            }
            _ => json!(null),
        };
        let text = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
    }

    /// Writes what is newer than a number, until the client leaves.
    fn stream(
        &self,
        mut stream: UnixStream,
        from: Option<u64>,
        last: impl Fn(&World) -> u64,
        text: impl Fn(&World, u64) -> String,
    ) -> std::io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
        let mut world = self.world.0.lock().expect("no panic");
        let mut told = match from {
            Some(from) => from,
            None => {
                stream.write_all(text(&world, last(&world)).as_bytes())?;
                last(&world)
            }
        };
        loop {
            while told < last(&world) {
                told += 1;
                stream.write_all(text(&world, told).as_bytes())?;
            }
            let (woken, waited) = self.world.1.wait_timeout(world, Duration::from_secs(20)).expect("no panic");
            world = woken;
            if waited.timed_out() {
                // A comment, so that a client that has left is noticed.
                stream.write_all(b": here\n")?;
            }
        }
    }
}
