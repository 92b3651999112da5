//! How programs are stopped: the steps, and whom they reach. The original has only a signal and SIGKILL.

use std::fs;
use std::path::Path;

use crate::harness::scene::Place;
use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program stop_sequence"];

/// A program that writes down which signals it gets, and ends at QUIT.
const LISTENS: &str = "#!/bin/sh\n\
for signal in TERM INT HUP USR1; do trap \"echo $signal >> heard\" $signal; done\n\
trap 'echo QUIT >> heard; exit 7' QUIT\n\
echo $$ > ready\n\
while :; do sleep 0.02; done\n";

fn scene(options: &str) -> Scene {
    let program = format!("command=./listens\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
    Scene::with("stopping", &format!("[program:p]\n{program}[supervisord]\nloglevel=debug\n"))
        .script("listens", LISTENS)
        .env("PWD", "{dir}")
}

/// Starts the program, and waits until it takes signals.
fn ready(options: &str) -> Daemon {
    let mut daemon = scene(options).start(Subject::Ours);
    daemon.wait_for_file("ready");
    daemon
}

/// The signals that the activity log says were sent to the program.
fn sent(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let signals = log.lines().filter(|line| line.contains("DEBG killing p (pid "));
    signals.filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned())).collect()
}

fn heard(place: &Place) -> Vec<String> {
    place.read("heard").lines().map(str::to_owned).collect()
}

#[test]
fn a_stop_sequence_sends_its_signals_one_after_the_other() {
    only_ours(|| {
        let daemon = ready("stop_sequence=TERM:300ms, INT:300ms, QUIT:1min, KILL");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGQUIT"]);
        assert!(daemon.log().contains("WARN stopped: p (exit status 7)"), "{}", daemon.log());
    });
}

#[test]
fn a_stop_sequence_ends_with_sigkill_whether_or_not_it_is_written() {
    only_ours(|| {
        for options in ["stop_sequence=TERM:100ms, INT:100ms, KILL", "stop_sequence=TERM:100ms, INT:100ms"] {
            let daemon = ready(options);
            assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
            assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGKILL"]);
            assert!(daemon.log().contains("stopped: p (terminated by SIGKILL)"), "{}", daemon.log());
        }
    });
}

#[test]
fn several_stop_signals_are_sent_one_after_the_other() {
    only_ours(|| {
        let daemon = ready("stopsignal=TERM,INT, quit\nstopwaitsecs=1");
        assert_eq!(daemon.ctl(&["stop", "p"]).stdout, "p: stopped\n");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        let known = daemon.call("supervisor.getAllConfigInfo", &[]);
        assert_eq!(known.items()[0].get("stopsignal").int(), 15, "clients of the original expect one number");
    });
}

/// A stop that is under way goes on where it was, in the next program of the daemon and after a crash.
#[test]
fn a_stop_sequence_survives_an_upgrade_and_a_crash() {
    only_ours(|| {
        let mut daemon = ready("stop_sequence=TERM:2s, INT:2s, QUIT:1min");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        daemon.wait_until("it has heard TERM", |daemon| heard(daemon) == ["TERM"]);
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
        assert_eq!(daemon.state_of("p"), "STOPPING");
        daemon.wait_until("it has heard INT", |daemon| heard(daemon) == ["TERM", "INT"]);
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "STOPPED");
        assert_eq!(heard(&daemon), ["TERM", "INT", "QUIT"]);
        assert_eq!(sent(&daemon), ["SIGTERM", "SIGINT", "SIGQUIT"], "no step is taken twice");
    });
}

#[test]
fn a_stop_sequence_beside_what_it_replaces_is_refused_with_both_places() {
    only_ours(|| {
        let scene = scene("stopwaitsecs=5\nstop_sequence=TERM:5s");
        let mut daemon = scene.launch(Subject::Ours);
        assert_eq!(daemon.exit_code(), 2);
        let message = daemon.stderr();
        let (both, advice) = ("which is written as well at supervisord.conf:", "remove stop_sequence or stopwaitsecs");
        assert!(message.contains(both) && message.contains(advice), "{message}");
    });
}

fn read_guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stopping.md")).expect("the guide exists")
}

/// The configurations in the guide can be used as they are.
#[test]
fn the_examples_of_the_guide_run() {
    only_ours(|| {
        let guide = read_guide();
        let examples: Vec<&str> = guide.split("```ini\n").skip(1).filter_map(|text| text.split("```").next()).collect();
        assert!(!examples.is_empty());
        for example in examples {
            let mut daemon = Scene::with("guide", example).start(Subject::Ours);
            daemon.wait_until("everything runs", |daemon| {
                let status = daemon.ctl(&["status"]).stdout;
                status.lines().count() > 0 && status.lines().all(|line| line.contains("RUNNING"))
            });
            assert!(!daemon.log().contains("WARN unknown"), "{}", daemon.log());
            assert_eq!(daemon.stop(), 0);
        }
    });
}
