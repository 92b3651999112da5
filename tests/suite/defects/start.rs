//! Starting, restarting and leaving.

use std::fs;
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::harness::{Scene, Subject, http, only_ours};

const SLEEPER: &str = "[program:p]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn scene(name: &str, options: &str) -> Scene {
    Scene::with(name, &format!("{SLEEPER}{options}"))
}

/// The original ends with an interpreter's traceback and status 1.
#[test]
fn a_log_that_cannot_be_opened_is_an_ordinary_error() {
    only_ours(|| {
        let output = scene("log", "[supervisord]\nlogfile={dir}/there\n").file("there/.keep", "").run(Subject::Ours);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.starts_with("Error: "), "{output:?}");
    });
}

/// The original loses the relative path when it changes its directory, and ends.
#[test]
fn a_relative_configuration_survives_a_change_of_directory() {
    only_ours(|| {
        let scene = scene("relative", "[supervisord]\ndirectory={dir}/there\n").file("there/.keep", "").arguments(&[]);
        let mut daemon = scene.start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let pid = daemon.pid_of("p");
        assert_eq!(daemon.ctl(&["reread"]).stdout, "No config updates to processes\n");
        daemon.signal(Signal::SIGHUP);
        daemon.wait_until("it has restarted", |daemon| {
            daemon.rpc_if_up("supervisor.getProcessInfo", &["p".into()]).is_some_and(|info| {
                info.get("statename").text() == "RUNNING" && info.get("pid").int() != i64::from(pid)
            })
        });
    });
}

/// The original removes whatever is at the path of its socket.
#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    only_ours(|| {
        let scene = scene("file", "").file("s.sock", "precious");
        let place = scene.set_up(Subject::Ours);
        let output = scene.run_in(&place);
        assert_eq!(output.code, 2, "{output:?}");
        assert_eq!(place.read("s.sock"), "precious");
    });
}

/// The original waits for a byte for ever.
#[test]
fn a_listener_that_says_nothing_does_not_hold_up_the_start() {
    only_ours(|| {
        let scene = scene("silent", "");
        let place = scene.set_up(Subject::Ours);
        let _listener = UnixListener::bind(place.path("s.sock")).expect("a socket");
        let output = scene.run_in(&place);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains("already listening"), "{output:?}");
    });
}

/// The original leaves the sockets it had opened before.
#[test]
fn a_failed_start_leaves_no_socket() {
    only_ours(|| {
        let scene = scene("leftover", "[unix_http_server:late]\nfile={dir}/nowhere/s.sock\n");
        let place = scene.set_up(Subject::Ours);
        let output = scene.run_in(&place);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(!place.path("s.sock").exists(), "{:?}", place.names());
    });
}

/// The original removes the automatic logs of a running daemon when a second one fails to start.
#[test]
fn a_failed_start_touches_no_logs() {
    only_ours(|| {
        let text = "[program:p]\ncommand=sh -c 'echo here; exec sleep 1000'\nstartsecs=0\n";
        let mut daemon = Scene::with("first", text).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        daemon.wait_until("it has spoken", |daemon| daemon.ctl(&["tail", "p"]).stdout.contains("here"));
        let names = daemon.names();
        let mut second = daemon.command(&Subject::Ours.path(crate::harness::Program::Supervisord));
        second.args(["-n", "-c", "supervisord.conf", "-j", "other.pid", "-l", "other.log"]);
        let output = crate::harness::command::run(&mut second, "");
        assert_eq!(output.code, 2, "{output:?}");
        let logs =
            |names: &[String]| names.iter().filter(|name| name.starts_with("p-std")).cloned().collect::<Vec<_>>();
        assert_eq!(logs(&daemon.names()), logs(&names));
        assert!(daemon.ctl(&["tail", "p"]).stdout.contains("here"));
    });
}

/// The original removes the pid file of whoever wrote it last.
#[test]
fn a_pid_file_of_another_daemon_stays() {
    only_ours(|| {
        let mut daemon = scene("pid", "").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        fs::write(daemon.path("supervisord.pid"), "1\n").expect("the file is ours");
        crate::harness::processes::signal(daemon.launched_pid(), Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
        assert_eq!(daemon.read("supervisord.pid"), "1\n");
        fs::remove_file(daemon.path("supervisord.pid")).expect("the file is ours");
    });
}

/// The original forgets which pid file it wrote when the configuration is read again.
#[test]
fn reread_does_not_move_the_pid_file() {
    only_ours(|| {
        let mut daemon = scene("move", "").start(Subject::Ours);
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("supervisord.pid", "moved.pid"));
        daemon.ctl(&["reread"]);
        assert_eq!(daemon.stop(), 0);
        assert!(!daemon.path("supervisord.pid").exists());
    });
}

/// In the original the name goes into a pattern as it is.
#[test]
fn an_identifier_may_contain_anything() {
    only_ours(|| {
        let options = "[program:q]\ncommand=sleep 1000\nstartsecs=0\n[supervisord]\nidentifier=a(b/c.*\n";
        let mut daemon =
            scene("identifier", options).file("x-stdout---other-abcd1234.log", "other").start(Subject::Ours);
        daemon.wait_for_state("q", "RUNNING");
        assert_eq!(daemon.read("x-stdout---other-abcd1234.log"), "other");
    });
}

/// The original says nothing about options it does not know.
#[test]
fn unknown_options_and_sections_are_mentioned() {
    only_ours(|| {
        let mut daemon = scene("unknown", "autostrat=true\n[programm:x]\ncommand=cat\n").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let log = daemon.log();
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ")).collect();
        assert!(warnings.iter().any(|line| line.contains("autostrat")), "{warnings:?}");
        assert!(warnings.iter().any(|line| line.contains("programm:x")), "{warnings:?}");
    });
}

/// The original throws these away.
#[test]
fn reread_logs_its_warnings() {
    only_ours(|| {
        let mut daemon = scene("warnings", "").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}[include]\nfiles=nothing-*.conf\n"));
        daemon.ctl(&["reread"]);
        daemon.wait_for_log("No file matches via include");
    });
}

/// The original drops one of them and says nothing.
#[test]
fn two_groups_of_one_name_are_mentioned() {
    only_ours(|| {
        let mut daemon = scene("twice", "[program:q]\ncommand=cat\n[group:p]\nprograms=q\n").start(Subject::Ours);
        daemon.wait_for_log("started with pid");
        assert!(daemon.log().lines().any(|line| line.contains(" WARN ")), "{}", daemon.report());
    });
}

/// The original listens on IPv4 only.
#[test]
fn servers_listen_on_ipv6_too() {
    only_ours(|| {
        if std::net::TcpListener::bind(("::1", 0)).is_err() {
            return;
        }
        let daemon = scene("ipv6", "[inet_http_server]\nport=[::1]:{port}\n").start(Subject::Ours);
        assert!(std::net::TcpStream::connect(("::1", daemon.ports[0])).is_ok());
    });
}

/// In the original any section whose name merely begins like a server is one.
#[test]
fn a_section_that_only_begins_like_a_server_is_none() {
    only_ours(|| {
        let mut daemon = scene("prefix", "[unix_http_serverzz]\nfile={dir}/zz.sock\n").start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        assert!(http::unix(&daemon.path("zz.sock")).is_err());
    });
}
