//! Upgrades in place: nothing is noticed, nothing is lost, and what cannot take over is refused.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::Command;

use nix::sys::signal::Signal;

use super::{LIVING, pids, scene, start, tell, wait_for_more_lines, wait_for_others};
use crate::harness::subject::Program;
use crate::harness::{Daemon, Scene, Subject, command, processes, wait};

#[test]
fn a_program_that_stops_to_be_replaced_is_replaced_after_an_upgrade_in_between() {
    const SLOW: &str = "[program:slow]\ncommand=sh -c 'trap \"while test ! -e {dir}/go; do sleep 0.05; done; exit\" TERM; \
        while :; do sleep 0.05; done' VERSION\nstartsecs=0\nstopwaitsecs=60\n";
    let mut daemon = Scene::with("retiring", SLOW).start(Subject::Ours);
    daemon.wait_for_state("slow", "RUNNING");
    let first = daemon.pid_of("slow");
    daemon.crash();
    daemon.write("supervisord.conf", &daemon.read("supervisord.conf").replace("VERSION", "NEXT"));
    daemon.start_again();
    daemon.wait_for_state("slow", "STOPPING");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
    daemon.wait_for_log("supervisord upgraded with pid");
    assert_eq!((daemon.state_of("slow").as_str(), daemon.pid_of("slow")), ("STOPPING", first));
    daemon.write("go", "");
    daemon.wait_for_state("slow", "RUNNING");
    assert_ne!(daemon.pid_of("slow"), first);
}

#[test]
fn an_upgrade_is_not_noticed_by_any_process() {
    let more = "[program:dies]\ncommand=sh -c 'read line; exit 7'\nautorestart=false\nstartsecs=0\n";
    let mut daemon = start("upgrade", more);
    daemon.wait_for_state("dies", "RUNNING");
    let (before, itself) = (pids(&daemon, &LIVING), daemon.pid());
    for round in 1..=3 {
        let upgraded = daemon.ctl(&["upgrade"]);
        assert_eq!((upgraded.stdout.as_str(), upgraded.code), ("Upgraded supervisord\n", 0), "{}", daemon.report());
        daemon
            .wait_until("it goes on", |daemon| daemon.log().matches("supervisord upgraded with pid").count() == round);
        daemon.wait_for_states(&LIVING, "RUNNING");
        assert_eq!(pids(&daemon, &LIVING), before, "{}", daemon.report());
        wait_for_more_lines(&mut daemon, "writer.log");
        tell(&daemon, &format!("round {round}"));
        daemon.wait_until("the listener hears", |daemon| daemon.read("heard").contains(&format!("round {round}")));
    }
    assert_eq!(daemon.pid(), itself);
    daemon.call("supervisor.sendProcessStdin", &["dies".into(), "now\n".into()]);
    daemon.wait_for_log("exited: dies (exit status 7; not expected)");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_signal_upgrades_too() {
    let mut daemon = start("usr1", "");
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log("supervisord upgraded with pid");
    wait_for_more_lines(&mut daemon, "writer.log");
}

/// Each of these is a program on disk that is not fit to go on, and a word of what is said about it.
/// The next program does not start what this one has not started yet.
#[test]
fn an_upgrade_waits_for_programs_that_wait_for_plug_ins() {
    let text = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n\
        [rpcinterface:slow]\nsupervisor.rpcinterface_factory=slow:make\n";
    let plugin = "import os, time\ndef make(supervisord):\n    open('made', 'w').close()\n    \
        while not os.path.exists('go'):\n        time.sleep(0.01)\n    return object()\n";
    let scene = Scene::with("upgraded early", text).file("slow.py", plugin).env("PYTHONPATH", "{dir}");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_until("the plug-in is being made", |daemon| daemon.path("made").exists());
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log("upgrading: handing over to the program now on disk");
    daemon.write("go", "");
    daemon.wait_for_log("supervisord upgraded with pid");
    daemon.wait_for_state("p", "RUNNING");
    assert_eq!(daemon.log().matches("spawned: 'p'").count(), 1, "{}", daemon.report());
    assert!(!daemon.log().contains("reaped unknown pid"), "{}", daemon.report());
}

#[test]
fn a_program_that_cannot_take_over_is_refused() {
    let place = scene("refused", "").set_up(Subject::Ours);
    let program = place.path("supervisord");
    command::copy_program(&Subject::Ours.path(Program::Supervisord), &program);
    let mut command = place.command(&program);
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    let unfit = [
        ("#!/bin/sh\necho I cannot read that >&2\nexit 1\n", "(exit status 1): I cannot read that"),
        ("#!/bin/sh\nexit 0\n", "(exit status 0)"),
        ("just some text\n", "is no program of this machine"),
        // The head of a program for a machine that nobody has.
        ("\u{7f}ELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{2}\0\u{6f}\u{6f}\u{1}\0\0\0", "is no program of this machine"),
        ("#!/bin/sh\nexec sleep 1000\n", "no answer within 10 seconds"),
        ("", "(exit status 127)"),
    ];
    for (content, words) in unfit {
        fs::remove_file(&program).expect("it is there");
        if !content.is_empty() {
            daemon.write("supervisord", content);
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let refused = daemon.ctl(&["upgrade"]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stdout.contains(words), "{words}: {refused:?}");
        if content.is_empty() {
            daemon.write("supervisord", "");
        }
    }
    assert_eq!(pids(&daemon, &LIVING), before);
    wait_for_more_lines(&mut daemon, "writer.log");
}

#[test]
fn an_upgrade_waits_for_calls_that_wait() {
    let more = "[program:slow]\ncommand={dir}/slow\nstartsecs=0\n";
    let scene = scene("waiting", more)
        .script("slow", "#!/bin/sh\ntrap 'sleep 0.5; exit 0' TERM\necho ready\nsleep 1000 & wait\n");
    let mut daemon = scene.start(Subject::Ours);
    daemon.wait_for_state("slow", "RUNNING");
    let before = daemon.pid_of("slow");
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| daemon.ctl(&["restart", "slow"]));
        let stopping = wait::poll(wait::DEADLINE, || (daemon.state_of("slow") != "RUNNING").then_some(()));
        assert!(stopping.is_some());
        assert_eq!(daemon.ctl(&["upgrade"]).code, 0);
        let restarted = restart.join().expect("it is no panic");
        assert_eq!((restarted.stdout.as_str(), restarted.code), ("slow: stopped\nslow: started\n", 0));
    });
    daemon.wait_for_log("supervisord upgraded with pid");
    daemon.wait_for_state("slow", "RUNNING");
    assert_ne!(daemon.pid_of("slow"), before);
}

