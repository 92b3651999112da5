//! The plane as its clients meet it: real sockets, a real thread, and a control plane that answers by rote.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use supervisord_config::client_user::ClientUser;
use supervisord_config::model::{HttpServer, LogLevel, RequiredCredentials, ServerAddress};
use supervisord_config::samples;
use supervisord_core::call::{Answer, Call, CallOutcome};
use supervisord_core::process::ProcessPhase;
use supervisord_core::row::{LocalTime, Row};
use supervisord_core::samples::row;
use supervisord_wire::state::ProcessState;
use tempfile::TempDir;

use super::*;
use crate::activity::Activity;
use crate::api::{Api, Clock, Daemon};
use crate::calls;
use crate::follow::{Change, FollowHub};
use crate::memory_budget::MemoryBudget;
use crate::network::listen::ListeningSocket;
use crate::notifier::Notifier;
use crate::view::View;
use crate::xmlrpc::Responder;

mod api_v1;
mod api_v1_logs;
mod api_v1_openapi;
mod limits;
mod pages;
mod protocol;
mod rights;
mod streams;

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the control plane answers; none leaves the call unanswered until the end.
type Rote = fn(&Call) -> Option<CallOutcome>;

/// A running plane with one server of each kind.
struct Plane {
    handle: Option<NetworkHandle>,
    directory: TempDir,
    inet: SocketAddr,
    view: Arc<View>,
    hub: Arc<FollowHub>,
    log: Arc<Mutex<Vec<String>>>,
    calls: Receiver<String>,
    /// Keeps the waker of the calls valid.
    _poll: mio::Poll,
}

struct Setup {
    limits: Limits,
    credentials: Option<RequiredCredentials>,
    users: Vec<ClientUser>,
    get_actions: bool,
    rote: Rote,
    clock: Clock,
    answers: MemoryBudget,
    /// Clients of the unix socket in the plane before.
    clients: Vec<OwnedFd>,
    lets_in: bool,
    /// Whether there is a configuration to read again, an empty one.
    reads_config: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        let rote: Rote = |_| Some(Ok(Answer::Done));
        let clock = Clock { now: || 1_000_000, local: |_| NOON };
        Setup {
            limits: Limits::default(),
            credentials: None,
            users: Vec::new(),
            get_actions: false,
            rote,
            clock,
            answers: MemoryBudget::for_answers(),
            clients: Vec::new(),
            lets_in: true,
            reads_config: false,
        }
    }
}

impl Setup {
    fn start(self) -> Plane {
        let directory = tempfile::tempdir().expect("temporary directory");
        let server = |section: &str, address| HttpServer {
            section: section.into(),
            address,
            credentials: self.credentials.clone(),
            users: self.users.clone(),
            tls: None,
            allowed_hosts: Vec::new(),
            get_actions: self.get_actions,
        };
        let path = format!("{}/s.sock", directory.path().display());
        let servers = [
            server("inet_http_server", ServerAddress::Inet { host: "127.0.0.1".into(), port: 0 }),
            server("unix_http_server", ServerAddress::Unix { path, mode: 0o700, uid: None, gid: None }),
        ];
        let mut servers = listen::open(&servers).expect("opened");
        servers[1].clients = self.clients;
        let ListeningSocket::Inet(listener, _) = &servers[0].listener else { panic!("inet comes first") };
        let inet = listener.local_addr().expect("address");
        let poll = mio::Poll::new().expect("poll");
        let notifier = Notifier::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("waker"));
        let (calls, pending) = calls::queue(Arc::new(notifier));
        let asked = control(pending, self.rote);
        let view = Arc::new(View::new(Arc::new(samples::config([]))));
        let log = Arc::new(Mutex::new(Vec::new()));
        let hub = Arc::<FollowHub>::default();
        let lines = log.clone();
        let activity = Activity::new(LogLevel::Trace, move |line| lines.lock().expect("unpoisoned").push(line));
        let daemon = Daemon {
            view: view.clone(),
            calls,
            activity_file: Some(format!("{}/main.log", directory.path().display())),
            memory: Arc::default(),
            load_config: match self.reads_config {
                true => Arc::new(|_, _| Ok(samples::config([]))),
                false => Arc::new(|_, _| Err("not in this test".to_owned())),
            },
        };
        let api = Api::new(daemon, activity, self.answers, self.clock);
        let handle =
            start_with(servers, Arc::new(Responder::built_in(Arc::new(api))), hub.clone(), Vec::new(), self.limits)
                .expect("started");
        if self.lets_in {
            handle.accept_clients();
        }
        Plane { handle: Some(handle), directory, inet, view, hub, log, calls: asked, _poll: poll }
    }
}

