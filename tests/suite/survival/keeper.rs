//! The process beside the daemon that holds what the next daemon needs: who sees it, what ends it, and what it saves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use super::sockets::ask_gate;
use super::{LIVING, check_lines, pids, scene, start, tell, wait_for_more_lines};
use crate::harness::needs::{self, Power};
use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, processes, scene, wait};

const GATE: &str = "#!/usr/bin/perl\nwhile (accept(my $peer, STDIN)) { syswrite($peer, $$); close($peer) }\n";

/// What stands beside a pid file while a daemon runs.
const BESIDE: [&str; 4] = [".keeper", ".state", ".state.new", ".lock"];

/// Which of the files beside the pid file are there.
fn beside(daemon: &Daemon) -> Vec<&'static str> {
    BESIDE.into_iter().filter(|name| daemon.path(&format!("supervisord.pid{name}")).exists()).collect()
}

/// The processes of the scene that live.
fn living(daemon: &Daemon) -> Vec<i32> {
    processes::with_environment(&format!("{}={}", scene::MARK, daemon.dir().display()))
}

/// Nothing is left of a daemon that ended in an orderly way.
fn check_nothing_is_left(daemon: &Daemon) {
    wait::until("all processes have ended", || living(daemon).is_empty());
    assert_eq!(beside(daemon), [] as [&str; 0]);
}

/// Waits until the keeper, if it is another one than this, holds our ends of the pipes of these processes.
fn wait_for_another_keeper(daemon: &mut Daemon, before: i32, programs: &BTreeMap<String, i32>) -> i32 {
    let links = |pid: i32| {
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
        entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect::<BTreeSet<PathBuf>>()
    };
    let is_pipe = |link: &PathBuf| link.to_string_lossy().starts_with("pipe:");
    let pipes: BTreeSet<PathBuf> = programs.values().flat_map(|pid| links(*pid)).filter(is_pipe).collect();
    daemon.wait_until("another keeper holds everything", |daemon| {
        daemon.keeper().is_some_and(|keeper| keeper != before && pipes.is_subset(&links(keeper)))
    });
    daemon.running_keeper()
}

/// Everything is as it should be with programs that were taken over.
fn check_everything_works(daemon: &mut Daemon, before: &BTreeMap<String, i32>, word: &str) {
    let names: Vec<&str> = before.keys().map(String::as_str).collect();
    daemon.wait_for_states(&names, "RUNNING");
    assert_eq!(&pids(daemon, &names), before, "{}", daemon.report());
    wait_for_more_lines(daemon, "writer.log");
    daemon.call("supervisor.sendProcessStdin", &["echo".into(), format!("{word}\n").as_str().into()]);
    daemon.wait_until("stdin and stdout work", |daemon| daemon.read("echo.log").ends_with(&format!("{word}\n")));
    tell(daemon, word);
    daemon.wait_until("the listener hears", |daemon| daemon.read("heard").contains(word));
    assert_eq!(ask_gate(daemon, true), before["f"]);
}

#[test]
fn pidof_supervisord_finds_only_the_daemon() {
    let daemon = start("alone", "");
    let keeper = daemon.running_keeper();
    for words in [&["pidof", "supervisord"][..], &["pgrep", "supervisord"], &["pgrep", "-f", "supervisord.*-n"]] {
        let output = Command::new(needs::program(words[0])).args(&words[1..]).output().expect("it can be executed");
        let found = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: BTreeSet<i32> = found.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect();
        let own: Vec<i32> = living(&daemon).into_iter().filter(|pid| found.contains(pid)).collect();
        assert_eq!(own, [daemon.launched_pid()], "{words:?}, the keeper is {keeper}");
    }
}

#[test]
fn the_keeper_ends_when_it_is_not_needed_and_not_by_a_signal() {
    let mut daemon = start("signals", "");
    let keeper = daemon.running_keeper();
    let before = pids(&daemon, &LIVING);
    let deadly = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];
    deadly.into_iter().for_each(|signal| processes::signal(keeper, signal));
    for _ in 0..2 {
        daemon.crash();
        deadly.into_iter().for_each(|signal| processes::signal(keeper, signal));
        daemon.start_again();
        daemon.wait_for_states(&LIVING, "RUNNING");
        assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
        assert_eq!(daemon.keepers(), [keeper], "the same one serves the next daemon");
    }
    assert!(!daemon.log().contains("the keeper"), "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
    check_nothing_is_left(&daemon);
}

