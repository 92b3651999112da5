//! What becomes of programs that ended, or whose definitions changed, between two daemons.

use nix::sys::signal::Signal;

use super::{LIVING, pids, start, wait_for_others};
use crate::harness::{Scene, Subject, needs, processes, wait};

#[test]
fn autorestart_decides_about_programs_that_ended_between_two_daemons() {
    let more = "[program:once]\ncommand=sleep 1000\nautorestart=false\nstartsecs=0\n";
    let mut daemon = start("died", more);
    daemon.wait_for_state("once", "RUNNING");
    let (once, quiet) = (daemon.pid_of("once"), daemon.pid_of("quiet"));
    daemon.crash();
    for pid in [once, quiet] {
        processes::signal(pid, Signal::SIGKILL);
    }
    let gone = wait::poll(wait::DEADLINE, || (!processes::alive(once) && !processes::alive(quiet)).then_some(()));
    assert!(gone.is_some(), "they do not die");
    daemon.start_again();
    daemon.wait_for_state("quiet", "RUNNING");
    daemon.wait_for_state("once", "EXITED");
    let status = if needs::kernel_is_at_least(6, 15) { "terminated by SIGKILL" } else { "exit status unknown" };
    assert!(daemon.log().contains(&format!("exited: once ({status}; not expected)")), "{}", daemon.report());
}

#[test]
fn a_daemon_starts_afresh_when_no_program_survived() {
    let text = "[program:once]\ncommand=sleep 1000\nautorestart=false\nstartsecs=0\n\
        [program:brief]\ncommand=true\nautorestart=false\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let mut daemon = Scene::with("nobody", text).start(Subject::Ours);
    daemon.wait_for_state("once", "RUNNING");
    daemon.wait_for_state("brief", "EXITED");
    let once = daemon.pid_of("once");
    daemon.crash();
    processes::signal(once, Signal::SIGKILL);
    assert!(wait::poll(wait::DEADLINE, || (!processes::alive(once)).then_some(())).is_some(), "it does not die");
    daemon.start_again();
    daemon.wait_for_state("once", "RUNNING");
    daemon.wait_until("all have been started again", |daemon| daemon.log().matches("spawned: 'brief'").count() == 2);
    daemon.wait_for_log("INFO no program of the daemon before is left: all programs are started anew");
}

#[test]
fn changed_programs_are_replaced_and_removed_ones_stopped() {
    let mut daemon = start("changed", "");
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    let config = daemon.read("supervisord.conf");
    let changed = config
        .replace("[program:echo]\ncommand=cat", "[program:echo]\ncommand=cat -u")
        .replace("[program:quiet]", "[program:new]");
    daemon.write("supervisord.conf", &changed);
    daemon.start_again();
    daemon.wait_for_states(&["new", "echo", "writer", "listener"], "RUNNING");
    daemon.wait_until("the removed one is gone", |_| !processes::alive(before["quiet"]));
    daemon.wait_until("the changed one is another", |daemon| {
        let pid = daemon.pid_of("echo");
        pid != 0 && pid != before["echo"]
    });
    assert_eq!(daemon.pid_of("writer"), before["writer"]);
    assert!(daemon.rpc("supervisor.getProcessInfo", &["quiet".into()]).is_err());
    for line in [
        "INFO the definition of echo differs: echo command (restart); it is stopped and started again",
        "INFO 'quiet' is not configured any more: it is stopped and removed",
        "INFO 'new' is new in the configuration: it is added",
    ] {
        daemon.wait_for_log(line);
    }
}

/// Without a keeper, the next daemon only knows that these programs are not there any more.
#[test]
fn programs_that_ended_between_two_daemons_are_not_started_as_they_were_defined_before() {
    let text = "[program:stays]\ncommand=sleep 1000\nstartsecs=0\n\
        [program:changed]\ncommand=sh -c 'echo old; exec sleep 1000'\nstdout_logfile={dir}/changed.log\nstartsecs=0\n\
        [program:removed]\ncommand=sleep 1000\nstartsecs=0\n";
    let mut daemon = Scene::with("changed and gone", text).start(Subject::Ours);
    daemon.wait_for_states(&["stays", "changed", "removed"], "RUNNING");
    daemon.wait_until("all is noted", |daemon| super::state_file::knows(daemon, &["stays", "changed", "removed"]));
    let before = pids(&daemon, &["stays", "changed", "removed"]);
    daemon.crash_with_keeper();
    for name in ["changed", "removed"] {
        processes::signal(before[name], Signal::SIGKILL);
        let ended = wait::poll(wait::DEADLINE, || (!processes::alive(before[name])).then_some(()));
        assert!(ended.is_some(), "{name} does not die");
    }
    let (kept, _) = text.split_once("[program:removed]").expect("it is the last one");
    let kept = kept.replace("echo old", "echo new").replace("{dir}", &daemon.dir().display().to_string());
    let config = daemon.read("supervisord.conf");
    let (head, _) = config.split_once("[program:stays]").expect("it is the first one");
    daemon.write("supervisord.conf", &format!("{head}{kept}"));
    daemon.start_again();
    wait_for_others(&mut daemon, &["stays", "changed"], &before);
    daemon.wait_until("the new one has written", |daemon| daemon.read("changed.log").contains("new"));
    daemon.wait_until("the other one is removed", |daemon| {
        daemon.rpc("supervisor.getProcessInfo", &["removed".into()]).is_err()
    });
    let spawned = |name: &str| daemon.log().matches(&format!("spawned: '{name}'")).count();
    assert_eq!((spawned("changed"), spawned("removed")), (2, 1), "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
}
