//! Programs that do their work and end. The original knows only programs that stay.

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program type"];

/// A migration that takes as long as the file `hold` is there and ends with the status in the file `code`, and a program that
/// needs it.
fn scene(options: &str) -> Scene {
    let text = format!(
        "[program:migrate]\ncommand=./migrate\ntype=oneshot\n{options}\n\
         [program:web]\ncommand=sleep 1000\nstartsecs=0\ndepends_on=migrate\n"
    );
    let script = "#!/bin/sh\necho $$ >> runs\nwhile test -e hold; do sleep 0.02; done\nread code < code\nexit $code\n";
    Scene::with("oneshot", &text).script("migrate", script).file("code", "0\n")
}

fn runs(daemon: &Daemon) -> usize {
    daemon.read("runs").lines().count()
}

fn release(daemon: &Daemon) {
    std::fs::remove_file(daemon.path("hold")).expect("it is there");
}

fn first_line(daemon: &Daemon, arguments: &[&str]) -> String {
    daemon.ctl(arguments).stdout.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn it_succeeds_however_quick_and_gates_others() {
    only_ours(|| {
        let mut daemon = scene("").start(Subject::Ours);
        daemon.wait_for_state("web", "RUNNING");
        assert_eq!(daemon.state_of("migrate"), "EXITED");
        assert_eq!(daemon.ctl(&["health"]).stdout, "healthy: 1 process\n");
        assert_eq!(daemon.ctl(&["health", "migrate", "web"]).stdout, "healthy: 2 processes\n");
        for goal in ["ready", "running", "healthy"] {
            assert_eq!(daemon.ctl(&["wait", "migrate", "--for", goal]).code, 0, "{goal}");
        }
        assert!(first_line(&daemon, &["why", "migrate"]).ends_with("it has done its work (type=oneshot)"));
        assert_eq!(daemon.ctl(&["start", "migrate"]).stdout, "migrate: started\n");
        assert_eq!(runs(&daemon), 2, "it is done again where somebody asks for it");
        daemon.wait_for_log("INFO exited: migrate (exit status 0; expected)");
        assert!(!daemon.log().contains("INFO success: migrate"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn an_unexpected_end_is_tried_again_and_then_given_up() {
    only_ours(|| {
        let mut daemon = scene("startretries=1").file("code", "3\n").start(Subject::Ours);
        daemon.wait_for_state("migrate", "FATAL");
        assert_eq!(runs(&daemon), 2);
        assert_eq!(daemon.info("migrate").get("spawnerr").text(), "Bad exit code 3");
        let status = daemon.ctl(&["status", "web"]).stdout;
        assert!(status.contains("waiting for migrate to exit successfully (migrate is FATAL)"), "{status}");
        daemon.write("code", "0\n");
        assert_eq!(daemon.ctl(&["start", "web"]).stdout, "web: started\n");
    });
}

#[test]
fn without_autorestart_it_is_tried_once() {
    only_ours(|| {
        let mut daemon = scene("autorestart=false").file("code", "3\n").start(Subject::Ours);
        daemon.wait_for_state("migrate", "EXITED");
        daemon.wait_for_log(
            "cannot start: web (waiting for migrate to exit successfully (migrate exited with status 3))",
        );
        let start = daemon.ctl(&["start", "migrate"]);
        assert_eq!((start.stdout.as_str(), start.code), ("migrate: ERROR (exit status 3)\n", 7));
        assert_eq!(runs(&daemon), 2);
        assert_eq!(daemon.ctl(&["health", "migrate"]).code, 1);
    });
}

#[test]
fn it_is_starting_until_it_has_ended_whatever_happens_to_the_daemon() {
    only_ours(|| {
        let mut daemon = scene("max_runtime=1h").file("hold", "").start(Subject::Ours);
        daemon.wait_until("it does its work", |daemon| {
            first_line(daemon, &["why", "migrate"]).contains("does its work and has not ended yet, for which it has")
        });
        let pid = daemon.pid_of("migrate");
        let status = daemon.ctl(&["status", "migrate"]).stdout;
        assert!(status.contains(&format!("STARTING  pid {pid}, uptime 0:00:0")), "{status}");
        daemon.crash();
        daemon.start_again();
        assert_eq!((daemon.state_of("migrate"), daemon.pid_of("migrate")), ("STARTING".to_owned(), pid));
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        daemon.wait_until("it does its work", |daemon| {
            first_line(daemon, &["why", "migrate"]).contains("does its work and has not ended yet, for which it has")
        });
        assert_eq!((daemon.pid_of("migrate"), daemon.pid_of("web")), (pid, 0));
        release(&daemon);
        daemon.wait_for_state("web", "RUNNING");
        assert_eq!(daemon.state_of("migrate"), "EXITED");
        daemon.crash();
        daemon.start_again();
        assert!(first_line(&daemon, &["why", "migrate"]).ends_with("it has done its work (type=oneshot)"));
        assert_eq!(runs(&daemon), 1);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn it_is_stopped_when_it_takes_too_long() {
    only_ours(|| {
        let mut daemon = scene("max_runtime=2\nstartretries=0").file("hold", "").start(Subject::Ours);
        daemon.wait_for_state("migrate", "FATAL");
        let info = daemon.info("migrate");
        assert_eq!(info.get("spawnerr").text(), "Not finished within 2s (max_runtime)");
    });
}