#[test]
fn a_new_keeper_gets_everything_that_a_killed_one_held() {
    let more = "[fcgi-program:f]\ncommand={dir}/gate\nstartsecs=0\nsocket=unix://{dir}/f.sock\n";
    let mut daemon = scene("replaced", more).script("gate", GATE).start(Subject::Ours);
    let names: Vec<&str> = LIVING.into_iter().chain(["f"]).collect();
    daemon.wait_for_states(&names, "RUNNING");
    daemon.wait_until("the writer has written", |daemon| daemon.read("writer.log").lines().count() > 10);
    let before = pids(&daemon, &names);
    // The first is a child of the daemon, the next one is not.
    for round in 1..=2 {
        let keeper = daemon.running_keeper();
        processes::signal(keeper, Signal::SIGKILL);
        daemon.wait_for_log(&format!(
            "WARN the keeper (pid {keeper}) has ended (its connection is closed); another one will be started"
        ));
        let next = wait_for_another_keeper(&mut daemon, keeper, &before);
        check_everything_works(&mut daemon, &before, &format!("replaced {round}"));
        daemon.crash();
        daemon.start_again();
        check_everything_works(&mut daemon, &before, &format!("crashed {round}"));
        assert_eq!(daemon.keepers(), [next], "the same one serves the next daemon");
    }
    assert_eq!(daemon.stop(), 0);
    check_nothing_is_left(&daemon);
}

#[test]
fn programs_of_other_users_are_taken_over_by_a_daemon_that_may_not_look_into_them() {
    let what = "the take-over without CAP_SYS_PTRACE";
    if !Power::ChangeUser.is_there_for(what) || !Power::ForgoTracing.is_there_for(what) {
        return;
    }
    let program = Subject::Ours.path(Program::Supervisord);
    let script = format!("#!/bin/sh\nexec setpriv --bounding-set=-sys_ptrace '{}' \"$@\"\n", program.display());
    let text = "[program:writer]\ncommand={dir}/writer\nuser=nobody\nstartsecs=0\nstdout_logfile={dir}/writer.log\n\
        stderr_logfile=NONE\n";
    let scene = Scene::with("powerless", text)
        .script("writer", super::WRITER)
        .script("powerless", &script)
        .shell("shift; set -- {dir}/powerless \"$@\"");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_until("the writer has written", |daemon| daemon.read("writer.log").lines().count() > 10);
    let writer = daemon.pid_of("writer");
    for _ in 0..2 {
        daemon.crash();
        daemon.start_again_with(&daemon.path("powerless"));
        daemon.wait_for_state("writer", "RUNNING");
        assert_eq!(daemon.pid_of("writer"), writer, "{}", daemon.report());
        wait_for_more_lines(&mut daemon, "writer.log");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).expect("it has some");
    let capabilities = u64::from_str_radix(capabilities, 16).expect("a number");
    assert_eq!(capabilities & (1 << 19), 0, "it may look into others");
}

#[test]
fn output_and_exit_status_of_a_program_that_ended_between_two_daemons_are_known() {
    let once = "[program:once]\ncommand=sh -c 'while test ! -e go; do sleep 0.01; done; echo last words; exit 7'\n\
        directory={dir}\nautorestart=false\nstartsecs=0\nstdout_logfile={dir}/once.log\n";
    let witness = "[program:witness]\ncommand=sleep 1000\nstartsecs=0\n";
    // Whether somebody is left or not: the second is the only one of its daemon.
    for (name, more) in [("with a witness", witness), ("without", "")] {
        let mut daemon = Scene::with(name, &format!("{once}{more}")).start(Subject::Ours);
        daemon.wait_for_state("once", "RUNNING");
        let pid = daemon.pid_of("once");
        daemon.crash();
        daemon.write("go", "");
        wait::until("it has ended", || !processes::alive(pid));
        daemon.start_again();
        daemon.wait_until("it is in the log", |daemon| daemon.read("once.log").starts_with("last words\n"));
        let status = if needs::kernel_is_at_least(6, 15) { "exit status 7" } else { "exit status unknown" };
        daemon.wait_for_log(&format!("exited: once ({status}; not expected)"));
        // Where nobody is left, it begins afresh.
        let count = if more.is_empty() { 2 } else { 1 };
        daemon.wait_until("it has begun as often as it should", |daemon| {
            daemon.log().matches("spawned: 'once'").count() == count
        });
        daemon.wait_until("every life has spoken once", |daemon| {
            daemon.read("once.log").lines().count() == count && daemon.state_of("once") == "EXITED"
        });
        assert_eq!(daemon.stop(), 0);
        check_nothing_is_left(&daemon);
    }
}

#[test]
fn programs_are_replaced_when_the_keeper_was_killed_with_the_daemon() {
    let mut daemon = start("both", "");
    let before = pids(&daemon, &LIVING);
    daemon.wait_until("all is noted", |daemon| super::state_file::knows(daemon, &LIVING));
    daemon.crash_with_keeper();
    let written = check_lines(&daemon, "writer.log");
    daemon.start_again();
    daemon.wait_until("all are others", |daemon| {
        let now = pids(daemon, &LIVING);
        LIVING.iter().all(|name| now[*name] != 0 && now[*name] != before[*name])
    });
    daemon.wait_for_states(&LIVING, "RUNNING");
    assert!(before.values().all(|pid| !processes::alive(*pid)), "somebody runs twice\n{}", daemon.report());
    // Those that notice by themselves that nobody is at the other end may have ended before.
    let quiet = format!("WARN 'quiet' (pid {}) has lost its pipes with the daemon that was killed", before["quiet"]);
    assert!(daemon.log().contains(&quiet), "{}", daemon.report());
    daemon.wait_until("the writer writes again", |daemon| daemon.read("writer.log").lines().count() > written + 10);
    assert!(daemon.keeper().is_some(), "there is another keeper");
    assert_eq!(daemon.stop(), 0);
    check_nothing_is_left(&daemon);
}

