//! FastCGI programs as web servers use them: one socket and several processes, which are replaced.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use crate::harness::{Daemon, Scene, compare, wait};

/// Answers every request with its process id, and exits when a request says so.
const SERVER: &str = "import os, socket, sys
listener = socket.socket(fileno=0)
print('ready', flush=True)
while True:
    peer, _ = listener.accept()
    request = peer.recv(100)
    peer.sendall(b'%d %s' % (os.getpid(), request))
    peer.close()
    if request == b'end':
        sys.exit(5)
";

fn scene(options: &str) -> Scene {
    let text = format!(
        "[fcgi-program:php]\ncommand=python3 {{dir}}/server.py\nsocket=unix://{{dir}}/php.sock\nstartsecs=0\n\
         process_name=%(program_name)s_%(process_num)d\nstdout_logfile={{dir}}/php.log\nstderr_logfile={{dir}}/php.err\n{options}\n"
    );
    Scene::with("fastcgi", &text).file("server.py", SERVER)
}

/// Sends a request to any of the processes; none when the connection is refused.
fn ask(daemon: &Daemon, request: &str) -> Option<String> {
    let mut stream = UnixStream::connect(daemon.path("php.sock")).ok()?;
    stream.set_read_timeout(Some(wait::DEADLINE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn inode(daemon: &Daemon) -> u64 {
    fs::metadata(daemon.path("php.sock")).expect("the socket is there").ino()
}

/// Every request is answered, and the socket stays the same while at least one process runs.
#[test]
fn processes_are_replaced_behind_one_socket() {
    compare(&scene("numprocs=3"), |daemon, observed| {
        daemon.wait_for_states(&["php:php_0", "php:php_1", "php:php_2"], "RUNNING");
        let before = inode(daemon);
        for ends in 1..=5 {
            let answer = ask(daemon, "end").expect("it answers");
            observed.exactly("answer", answer.ends_with(" end"));
            daemon.wait_until("the end is noticed", |daemon| {
                daemon.log().matches("(exit status 5; not expected)").count() == ends
            });
            daemon.wait_for_states(&["php:php_0", "php:php_1", "php:php_2"], "RUNNING");
        }
        observed.exactly("the same socket", inode(daemon) == before);
        observed.exactly("stop one", daemon.ctl(&["stop", "php:php_0"]).transcript());
        observed.exactly("the others answer", ask(daemon, "hello").is_some());
        let stopped = daemon.ctl(&["stop", "php:*"]).stdout;
        observed.exactly("stop the rest", stopped.lines().filter(|line| line.ends_with(": stopped")).count());
        observed.exactly("no answer", ask(daemon, "hello").is_none());
        observed.exactly("start", daemon.ctl(&["start", "php:*"]).stdout.lines().count());
        observed.exactly("they answer again", ask(daemon, "hello").is_some_and(|answer| answer.ends_with(" hello")));
        observed.exactly("exit status", daemon.stop());
    });
}

/// A request that arrives while no process runs waits in the backlog of the socket.
#[test]
fn a_request_waits_for_the_next_process() {
    compare(&scene("numprocs=1"), |daemon, observed| {
        daemon.wait_for_state("php:php_0", "RUNNING");
        for _ in 0..3 {
            observed.exactly("asked to end", ask(daemon, "end").is_some_and(|answer| answer.ends_with(" end")));
            // A process may or may not run by now, and the original may have closed its socket for a moment.
            daemon.wait_until("the next one answers", |daemon| {
                ask(daemon, "hello").is_some_and(|answer| answer.ends_with(" hello"))
            });
        }
        daemon.wait_until("all have said so", |daemon| daemon.read("php.log").matches("ready\n").count() == 4);
        observed.exactly("log", daemon.read("php.log"));
        observed.note(daemon, "complaints", daemon.read("php.err"));
    });
}

#[test]
fn groups_of_fastcgi_programs_are_listed_and_changed_like_others() {
    compare(&scene("numprocs=2\npriority=20\nautorestart=false"), |daemon, observed| {
        daemon.wait_for_states(&["php:php_0", "php:php_1"], "RUNNING");
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        observed.note(daemon, "avail", daemon.ctl(&["avail"]).transcript());
        for arguments in [["pid", "php"], ["fg", "php"], ["clear", "php"], ["tail", "php"]] {
            observed.note(daemon, &arguments.join(" "), daemon.ctl(&arguments).stdout);
        }
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("numprocs=2", "numprocs=3"));
        observed.note(daemon, "reread", daemon.ctl(&["reread"]).transcript());
        observed.note(daemon, "update", daemon.ctl(&["update"]).transcript());
        daemon.wait_for_states(&["php:php_0", "php:php_1", "php:php_2"], "RUNNING");
        observed.exactly("it answers", ask(daemon, "hello").is_some());
        daemon.write("supervisord.conf", text.split("[fcgi-program").next().unwrap_or_default());
        observed.note(daemon, "update", daemon.ctl(&["update"]).transcript());
        observed.exactly("no answer", ask(daemon, "hello").is_none());
    });
}
