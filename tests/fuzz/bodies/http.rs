//! A whole connection through the real network plane: for any input, the server sends a response or closes the
//! connection in bounded time, and the next client is served.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, OnceLock, mpsc};
use std::time::Duration;

use supervisord_config::model::{Config, LogLevel, ServerAddress};
use supervisord_core::call::Answer;
use supervisord_core::row::LocalTime;
use supervisord_daemon::activity::Activity;
use supervisord_daemon::api::{Api, Clock, Daemon};
use supervisord_daemon::calls::{self, Pending};
use supervisord_daemon::memory_budget::MemoryBudget;
use supervisord_daemon::network::{self, NetworkHandle, listen};
use supervisord_daemon::notifier::Notifier;
use supervisord_daemon::view::View;
use supervisord_daemon::xmlrpc::Responder;

use super::configuration;

/// One server without a password and one that asks for a password.
const CONFIGURATION: &str = "[supervisord]\n[unix_http_server:open]\nfile=/open.sock\n\
    [unix_http_server:guarded]\nfile=/guarded.sock\nusername=user\npassword=123\n";

/// The longest time for an answer. No request here takes more than a moment.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// The first panic message of the servers.
static FAILURE: OnceLock<String> = OnceLock::new();

static PLANE: LazyLock<Plane> = LazyLock::new(Plane::start);

pub fn run(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let plane = &*PLANE;
    let path = &plane.paths[usize::from(choice & 1)];
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(RESPONSE_TIMEOUT)).expect("a timeout");
    stream.set_write_timeout(Some(RESPONSE_TIMEOUT)).expect("a timeout");
    // The server may close the connection of a refused client before it reads the rest.
    let _ = stream.write_all(data);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        end => drop(end.expect("an end")),
    }
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(FAILURE.get(), None);
}

/// The running servers, until the process ends.
struct Plane {
    paths: [PathBuf; 2],
    _directory: tempfile::TempDir,
    _handle: NetworkHandle,
    _poll: mio::Poll,
}

impl Plane {
    fn start() -> Plane {
        let directory = tempfile::tempdir().expect("a directory");
        let paths = ["open.sock", "guarded.sock"].map(|name| directory.path().join(name));
        let mut config = configuration::read(CONFIGURATION.as_bytes()).expect("a good configuration");
        for (server, real) in config.servers.iter_mut().zip(&paths) {
            if let ServerAddress::Unix { path, .. } = &mut server.address {
                *path = real.display().to_string();
            }
        }
        let servers = listen::open(&config.servers).expect("opened");
        let poll = mio::Poll::new().expect("a poll");
        let notifier = Notifier::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let (calls, pending) = calls::queue(Arc::new(notifier));
        std::thread::spawn(move || accept_every_call(pending));
        let handle = network::start(
            servers,
            Arc::new(Responder::built_in(Arc::new(api(config, calls)))),
            Arc::default(),
            Vec::new(),
        )
        .expect("started");
        handle.accept_clients();
        Plane { paths, _directory: directory, _handle: handle, _poll: poll }
    }
}

/// A control plane that accepts every call.
fn accept_every_call(pending: mpsc::Receiver<Pending>) {
    for Pending { reply, .. } in pending {
        reply(Ok(Answer::Done));
    }
}

fn api(config: Config, calls: calls::Calls) -> Api {
    let local =
        |_| LocalTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, weekday: 4, utc_offset: 0 };
    let note = |line: String| {
        // At this level the log also describes malformed requests.
        if line.contains(" ERRO ") && !line.contains("XML-RPC request data") {
            FAILURE.get_or_init(|| line);
        }
    };
    let daemon = Daemon {
        view: Arc::new(View::new(Arc::new(config))),
        calls,
        activity_file: None,
        memory: Arc::default(),
        load_config: Arc::new(|_, _| Err("there is none".to_owned())),
    };
    let activity = Activity::new(LogLevel::Trace, note);
    Api::new(daemon, activity, MemoryBudget::for_answers(), Clock { now: || 100, local })
}
