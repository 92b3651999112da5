//! Sockets that outlive a daemon: those of its servers and of FastCGI programs.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::{LIVING, pids, scene, start};
use crate::harness::{Daemon, Subject};

/// A child that a killed daemon was just making has its sockets until it executes its program.
#[test]
fn a_daemon_waits_for_the_sockets_of_one_that_was_just_killed() {
    let mut daemon = start("sockets", "");
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    fs::remove_file(daemon.path("s.sock")).expect("it is left behind");
    let held = std::os::unix::net::UnixListener::bind(daemon.path("s.sock")).expect("the path is free");
    held.set_nonblocking(true).expect("it can be asked");
    daemon.launch_again();
    for time in ["once", "again"] {
        daemon.wait_until(&format!("it finds the socket taken {time}"), |_| held.accept().is_ok());
    }
    assert!(daemon.is_running(), "{}", daemon.report());
    drop(held);
    let launched = daemon.launched_pid();
    daemon.wait_until("it is back", |daemon| daemon.recorded_pid() == Some(launched));
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
}

/// A FastCGI socket as its clients know it.
pub fn ask_gate(daemon: &Daemon, is_unix: bool) -> i32 {
    let mut text = String::new();
    let read = match is_unix {
        true => UnixStream::connect(daemon.path("f.sock")).and_then(|mut peer| peer.read_to_string(&mut text)),
        false => TcpStream::connect(("127.0.0.1", daemon.ports[0])).and_then(|mut peer| peer.read_to_string(&mut text)),
    };
    read.unwrap_or_else(|error| panic!("{error}\n{}", daemon.report()));
    text.parse().expect("a process id")
}

#[test]
fn a_fastcgi_socket_is_taken_back_from_the_children() {
    let gate = "#!/usr/bin/perl\nwhile (accept(my $peer, STDIN)) { syswrite($peer, $$); close($peer) }\n";
    for (socket, is_unix) in [("unix://{dir}/f.sock", true), ("tcp://127.0.0.1:{port}", false)] {
        let more = format!(
            "[fcgi-program:f]\ncommand={{dir}}/gate\nprocess_name=f%(process_num)d\nnumprocs=2\nstartsecs=0\nsocket={socket}\n"
        );
        let mut daemon = scene("fcgi", &more).script("gate", gate).start(Subject::Ours);
        let names = ["f:f0", "f:f1"];
        daemon.wait_for_states(&names, "RUNNING");
        let before = pids(&daemon, &names);
        let children: Vec<i32> = before.values().copied().collect();
        assert!(children.contains(&ask_gate(&daemon, is_unix)));
        daemon.crash();
        assert!(children.contains(&ask_gate(&daemon, is_unix)), "they answer while nobody is there");
        daemon.start_again();
        daemon.wait_for_states(&names, "RUNNING");
        assert_eq!(pids(&daemon, &names), before, "{}", daemon.report());
        assert!(children.contains(&ask_gate(&daemon, is_unix)));
        // One that is started now has the same socket: both answer, as one alone does.
        let old = daemon.kill_child("f:f0");
        daemon.wait_until("another one runs", |daemon| ![0, old].contains(&daemon.pid_of("f:f0")));
        let young = daemon.pid_of("f:f0");
        daemon.wait_until("the new one answers too", |daemon| ask_gate(daemon, is_unix) == young);
        daemon.wait_until("the old one still does", |daemon| ask_gate(daemon, is_unix) == before["f:f1"]);
        assert_eq!(daemon.log().matches("Creating socket").count(), 1, "{}", daemon.report());
        assert_eq!(daemon.stop(), 0);
    }
}