#[test]
fn without_take_over_there_is_no_keeper_and_upgrades_work() {
    let program = Subject::Ours.path(Program::Supervisord);
    let usual = "[supervisord]\nadopt=false\n";
    let device = "[supervisord]\npidfile=/dev/null\n";
    let first = format!("shift; set -- unshare --pid --fork --mount-proc --kill-child '{}' \"$@\"", program.display());
    for (name, more, shell) in [("adopt", usual, None), ("device", device, None), ("first process", "", Some(first))] {
        if shell.is_some() && !Power::BeFirstProcess.is_there_for("a daemon that is process 1 and has no keeper") {
            continue;
        }
        let scene = scene(name, more);
        let scene = shell.iter().fold(scene, |scene, commands| scene.shell(commands));
        let mut daemon = scene.launch(Subject::Ours);
        let answers = |daemon: &Daemon| daemon.rpc_if_up("supervisor.getPID", &[]).is_some();
        daemon.wait_until("it answers", answers);
        daemon.wait_for_states(&LIVING, "RUNNING");
        daemon.wait_until("the writer has written", |daemon| daemon.read("writer.log").lines().count() > 10);
        let before = pids(&daemon, &LIVING);
        assert_eq!(daemon.keepers(), [] as [i32; 0], "{name}");
        let locked: &[&str] = if name == "device" { &[] } else { &[".lock"] };
        assert_eq!(beside(&daemon), locked, "{name}");
        assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n", "{name}\n{}", daemon.report());
        daemon.wait_for_log("supervisord upgraded with pid");
        daemon.wait_for_states(&LIVING, "RUNNING");
        assert_eq!(pids(&daemon, &LIVING), before, "{name}\n{}", daemon.report());
        wait_for_more_lines(&mut daemon, "writer.log");
        assert_eq!((daemon.keepers(), beside(&daemon).as_slice()), (Vec::new(), locked), "{name}");
        assert_eq!(daemon.ctl(&["shutdown"]).stdout, "Shut down\n", "{name}");
        assert_eq!(daemon.exit_code(), 0, "{name}");
        check_nothing_is_left(&daemon);
    }
}

/// Each life reaps what the lives before have spawned.
#[test]
fn no_child_of_the_daemon_is_unknown_after_upgrades_and_restarts() {
    let mut daemon = start("known", "");
    let before = pids(&daemon, &LIVING);
    let count = |daemon: &Daemon, line: &str| daemon.log().matches(line).count();
    for round in 1..=2 {
        daemon.signal(Signal::SIGUSR1);
        daemon.wait_until("it is upgraded", |daemon| count(daemon, "supervisord upgraded with pid") == round);
        let keeper = daemon.running_keeper();
        processes::signal(keeper, Signal::SIGKILL);
        wait_for_another_keeper(&mut daemon, keeper, &before);
    }
    daemon.signal(Signal::SIGHUP);
    daemon.wait_until("it begins again", |daemon| count(daemon, "supervisord started with pid") == 2);
    daemon.wait_for_states(&LIVING, "RUNNING");
    assert_eq!(daemon.stop(), 0);
    assert!(!daemon.log().contains("reaped unknown pid"), "{}", daemon.log());
    check_nothing_is_left(&daemon);
}

#[test]
fn a_restart_has_one_keeper_and_an_end_leaves_none() {
    let mut daemon = start("one keeper", "");
    for round in 2..=3 {
        let before = pids(&daemon, &LIVING);
        daemon.signal(Signal::SIGHUP);
        daemon.wait_until("it begins again", |daemon| {
            daemon.log().matches("supervisord started with pid").count() == round
        });
        daemon.wait_for_states(&LIVING, "RUNNING");
        assert!(before.values().all(|pid| !processes::alive(*pid)), "{}", daemon.report());
        daemon.wait_until("one keeper is there", |daemon| daemon.keepers().len() == 1);
    }
    daemon.wait_until("all is written", |daemon| beside(daemon) == [".keeper", ".state", ".lock"]);
    let before = pids(&daemon, &LIVING);
    daemon.crash();
    daemon.start_again();
    daemon.wait_for_states(&LIVING, "RUNNING");
    assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
    assert_eq!(daemon.stop(), 0);
    check_nothing_is_left(&daemon);
}