/// A control plane: it notes every call and answers it by rote.
fn control(pending: Receiver<calls::Pending>, rote: Rote) -> Receiver<String> {
    let (notes, asked): (Sender<String>, _) = channel();
    std::thread::spawn(move || {
        let mut unanswered = Vec::new();
        for calls::Pending { call, reply, .. } in pending {
            let answer = rote(&call);
            let _ = notes.send(format!("{call:?}"));
            match answer {
                Some(outcome) => reply(outcome),
                None => unanswered.push(reply),
            }
        }
    });
    asked
}

const NOON: LocalTime =
    LocalTime { year: 2026, month: 11, day: 20, hour: 12, minute: 0, second: 0, weekday: 5, utc_offset: 0 };

impl Plane {
    fn start() -> Plane {
        Setup::default().start()
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.path().display())
    }

    fn unix(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.path("s.sock")).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        Client { stream, received: Vec::new() }
    }

    fn tcp(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.inet).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        Client { stream, received: Vec::new() }
    }

    /// The reply to one request on a connection of its own.
    fn ask(&self, request: &str) -> Response {
        let mut client = self.unix();
        client.send(request);
        client.response()
    }

    fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> Response {
        let length = body.len();
        self.ask(&format!("POST {path} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
    }

    fn publish(&self, group: &str, name: &str, state: ProcessState) {
        let phase = ProcessPhase::ALL.into_iter().rfind(|phase| phase.state() == state).expect("a phase of this state");
        self.view.publish_row(Row {
            phase,
            start: 999_000,
            spawnerr: "can't <find> & \"run\"".to_owned(),
            stdout_logfile: Some(self.path(&format!("{name}.out")).into()),
            ..row(group, name)
        });
    }

    /// Waits until a line of the activity log contains this.
    fn logged(&self, part: &str) -> String {
        eventually(|| self.log.lock().expect("unpoisoned").iter().find(|line| line.contains(part)).cloned())
    }

    fn asked(&self) -> String {
        self.calls.recv_timeout(PATIENCE).expect("a call")
    }

    fn stop(&mut self) {
        self.handle.take().expect("running").stop();
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.stop();
        }
    }
}

/// Asks again and again until there is an answer.
fn eventually<T>(ask: impl Fn() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        match ask() {
            Some(answer) => return answer,
            None => assert!(start.elapsed() < PATIENCE, "it never happened"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The testing end of a connection.
struct Client<S> {
    stream: S,
    received: Vec<u8>,
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{}: ", name.to_ascii_lowercase());
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&prefix))?;
        Some(&line[prefix.len()..])
    }

    /// The names of the headers in their order.
    fn names(&self) -> Vec<&str> {
        self.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect()
    }
}

impl<S: Read + Write> Client<S> {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("sent");
    }

    /// Receives something more; false at the end of the stream.
    fn receive(&mut self) -> bool {
        let mut piece = [0; 65536];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&piece[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // By a child of another test; there may be more.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("{error}; so far: {}", String::from_utf8_lossy(&self.received)),
        }
    }

    /// Takes what was received up to and with `end`.
    fn until(&mut self, end: &str) -> String {
        let mut searched = 0;
        loop {
            let found = self.received[searched..].windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let taken: Vec<u8> = self.received.drain(..searched + at + end.len()).collect();
                return String::from_utf8(taken).expect("text");
            }
            searched = self.received.len().saturating_sub(end.len());
            assert!(self.receive(), "ended with {}", String::from_utf8_lossy(&self.received));
        }
    }

    fn head(&mut self) -> Response {
        let head = self.until("\r\n\r\n");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Response { status, head, body: String::new() }
    }

    /// A whole reply whose length is given.
    fn response(&mut self) -> Response {
        let mut response = self.head();
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.received.len() < length {
            assert!(self.receive(), "the body ends early");
        }
        let body = self.received.drain(..length).collect();
        response.body = String::from_utf8(body).expect("text");
        response
    }

    /// Everything up to the end of the stream.
    fn rest(&mut self) -> String {
        while self.receive() {}
        String::from_utf8(std::mem::take(&mut self.received)).expect("text")
    }
}
