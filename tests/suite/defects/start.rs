//! Defects of the original at start, restart and shutdown.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Program, Scene, Subject, command, differ, http, only_ours, processes};

const SLEEPER: &str = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn scene(name: &str, options: &str) -> Scene {
    Scene::with(name, &format!("{SLEEPER}{options}"))
}

fn started(subject: Subject, name: &str, options: &str) -> Daemon {
    let mut daemon = scene(name, options).start(subject);
    daemon.wait_for_state("p", "RUNNING");
    daemon
}

/// Adds to the configuration of a running daemon.
fn configure_more(daemon: &Daemon, text: &str) {
    let before = daemon.read("supervisord.conf");
    daemon.write("supervisord.conf", &format!("{before}{text}"));
}

/// Restarts with SIGHUP; returns whether the daemon runs afterwards and has started its program again.
fn survives_a_restart(daemon: &mut Daemon) -> bool {
    let (daemon_pid, before) = (daemon.pid(), daemon.pid_of("p"));
    daemon.signal(Signal::SIGHUP);
    let mut restarted = false;
    daemon.wait_until("it has restarted or ended", |daemon| {
        restarted = daemon.rpc_if_up("supervisor.getProcessInfo", &["p".into()]).is_some_and(|info| {
            info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(before)
        });
        restarted || !processes::alive(daemon_pid)
    });
    restarted
}

/// The original prints a Python traceback.
#[test]
fn an_activity_log_that_cannot_be_opened_is_a_plain_error() {
    differ((1, false), (2, true), |subject| {
        let output = scene("log", "[supervisord]\nlogfile={dir}/there\n").file("there/.keep", "").run(subject);
        (output.code, output.stderr.starts_with("Error: "))
    });
}

/// The original loses the relative path when it changes its directory.
#[test]
fn a_relative_configuration_survives_a_change_of_directory() {
    differ((1, false), (0, true), |subject| {
        let scene = scene("relative", "[supervisord]\ndirectory={dir}/there\n").file("there/.keep", "").arguments(&[]);
        let mut daemon = scene.start(subject);
        daemon.wait_for_state("p", "RUNNING");
        (daemon.ctl(&["reread"]).code, survives_a_restart(&mut daemon))
    });
}

/// The original stops all programs before it reads the file.
#[test]
fn a_restart_with_a_broken_file_changes_nothing() {
    differ([false, false], [true, true], |subject| {
        [true, false].map(|by_signal| {
            let mut daemon = started(subject, "broken", "");
            let (daemon_pid, before) = (daemon.pid(), daemon.pid_of("p"));
            configure_more(&daemon, "[program:q]\ncommand=cat\nstartsecs=soon\n");
            let answer = match by_signal {
                true => String::new(),
                false => daemon.answer("supervisor.restart", &[]),
            };
            if by_signal {
                daemon.signal(Signal::SIGHUP);
            }
            daemon.wait_until("it has refused or ended", |daemon| {
                let refused = answer.contains("CANT_REREAD") || daemon.log().contains(" ERRO not restarting, because");
                refused || !processes::alive(daemon_pid)
            });
            processes::alive(daemon_pid) && daemon.pid_of("p") == before
        })
    });
}

/// The original has stopped all programs by then, and exits.
#[test]
fn a_restart_whose_port_is_taken_keeps_the_old_servers() {
    differ(false, true, |subject| {
        let mut daemon = started(subject, "taken", "");
        let _taken = TcpListener::bind(("127.0.0.1", daemon.ports[0])).expect("the port is free");
        configure_more(&daemon, "[inet_http_server]\nport=127.0.0.1:{port}\n[supervisord]\nidentifier=next\n");
        let survived = survives_a_restart(&mut daemon);
        if subject == Subject::Ours {
            daemon.wait_for_log(" ERRO restarted with the [supervisord] section and the servers of before");
            assert_eq!(daemon.call("supervisor.getIdentification", &[]).text(), "supervisor");
        }
        survived
    });
}

/// The original reports it on stderr, which a daemon in the background does not have.
#[test]
fn a_restart_that_fails_is_logged() {
    differ(false, true, |subject| {
        let options = "[unix_http_server:other]\nfile={dir}/there/s.sock\n";
        let mut daemon = scene("impossible", options).file("there/.keep", "").start(subject);
        daemon.wait_for_state("p", "RUNNING");
        fs::rename(daemon.path("there"), daemon.path("gone")).expect("the directory is ours");
        daemon.signal(Signal::SIGHUP);
        assert_eq!(daemon.exit_code(), 2);
        assert!(daemon.stderr().contains("Error: Cannot open an HTTP server"), "{}", daemon.report());
        daemon.log().contains(" CRIT cannot restart: Cannot open an HTTP server")
    });
}

/// The original removes any file at the path of its socket.
#[test]
fn a_regular_file_at_a_socket_path_is_kept() {
    differ("", "precious", |subject| {
        let mut daemon = scene("file", "").file("s.sock", "precious").launch(subject);
        assert_eq!(daemon.comes_up(), subject == Subject::Original, "{}", daemon.report());
        if daemon.read("s.sock") == "precious" { "precious" } else { "" }
    });
}

/// The original waits for a byte from the other server for ever.
#[test]
fn a_silent_server_on_the_socket_does_not_block_the_start() {
    only_ours(|| {
        let scene = scene("silent", "");
        let place = scene.set_up(Subject::Ours);
        let _listener = UnixListener::bind(place.path("s.sock")).expect("a socket");
        let output = scene.run_in(&place);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains("already listening"), "{output:?}");
    });
}

