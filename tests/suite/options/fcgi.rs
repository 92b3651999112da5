//! `[fcgi-program:x]`: a listening socket as descriptor 0.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::unistd::geteuid;

use crate::harness::{Daemon, Observed, Scene, compare, compare_refusal};

/// Answers every connection on descriptor 0 with its own number.
const SERVER: &str = "import os, socket, sys
listener = socket.socket(fileno=0)
while True:
    peer, _ = listener.accept()
    peer.sendall(sys.argv[1].encode())
    peer.close()
";

fn scene(options: &str) -> Scene {
    let text = format!(
        "[fcgi-program:f]\ncommand=python3 {{dir}}/server.py %(process_num)d\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={{dir}}/f.err\n{options}\n"
    );
    Scene::with("fcgi", &text).file("server.py", SERVER)
}

fn answer(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// As many connections as the system queues while no process accepts.
fn queued(path: &Path) -> Vec<OwnedFd> {
    let address = UnixAddr::new(path).expect("a path that fits");
    let connect = || {
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_NONBLOCK, None).expect("a socket");
        connect(socket.as_raw_fd(), &address).is_ok().then_some(socket)
    };
    std::iter::from_fn(connect).take(100).collect()
}

/// Waits for the log line that the socket was closed after a program used it.
fn wait_for_closing(daemon: &mut Daemon) {
    daemon.wait_until("the socket is closed", |daemon| {
        daemon.log().split_once("spawned").is_some_and(|(_, after)| after.contains("Closing socket"))
    });
}

/// The log lines about sockets from the first start of a program on. Before that the original binds each socket once to
/// try it.
fn note_socket_lines(daemon: &Daemon, observed: &mut Observed) {
    let log = daemon.log();
    let mut lines: Vec<&str> =
        log.lines().filter(|line| line.contains("socket ") || line.contains("spawned")).collect();
    if lines.get(1).is_some_and(|line| line.contains("Closing")) {
        lines.drain(..2);
    }
    lines.retain(|line| line.contains("socket "));
    observed.note(daemon, "socket lines", lines.join("\n"));
}

pins! {
    unix_socket: "fcgi-program socket" "fcgi-program socket_mode" "fcgi-program socket_owner" "fcgi-program socket_backlog" => {
        let owner = if geteuid().is_root() { "socket_owner=nobody:daemon\n" } else { "" };
        for options in ["", &format!("socket_mode=0765\nsocket_backlog=3\n{owner}")] {
            compare(&scene(&format!("socket=unix://%(here)s/%(program_name)s.sock\n{options}")), |daemon, observed| {
                daemon.wait_for_state("f", "RUNNING");
                let metadata = fs::metadata(daemon.path("f.sock")).expect("the socket exists");
                observed.exactly("mode", format!("{:o}", metadata.permissions().mode()));
                observed.exactly("owner", format!("{}:{}", metadata.uid(), metadata.gid()));
                observed.exactly("answer", answer(UnixStream::connect(daemon.path("f.sock")).expect("it listens")));
                let stdin = daemon.rpc("supervisor.sendProcessStdin", &["f".into(), "x".into()]);
                observed.exactly("stdin", format!("{stdin:?}"));
                daemon.ctl(&["stop", "f"]);
                wait_for_closing(daemon);
                note_socket_lines(daemon, observed);
                observed.exactly("connection refused", UnixStream::connect(daemon.path("f.sock")).is_err());
                daemon.ctl(&["start", "f"]);
                observed.exactly("answer", answer(UnixStream::connect(daemon.path("f.sock")).expect("it listens")));
                note_socket_lines(daemon, observed);
            });
        }
        // No process accepts, so the queue fills with as many clients as the backlog allows, and one more.
        for options in ["socket_backlog=3", "socket_backlog=7"] {
            let text = format!("[fcgi-program:f]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\nsocket=unix://%(here)s/f.sock\n{options}\n");
            compare(&Scene::with("backlog", &text), |daemon, observed| {
                daemon.wait_for_state("f", "RUNNING");
                observed.exactly("clients that are queued", queued(&daemon.path("f.sock")).len());
            });
        }
        for socket in ["", "socket=unix://relative", "socket=tcp://nowhere", "socket=tcp://h:99999"] {
            let refused = scene(socket);
            // The original shows parts of some of these messages as a tuple.
            if socket.is_empty() || socket.ends_with("99999") {
                compare_refusal(&refused);
            }
        }
        compare_refusal(&scene("socket=unix://{dir}/f.sock\nsocket_mode=x"));
        compare_refusal(&scene("socket=unix://{dir}/f.sock\nsocket_owner=no-such-user"));
        compare_refusal(&scene("socket=unix://{dir}/f.sock\nsocket_backlog=x"));
        compare_refusal(&scene("socket=tcp://127.0.0.1:{port}\nsocket_mode=0700"));
    }

    tcp_socket: "fcgi-program socket" => {
        compare(&scene("socket=tcp://127.0.0.1:{port}\nnumprocs=3\nprocess_name=f%(process_num)d"), |daemon, observed| {
            daemon.wait_for_states(&["f:f0", "f:f1", "f:f2"], "RUNNING");
            note_socket_lines(daemon, observed);
            let port = daemon.ports[0];
            let listener = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            assert!(["0", "1", "2"].contains(&answer(listener).as_str()));
            // All share one socket, which stays open until the last process has ended.
            daemon.ctl(&["stop", "f:f0", "f:f1"]);
            let last = TcpStream::connect(("127.0.0.1", port)).expect("it still listens");
            observed.exactly("the last one answers", answer(last));
            daemon.ctl(&["stop", "f:f2"]);
            wait_for_closing(daemon);
            observed.exactly("connection refused", TcpStream::connect(("127.0.0.1", port)).is_err());
            note_socket_lines(daemon, observed);
        });
    }

    /// A few of the options that it shares with `[program:x]`, to check that they are read.
    shared: "fcgi-program socket" => {
        compare(&scene("socket=tcp://127.0.0.1:{port}\npriority=7\nstopsignal=INT\nexitcodes=3\nautostart=false\nenvironment=A=1\nuser=%(ENV_ME)s").env("ME", if geteuid().is_root() { "root" } else { "nobody" }), |daemon, observed| {
            observed.note(daemon, "configuration", daemon.call("supervisor.getAllConfigInfo", &[]));
        });
    }
}
