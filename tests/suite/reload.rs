//! Programs that are told to read their configurations again. The original can only send them a signal.

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program reload_signal", "program reload_command"];

/// A program that counts its reloads, one that is reloaded by a command, one that cannot be, and one that does not run.
const PROGRAMS: &str = "[program:web]\ncommand=./counts\nstartsecs=0\nreload_signal=HUP\n\
    [program:proxy]\ncommand=sleep 1000\nstartsecs=0\nstdout_logfile={dir}/proxy.log\nreload_command=./reload\n\
    [program:plain]\ncommand=sleep 1000\nstartsecs=0\n\
    [program:idle]\ncommand=sleep 1000\nautostart=false\nreload_signal=HUP\n";

const COUNTS: &str = "#!/bin/sh\ntrap 'echo reloaded >> told' HUP\necho $$ > ready\nwhile :; do sleep 0.02; done\n";

/// Ends with the status in a file, as soon as there is no file that holds it.
const RELOAD: &str = "#!/bin/sh\necho \"for $MAINPID\"\necho $$ >> reloads\n\
    while test -e hold; do sleep 0.02; done\nread code < code\nexit $code\n";

fn start() -> Daemon {
    let scene = Scene::with("reload", PROGRAMS).script("counts", COUNTS).script("reload", RELOAD).file("code", "0\n");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_states(&["web", "proxy", "plain"], "RUNNING");
    daemon.wait_for_file("ready");
    daemon
}

#[test]
fn a_program_is_reloaded_by_its_signal_or_its_command() {
    only_ours(|| {
        let mut daemon = start();
        let pids = ["web", "proxy"].map(|name| daemon.pid_of(name));
        assert_eq!(daemon.ctl(&["reload", "web", "proxy"]).stdout, "web: reloaded\nproxy: reloaded\n");
        daemon.wait_until("the signal has come", |daemon| daemon.read("told") == "reloaded\n");
        assert_eq!(daemon.read("proxy.log"), format!("for {}\n", pids[1]));
        assert_eq!(["web", "proxy"].map(|name| daemon.pid_of(name)), pids, "they go on");
        let log = daemon.log();
        assert!(log.contains("INFO reloading: web (SIGHUP)"), "{log}");
        assert!(log.contains("INFO reloading: proxy (reload command)"), "{log}");
        let why = daemon.ctl(&["why", "web"]).stdout;
        assert!(why.contains("last request: reload, "), "{why}");
        assert_eq!(daemon.ctl(&["reload", "proxy:*"]).stdout, "proxy: reloaded\n");
    });
}

#[test]
fn what_cannot_be_reloaded_says_why() {
    only_ours(|| {
        let daemon = start();
        for (name, line, code) in [
            ("plain", "no reload is configured: write reload_signal or reload_command in [program:plain]", 1),
            ("idle", "not running", 7),
            ("nobody", "no such process", 1),
            ("nobody:*", "no such process", 1),
        ] {
            let said = daemon.ctl(&["reload", name]);
            assert_eq!((said.stdout, said.code), (format!("{name}: ERROR ({line})\n"), code));
        }
        let mut stream = crate::harness::http::unix(&daemon.path("s.sock")).expect("it listens");
        let refused =
            crate::harness::http::request(&mut *stream, "POST", "/api/v1/programs/plain/plain/reload", &[], b"")
                .expect("it answers");
        assert_eq!(refused.status(), 409, "{}", refused.text());
        assert!(refused.text().contains("urn:supervisord:not-configured"), "{}", refused.text());
        daemon.write("code", "3\n");
        let said = daemon.ctl(&["reload", "proxy"]);
        assert_eq!(said.stdout, "proxy: ERROR (reload command failed (exit status 3))\n");
        assert_eq!((said.code, daemon.state_of("proxy").as_str()), (1, "RUNNING"));
        assert!(daemon.log().contains("WARN proxy: reload command failed (exit status 3)"));
    });
}

#[test]
fn a_reload_goes_on_when_the_daemon_is_killed_and_ends_with_the_program() {
    only_ours(|| {
        let mut daemon = start();
        daemon.write("hold", "");
        let port = daemon.path("s.sock");
        let asks = std::thread::spawn(move || {
            let mut stream = crate::harness::http::unix(&port).expect("it listens");
            let body = b"<?xml version='1.0'?><methodCall><methodName>supervisor.reloadProcess</methodName><params><param><value>\
                <string>proxy</string></value></param></params></methodCall>";
            // Nobody answers when the daemon is killed.
            drop(crate::harness::http::request(&mut *stream, "POST", "/RPC2", &["Host: h"], body));
        });
        daemon.wait_until("it is under way", |daemon| daemon.read("reloads").lines().count() == 1);
        let again = daemon.ctl(&["reload", "proxy"]).stdout;
        assert_eq!(again, "proxy: ERROR (the reload before is still under way)\n");
        daemon.crash();
        daemon.start_again();
        asks.join().expect("it has ended");
        assert_eq!(daemon.state_of("proxy"), "RUNNING");
        let again = daemon.ctl(&["reload", "proxy"]).stdout;
        assert_eq!(again, "proxy: ERROR (the reload before is still under way)\n");
        assert_eq!(daemon.ctl(&["stop", "proxy"]).stdout, "proxy: stopped\n");
        std::fs::remove_file(daemon.path("hold")).expect("it is there");
        assert_eq!(daemon.ctl(&["start", "proxy"]).stdout, "proxy: started\n");
        assert_eq!(daemon.ctl(&["reload", "proxy"]).stdout, "proxy: reloaded\n");
        assert_eq!(daemon.read("reloads").lines().count(), 2);
    });
}
