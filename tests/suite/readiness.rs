//! Programs that say when they are ready. The original knows only that they are alive.

use crate::harness::{Daemon, Scene, Subject, http, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program ready_when", "program ready_timeout"];

/// Writes to descriptor 3 when there is a file `go`, in the way of s6.
const S6_STYLE: &str = "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\necho >&3\nexec 3>&-\nexec sleep 1000\n";

/// What the JSON API says about the readiness of a program.
fn readiness(daemon: &Daemon, name: &str) -> serde_json::Value {
    let mut stream = http::unix(&daemon.path("s.sock")).expect("it listens");
    let path = format!("/api/v1/programs/{name}/{name}");
    let response = http::request(&mut *stream, "GET", &path, &["Host: h"], b"").expect("an answer");
    let program: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
    program["readiness"].clone()
}

#[test]
fn a_descriptor_tells_through_kill_9_and_an_upgrade() {
    only_ours(|| {
        let mut daemon = Scene::with(
            "ready",
            "[program:db]\ncommand=./s6\nready_when=fd:3\n[program:web]\ncommand=sleep 1000\ndepends_on=db\n",
        )
        .script("s6", S6_STYLE)
        .start(Subject::Ours);
        daemon.wait_for_log("not yet started: web (waiting for db to be ready)");
        let pid = daemon.pid_of("db");
        let before = readiness(&daemon, "db");
        assert_eq!((&before["when"], &before["ready"]), (&"fd:3".into(), &false.into()), "{before}");
        daemon.crash();
        daemon.start_again();
        assert_eq!((daemon.state_of("db"), daemon.state_of("web")), ("STARTING".to_owned(), "STARTING".to_owned()));
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        let after = readiness(&daemon, "db");
        let seconds = |readiness: &serde_json::Value| readiness["timeout_at"].as_i64().expect("a time");
        assert!((seconds(&after) - seconds(&before)).abs() <= 1, "the deadline stays: {before} {after}");
        daemon.write("go", "");
        daemon.wait_for_states(&["db", "web"], "RUNNING");
        assert_eq!(daemon.pid_of("db"), pid);
        assert!(daemon.log().contains("success: db entered RUNNING state, it was ready after "), "{}", daemon.log());
        assert_eq!(readiness(&daemon, "db")["ready"], true);
        assert_eq!(readiness(&daemon, "web"), serde_json::Value::Null);
        daemon.crash();
        daemon.start_again();
        assert_eq!((daemon.state_of("db"), daemon.pid_of("db")), ("RUNNING".to_owned(), pid), "it stays ready");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn what_was_said_while_no_daemon_was_there_is_heard() {
    only_ours(|| {
        let mut daemon = Scene::with("ready", "[program:db]\ncommand=./s6\nready_when=fd:3\n")
            .script("s6", S6_STYLE)
            .start(Subject::Ours);
        daemon.wait_for_state("db", "STARTING");
        daemon.crash();
        daemon.write("go", "");
        daemon.start_again();
        daemon.wait_for_state("db", "RUNNING");
    });
}

#[test]
fn a_program_that_is_not_ready_in_time_has_failed_to_start() {
    only_ours(|| {
        let mut daemon = Scene::with(
            "ready",
            "[program:slow]\ncommand=./slow\nready_when=fd:4\nready_timeout=1s\nstartretries=1\n\
             [program:gone]\ncommand=sh -c 'exit 3'\nready_when=fd:4\nstartretries=0\n\
             [program:mute]\ncommand=./mute\nready_when=fd:3\n",
        )
        .script("slow", "#!/bin/sh\necho soon >&2\nexec sleep 1000\n")
        .script("mute", "#!/bin/sh\nexec 3>&-\nexec sleep 1000\n")
        .start(Subject::Ours);
        let started = daemon.ctl(&["start", "slow"]).stdout;
        assert_eq!(started, "slow: ERROR (already started)\n");
        daemon.wait_for_states(&["slow", "gone"], "FATAL");
        let log = daemon.log();
        assert_eq!(log.matches("WARN stopping slow: Not ready within 1s (fd:4)").count(), 2, "{log}");
        assert_eq!(daemon.info("slow").get("description").text(), "Not ready within 1s (fd:4)");
        let gone = "Exited before it was ready (process log may have details)";
        assert_eq!(daemon.info("gone").get("description").text(), gone);
        assert_eq!(daemon.state_of("mute"), "STARTING");
        assert_eq!(daemon.ctl(&["stop", "mute"]).stdout, "mute: stopped\n", "a stop ends the wait");
    });
}