/// A FIFO is a file on a slow disk: reading the configuration takes as long as the test wants.
#[test]
fn a_restart_whose_configuration_is_being_read_is_not_lost_in_an_upgrade() {
    let mut daemon = start("slow configuration", "");
    let before = pids(&daemon, &LIVING);
    let (file, kept) = (daemon.path("supervisord.conf"), daemon.path("kept.conf"));
    fs::rename(&file, &kept).expect("it is there");
    assert!(Command::new("mkfifo").arg(&file).status().expect("mkfifo runs").success());
    daemon.signal(Signal::SIGHUP);
    let mut fifo = None;
    daemon.wait_until("the configuration is being read", |_| {
        let mut options = fs::File::options();
        fifo = options.write(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(&file).ok();
        fifo.is_some()
    });
    // The daemon has the FIFO open; a report of this test must not wait for it.
    fs::rename(&kept, &file).expect("the directory is ours");
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_log(" ERRO not upgrading: the configuration is being read for a restart (SIGHUP)");
    fifo.take().expect("it is open").write_all(&fs::read(&file).expect("it is there")).expect("the daemon reads");
    daemon.wait_for_log(" WARN received SIGHUP indicating restart request");
    let starts = |daemon: &Daemon| daemon.log().matches("supervisord started with pid").count();
    daemon.wait_until("it has started again", |daemon| starts(daemon) == 2);
    wait_for_others(&mut daemon, &LIVING, &before);
    assert!(!daemon.log().contains("supervisord upgraded"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_shutdown_during_an_upgrade_is_obeyed() {
    let is_tried = |daemon: &Daemon| processes::children(daemon.pid()).iter().any(|child| child.name == "supervisord");
    let is_new = |daemon: &Daemon| {
        let environment = fs::read(format!("/proc/{}/environ", daemon.pid())).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains("SUPERVISORD_HAND_OVER=")
    };
    type Stage<'a> = (&'a str, &'a dyn Fn(&Daemon) -> bool);
    let stages: [Stage<'_>; 5] = [
        ("it is asked for", &|_| true),
        ("the program on disk is tried", &is_tried),
        ("everything is handed over", &|daemon| daemon.log().contains("upgrading: handing over")),
        ("the program is another", &is_new),
        ("it goes on", &|daemon| daemon.log().contains("supervisord upgraded with pid")),
    ];
    for (stage, is_reached) in stages {
        let mut daemon = start("end", "");
        daemon.signal(Signal::SIGUSR1);
        // A stage may be over before it is seen.
        daemon.wait_until(stage, |daemon| is_reached(daemon) || daemon.log().contains("supervisord upgraded with pid"));
        assert_eq!(daemon.stop(), 0, "{stage}\n{}", daemon.report());
    }
}

/// A package may move the old program away, or change the link that leads to it.
#[test]
fn an_upgrade_goes_on_with_the_program_at_the_path_the_daemon_was_started_by() {
    let ours = Subject::Ours.path(Program::Supervisord);
    let place = scene("path", "").set_up(Subject::Ours);
    for version in ["v1", "v2"] {
        fs::create_dir(place.path(version)).expect("the directory can be written");
        command::copy_program(&ours, &place.path(&format!("{version}/supervisord")));
    }
    std::os::unix::fs::symlink("v1", place.path("current")).expect("the place is free");
    let mut command = place.command(&place.path("current/supervisord"));
    command.args(["-n", "-c", "supervisord.conf"]);
    let mut daemon = Daemon::launch(place, command);
    daemon.wait_until("the pid file is written", |daemon| daemon.recorded_pid().is_some());
    daemon.wait_for_states(&LIVING, "RUNNING");
    let before = pids(&daemon, &LIVING);
    fs::remove_file(daemon.path("current")).expect("it is there");
    std::os::unix::fs::symlink("v2", daemon.path("current")).expect("the place is free");
    assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n", "{}", daemon.report());
    daemon.wait_for_log("supervisord upgraded with pid");
    let running = fs::read_link(format!("/proc/{}/exe", daemon.pid())).expect("it runs");
    assert_eq!(running, daemon.path("v2/supervisord").canonicalize().expect("it is there"));
    assert_eq!(pids(&daemon, &LIVING), before);
    assert!(daemon.log().contains("current/supervisord)"), "the log names the path");
    assert_eq!(daemon.stop(), 0);
}
