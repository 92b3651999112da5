//! Children that do not exit, close or read as expected.

use std::time::{Duration, Instant};

use super::resources::{Resources, assert_idle, assert_no_leak, restart_latency};
use crate::harness::needs::{self, Power};
use crate::harness::{Scene, Subject, only_ours, processes};

#[test]
fn children_that_ignore_term_are_killed_in_time() {
    only_ours(|| {
        let configuration = "[program:deaf]\ncommand=perl -e '$SIG{TERM} = \"IGNORE\"; open(F, \">ready.%(process_num)d\"); \
            close(F); sleep 1 while 1'\nnumprocs=20\nprocess_name=%(process_num)d\ndirectory={dir}\nstartsecs=0\n\
            stopwaitsecs=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("deaf", configuration).start(Subject::Ours);
        daemon.wait_until("all ignore TERM", |daemon| (0..20).all(|n| daemon.path(&format!("ready.{n}")).exists()));
        let before = Resources::of(&daemon);
        let start = Instant::now();
        daemon.call("supervisor.stopAllProcesses", &[]);
        let took = start.elapsed();
        // One after the other would take a second each.
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(20), "{took:?}");
        assert!(processes::children(daemon.pid()).is_empty());
        daemon.call("supervisor.startAllProcesses", &[]);
        assert_no_leak(&mut daemon, before);
        daemon.wait_until("all ignore TERM", |daemon| (0..20).all(|n| daemon.path(&format!("ready.{n}")).exists()));
        assert_eq!(daemon.stop(), 0);
    });
}

/// A grandchild keeps the pipe of an exited child open.
#[test]
fn grandchildren_that_keep_the_pipe_open_delay_and_leak_nothing() {
    only_ours(|| {
        let configuration = "[program:parent]\ncommand=sh -c 'sleep 1000 & echo begun; exec sleep 1000'\nstartsecs=0\n\
            autorestart=true\nstdout_logfile={dir}/log\nstdout_logfile_maxbytes=0\nstopasgroup=true\n";
        let mut daemon = Scene::with("grandchildren", configuration).start(Subject::Ours);
        daemon.wait_for_state("parent", "RUNNING");
        daemon.wait_for_file("log");
        let before = Resources::of(&daemon);
        for round in 1..=30 {
            restart_latency(&daemon, "parent");
            daemon.wait_until("it begins", |daemon| daemon.read("log").lines().count() > round);
        }
        assert_eq!(daemon.read("log"), "begun\n".repeat(31));
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A grandchild that goes on writing after its parent exited delays nothing.
#[test]
fn a_flooding_grandchild_does_not_delay_the_restart_of_its_parent() {
    only_ours(|| {
        let configuration = "[program:parent]\ncommand=sh -c 'yes & exec sleep 1000'\nstartsecs=0\nautorestart=true\n\
            stdout_logfile={dir}/log\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=1\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("flooding", configuration).start(Subject::Ours);
        daemon.wait_for_state("parent", "RUNNING");
        daemon.wait_for_file("log");
        let before = Resources::of(&daemon);
        for _ in 0..5 {
            restart_latency(&daemon, "parent");
            daemon.wait_for_state("parent", "RUNNING");
        }
        daemon.call("supervisor.stopProcess", &["parent".into()]);
        assert!(Resources::of(&daemon).descriptors <= before.descriptors);
        assert_idle(&daemon);
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn a_child_that_closes_its_output_costs_nothing() {
    only_ours(|| {
        let configuration = "[program:silent]\ncommand=perl -e 'syswrite(STDOUT, \"said\\n\"); close(STDOUT); close(STDERR); \
            close(STDIN); sleep 1 while 1'\nnumprocs=10\nprocess_name=%(process_num)d\nstartsecs=0\nautorestart=true\n\
            stdout_logfile={dir}/log.%(process_num)d\n";
        let mut daemon = Scene::with("silent", configuration).start(Subject::Ours);
        daemon.wait_until("all have spoken", |daemon| (0..10).all(|n| daemon.read(&format!("log.{n}")) == "said\n"));
        assert_idle(&daemon);
        let before = Resources::of(&daemon);
        for n in 0..10 {
            let name = format!("silent:{n}");
            assert_eq!(daemon.state_of(&name), "RUNNING");
            restart_latency(&daemon, &name);
            let log = format!("log.{n}");
            daemon.wait_until("its successor has spoken", |daemon| daemon.read(&log) == "said\nsaid\n");
        }
        // The daemon has closed its end of the pipe as well: it keeps no resources for it, and sending to stdin fails.
        let sent = daemon.rpc("supervisor.sendProcessStdin", &["silent:0".into(), "x".into()]);
        assert_eq!(sent.expect_err("it closed its stdin").1, "NO_FILE: silent:0");
        assert_no_leak(&mut daemon, before);
        assert_eq!(daemon.stop(), 0);
    });
}

/// A child stopped by job control can neither handle SIGTERM nor die from it.
#[test]
fn a_frozen_child_is_killed_in_time() {
    only_ours(|| {
        let configuration = "[program:frozen]\ncommand=sleep 1000\nstartsecs=0\nstopwaitsecs=1\nautorestart=true\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let mut daemon = Scene::with("frozen", configuration).start(Subject::Ours);
        daemon.wait_for_state("frozen", "RUNNING");
        processes::signal(daemon.pid_of("frozen"), nix::sys::signal::Signal::SIGSTOP);
        daemon.call("supervisor.stopProcess", &["frozen".into()]);
        assert_eq!(daemon.state_of("frozen"), "STOPPED");
        assert!(processes::children(daemon.pid()).is_empty());
        assert_eq!(daemon.stop(), 0);
    });
}

/// The daemon reaps orphans that become its children because it is the init of its pid namespace.
#[test]
fn orphans_of_unknown_processes_are_reaped() {
    if !Power::BeFirstProcess.is_there_for("a daemon as process 1") {
        return;
    }
    only_ours(|| {
        let configuration = "[supervisord]\npidfile={dir}/inner.pid\nloglevel=debug\n[program:maker]\nstartsecs=0\nautorestart=true\n\
            command=sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sh -c \"(sleep 0.05; exit 3) &\"; done; sleep 0.2'\n\
            stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let scene = Scene::with("init", configuration);
        let place = scene.set_up(Subject::Ours);
        let mut command = place.command(&needs::program("unshare"));
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg(Subject::Ours.path(crate::harness::Program::Supervisord)).args(["-n", "-c", "supervisord.conf"]);
        let mut daemon = crate::harness::Daemon::launch(place, command);
        daemon.wait_until("strangers are reaped", |daemon| daemon.log().matches("reaped unknown pid").count() >= 30);
        let init = processes::children(daemon.launched_pid()).first().map_or(0, |init| init.pid);
        assert!(init > 0, "{}", daemon.report());
        daemon.wait_until("there is no zombie", |_| processes::children(init).iter().all(|child| child.state != 'Z'));
        processes::signal(init, nix::sys::signal::Signal::SIGTERM);
        assert_eq!(daemon.exit_code(), 0);
    });
}
