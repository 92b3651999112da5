//! A daemon starts its programs, restarts them and ends.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::harness::{Daemon, Scene, Subject, compare, each_subject, only_ours, wait};

const SLEEPERS: &str = "
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=1
";

#[test]
fn programs_start_and_stop_with_the_daemon() {
    compare(&Scene::with("life", SLEEPERS), |daemon, observed| {
        daemon.wait_for_state("one", "RUNNING");
        daemon.wait_for_state("two", "RUNNING");
        let status = daemon.ctl(&["status"]);
        observed.note(daemon, "status", status.transcript());
        observed.exactly("exit status", daemon.stop());
        observed.exactly("files", daemon.names().len());
    });
}

#[test]
fn loglevel_blather_logs_the_event_loop() {
    let text = "[supervisord]\nloglevel=blather\n[program:p]\ncommand=cat\nstartsecs=0\n";
    compare(&Scene::with("blather", text), |daemon, observed| {
        daemon.wait_for_state("p", "RUNNING");
        daemon.call("supervisor.sendProcessStdin", &["p".into(), "hello\n".into()]);
        daemon.wait_until("the echo is logged", |daemon| daemon.log().contains("stdout output:\nhello\n"));
        let log = daemon.log();
        // The text between the brackets is an internal name of the original.
        let has = |level: &str, start: &str| {
            let begin = format!(" {level} {start}");
            observed_line(&log, |line| line.get(23..).is_some_and(|rest| rest.starts_with(&begin)))
        };
        let write = has("BLAT", "write event caused by <");
        let read = has("BLAT", "read event caused by <");
        let copy = has("DEBG", "'p' stdout output:");
        observed.exactly("written, read, shown", write.is_some() && read.is_some() && write < copy);
    });
}

/// The number of the first matching line.
fn observed_line(log: &str, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    log.lines().position(is_it)
}

/// The daemon's memory files count against the limit on file sizes.
#[test]
fn a_limit_on_the_size_of_files_does_not_kill_the_daemon() {
    let text = "[program:p]\ncommand=cat\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
    compare(&Scene::with("small files", text).shell("ulimit -f 100"), |daemon, observed| {
        daemon.wait_for_state("p", "RUNNING");
        daemon.call("supervisor.sendProcessStdin", &["p".into(), "hello\n".into()]);
        daemon.wait_until("it is logged", |daemon| daemon.read("p.log") == "hello\n");
        observed.exactly("exit status", daemon.stop());
    });
}

#[test]
fn a_killed_program_is_replaced() {
    each_subject(|subject| {
        let mut daemon = Scene::with("replaced", "[program:one]\ncommand=sleep 1000\nstartsecs=0\n").start(subject);
        daemon.wait_for_state("one", "RUNNING");
        let before = daemon.kill_child("one");
        daemon.wait_until("another one runs", |daemon| {
            let pid = daemon.pid_of("one");
            pid != 0 && pid != before && daemon.state_of("one") == "RUNNING"
        });
        assert!(daemon.log().contains("exited: one (terminated by SIGKILL; not expected)"), "{}", daemon.report());
    });
}

/// Programs that stay STARTING longer than any test, on any machine.
const STARTING_PROGRAMS: &str =
    "[program:q]\ncommand=sleep 1000\nstartsecs=1000\nnumprocs=50\nprocess_name=q%(process_num)d\n";

/// The states in the first answer that contains this process, and whether all processes have a pid. Polls without
/// pauses.
fn first_answer(daemon: &Daemon, name: &str) -> (BTreeSet<String>, bool) {
    let deadline = Instant::now() + wait::DEADLINE;
    loop {
        let answer = daemon.rpc_if_up("supervisor.getAllProcessInfo", &[]);
        let rows = answer.as_ref().map_or(&[][..], |answer| answer.items());
        if rows.iter().any(|row| row.get("name").text() == name) {
            let states = rows.iter().map(|row| row.get("statename").text().to_owned()).collect();
            return (states, rows.iter().all(|row| row.get("pid").int() != 0));
        }
        assert!(Instant::now() < deadline, "no answer\n{}", daemon.report());
    }
}

fn starting() -> (BTreeSet<String>, bool) {
    (BTreeSet::from(["STARTING".to_owned()]), true)
}

/// A client that asks right after the start must not see programs as stopped that are about to be started.
#[test]
fn the_first_answer_shows_programs_that_are_starting() {
    each_subject(|subject| {
        let daemon = Scene::with("first answer", STARTING_PROGRAMS).launch(subject);
        assert_eq!(first_answer(&daemon, "q0"), starting());
    });
}

#[test]
fn the_first_answer_after_a_restart_shows_programs_that_are_starting() {
    only_ours(|| {
        let mut daemon = Scene::with("first answer again", STARTING_PROGRAMS).start(Subject::Ours);
        daemon.wait_for_state("q:q0", "STARTING");
        daemon.write(
            "supervisord.conf",
            &(daemon.read("supervisord.conf") + "[program:next]\ncommand=sleep 1000\nstartsecs=1000\n"),
        );
        daemon.call("supervisor.restart", &[]);
        assert_eq!(first_answer(&daemon, "next"), starting());
    });
}

/// Programs wait for plug-ins, and clients wait, too.
#[test]
fn the_first_answer_after_a_wait_for_plug_ins_shows_programs_that_are_starting() {
    only_ours(|| {
        let text = format!("{STARTING_PROGRAMS}[rpcinterface:slow]\nsupervisor.rpcinterface_factory=slow:make\n");
        let plugin = "import time\ndef make(supervisord):\n    time.sleep(0.5)\n    return object()\n";
        let scene = Scene::with("first answer of plug-ins", &text).file("slow.py", plugin).env("PYTHONPATH", "{dir}");
        let daemon = scene.launch(Subject::Ours);
        assert_eq!(first_answer(&daemon, "q0"), starting());
    });
}
