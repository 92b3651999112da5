//! Where a take-over is switched off, or the system does not offer what it needs.

use super::{LIVING, pids, scene, start};
use crate::harness::needs::Power;
use crate::harness::subject::Program;
use crate::harness::{Scene, Subject, processes, wait};

#[test]
fn take_over_can_be_switched_off() {
    let mut daemon = start("switched-off", "[supervisord]\nadopt=false\n");
    assert_eq!(daemon.names_for_successor(), ["supervisord.pid.lock"]);
    let before = daemon.pid_of("quiet");
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    assert_ne!(daemon.pid_of("quiet"), before);
}

/// Where an orphan could not be watched, none is made: programs are told that the daemon has gone.
#[test]
fn without_pidfds_nothing_is_taken_over() {
    let mut daemon = scene("old kernel", "").without_call("pidfd_open", "ENOSYS").start(Subject::Ours);
    daemon.wait_for_states(&LIVING, "RUNNING");
    daemon.wait_for_file("writer.log");
    assert!(!daemon.path("supervisord.pid.state").exists(), "{:?}", daemon.names());
    let restarted = daemon.kill_child("quiet");
    daemon.wait_until("a killed program is replaced", |daemon| ![0, restarted].contains(&daemon.pid_of("quiet")));
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    let told = || !processes::alive(before["echo"]) && !processes::alive(before["writer"]);
    wait::until("those that read and write have ended", told);
    assert!(processes::alive(before["quiet"]), "nobody has ended the others");
}

/// A filter of system calls may allow a handle to be opened, and signals to be sent by number only.
#[test]
fn programs_taken_over_can_be_stopped_where_handles_take_no_signals() {
    let more = "[program:group]\ncommand=sh -c 'sleep 1000 & wait'\nstartsecs=0\nstopasgroup=true\n";
    let program = Subject::Ours.path(Program::Supervisord);
    let script =
        format!("#!/bin/sh\nexec python3 without_call.py pidfd_send_signal EPERM '{}' \"$@\"\n", program.display());
    let scene = scene("no signals", more).script("filtered", &script);
    let mut daemon = scene.file("without_call.py", include_str!("../fixtures/without_call.py")).start(Subject::Ours);
    daemon.wait_for_states(&["quiet", "group"], "RUNNING");
    daemon.wait_until("the group is complete", |daemon| processes::children(daemon.pid_of("group")).len() == 1);
    let (quiet, group) = (daemon.pid_of("quiet"), daemon.pid_of("group"));
    let member = processes::children(group)[0].pid;
    daemon.crash();
    daemon.start_again_with(&daemon.path("filtered"));
    daemon.wait_for_states(&["quiet", "group"], "RUNNING");
    assert_eq!((daemon.pid_of("quiet"), daemon.pid_of("group")), (quiet, group));
    for name in ["quiet", "group"] {
        assert_eq!(daemon.ctl(&["stop", name]).stdout, format!("{name}: stopped\n"), "{}", daemon.report());
    }
    for pid in [quiet, group, member] {
        wait::until("it has ended", || !processes::alive(pid));
    }
}

/// As in a small chroot. There a daemon that is killed cannot be told from others, so that nothing is taken over.
#[test]
fn without_proc_programs_run_and_are_not_taken_over() {
    if !Power::Mount.is_there_for("programs without /proc") {
        return;
    }
    let text = "[program:p]\ncommand=sh -c 'echo hello; exec sleep 1000'\nstartsecs=0\nstdout_logfile={dir}/p.log\n";
    let hidden = "set -- unshare -m sh -c 'mount -t tmpfs none /proc && exec \"$@\"' sh \"$@\"";
    let mut daemon = Scene::with("without proc", text).shell(hidden).start(Subject::Ours);
    daemon.wait_for_state("p", "RUNNING");
    assert_eq!(daemon.wait_for_file("p.log"), "hello\n");
    assert!(!daemon.path("supervisord.pid.state").exists());
    assert_eq!(daemon.ctl(&["restart", "p"]).stdout, "p: stopped\np: started\n", "{}", daemon.report());
}
