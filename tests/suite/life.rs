//! A daemon starts its programs, restarts them and ends.

use crate::harness::{Scene, compare, each_subject};

const SLEEPERS: &str = "
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=1
";

#[test]
fn programs_come_up_and_go_down_with_the_daemon() {
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