/// The original leaves behind the sockets that it had opened before.
#[test]
fn a_failed_start_leaves_no_socket() {
    differ(true, false, |subject| {
        let scene = scene("leftover", "[unix_http_server:late]\nfile={dir}/nowhere/s.sock\n");
        let place = scene.set_up(subject);
        let output = scene.run_in(&place);
        assert_eq!(output.code, 2, "{output:?}");
        place.path("s.sock").exists()
    });
}

/// A second original that fails to start removes the automatic logs of the running one, and begins an activity log.
#[test]
fn a_failed_start_touches_no_logs() {
    differ((false, true), (true, false), |subject| {
        let text = "[program:p]\ncommand=sh -c 'echo here; exec sleep 1000'\nstartsecs=0\n";
        let mut daemon = Scene::with("first", text).start(subject);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_until("it has spoken", |daemon| daemon.ctl(&["tail", "p"]).stdout.contains("here"));
        let mut second = daemon.command(&subject.path(Program::Supervisord));
        second.args(["-n", "-c", "supervisord.conf", "-j", "other.pid", "-l", "other.log"]);
        let output = command::run(&mut second, "");
        assert_eq!(output.code, 2, "{output:?}");
        (daemon.ctl(&["tail", "p"]).stdout.contains("here"), daemon.path("other.log").exists())
    });
}

/// The original removes the pid file even when another daemon has written it.
#[test]
fn the_pid_file_of_another_daemon_is_kept() {
    differ("", "1\n", |subject| {
        let mut daemon = started(subject, "pid", "");
        fs::write(daemon.path("supervisord.pid"), "1\n").expect("the file is ours");
        processes::signal(daemon.launched_pid(), Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
        let left = daemon.read("supervisord.pid");
        // The clean-up of the test must not take this for the daemon's pid file.
        let _ = fs::remove_file(daemon.path("supervisord.pid"));
        if left == "1\n" { "1\n" } else { "" }
    });
}

/// After a reread the original removes another pid file than the one it wrote.
#[test]
fn reread_does_not_move_the_pid_file() {
    differ(true, false, |subject| {
        let mut daemon = started(subject, "move", "");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("supervisord.pid", "moved.pid"));
        assert_eq!(daemon.ctl(&["reread"]).code, 0);
        assert_eq!(daemon.stop(), 0);
        daemon.path("supervisord.pid").exists()
    });
}

/// The original uses the identifier unescaped in a pattern and in a path.
#[test]
fn an_identifier_may_contain_anything() {
    differ(1, 0, |subject| {
        let options = "[program:q]\ncommand=sleep 1000\nstartsecs=0\n[supervisord]\nidentifier=a(b/c.*\n";
        let scene = scene("identifier", options).file("x-stdout---other-abcd1234.log", "other");
        let mut daemon = scene.launch(subject);
        if daemon.comes_up() {
            daemon.wait_for_state("q", "RUNNING");
            assert_eq!(daemon.read("x-stdout---other-abcd1234.log"), "other");
            daemon.signal(Signal::SIGTERM);
        }
        daemon.exit_code()
    });
}

/// The original ignores unknown options silently.
#[test]
fn unknown_options_and_sections_are_logged() {
    differ([false, false], [true, true], |subject| {
        let daemon = started(subject, "unknown", "autostrat=true\n[programm:x]\ncommand=cat\n");
        let log = daemon.log();
        let warned = |text: &str| log.lines().any(|line| line.contains(" WARN ") && line.contains(text));
        [warned("autostrat"), warned("programm:x")]
    });
}

/// The original drops these warnings.
#[test]
fn reread_logs_its_warnings() {
    differ(false, true, |subject| {
        let mut daemon = started(subject, "warnings", "");
        configure_more(&daemon, "[include]\nfiles=nothing-*.conf\n");
        assert_eq!(daemon.ctl(&["reread"]).code, 0);
        daemon.ctl(&["stop", "p"]);
        daemon.wait_for_log("stopped: p");
        daemon.log().contains("No file matches via include")
    });
}

/// The original drops one of them silently, and `avail` lists it all the same.
#[test]
fn two_groups_with_one_name_are_logged() {
    differ((false, 2), (true, 1), |subject| {
        let mut daemon = scene("twice", "[program:q]\ncommand=cat\n[group:p]\nprograms=q\n").start(subject);
        daemon.wait_for_log("started with pid");
        let warned = daemon.log().lines().any(|line| line.contains(" WARN "));
        (warned, daemon.ctl(&["avail"]).stdout.lines().count())
    });
}

/// The original listens on IPv4 only.
#[test]
fn servers_listen_on_ipv6_too() {
    if TcpListener::bind(("::1", 0)).is_err() {
        return;
    }
    differ(false, true, |subject| {
        let mut daemon = scene("ipv6", "[inet_http_server]\nport=[::1]:{port}\n").launch(subject);
        daemon.comes_up() && TcpStream::connect(("::1", daemon.ports[0])).is_ok()
    });
}

/// In the original any section whose name begins with a server section's name is a server.
#[test]
fn a_section_that_only_begins_like_a_server_section_opens_no_server() {
    differ(true, false, |subject| {
        let daemon = started(subject, "prefix", "[unix_http_serverzz]\nfile={dir}/zz.sock\n");
        http::unix(&daemon.path("zz.sock")).is_ok()
    });
}
