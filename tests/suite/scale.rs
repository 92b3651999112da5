//! Many programs at once, and the cost of an idle daemon.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Daemon, Scene, Subject, needs, only_ours, processes, wait};

fn sleepers(count: usize) -> String {
    format!(
        "[supervisord]\nminfds=8000\nminprocs=2000\n[program:p]\ncommand=sleep 100000\nnumprocs={count}\nprocess_name=%(process_num)04d\n\
        startsecs=0\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
    )
}

/// The pids of all running processes.
fn running(daemon: &Daemon) -> BTreeSet<i64> {
    let all = daemon.call("supervisor.getAllProcessInfo", &[]);
    let running = all.items().iter().filter(|process| process.get("statename").text() == "RUNNING");
    running.map(|process| process.get("pid").int()).collect()
}

/// Waits until so many processes run, and returns their pids.
fn all_running(daemon: &mut Daemon, count: usize) -> BTreeSet<i64> {
    daemon.wait_until("all are running", |daemon| running(daemon).len() == count);
    running(daemon)
}

/// Waits for a while after the last change, so that the measurement is of an idle daemon.
fn resources(daemon: &Daemon) -> (usize, u64) {
    (processes::descriptors(daemon.pid()), processes::status(daemon.pid(), "VmRSS").unwrap_or(0))
}

#[test]
fn a_thousand_programs_start_and_stop() {
    const COUNT: usize = 1000;
    only_ours(|| {
        let mut daemon = Scene::with("crowd", &sleepers(COUNT)).start(Subject::Ours);
        let first = all_running(&mut daemon, COUNT);
        let status = daemon.ctl(&["status"]);
        assert_eq!((status.code, status.stdout.lines().count()), (0, COUNT), "{}", status.stderr);
        let (descriptors, memory) = resources(&daemon);

        for pid in &first {
            processes::signal(*pid as i32, Signal::SIGKILL);
        }
        daemon.wait_until("none of the first is left", |_| first.iter().all(|&pid| !processes::alive(pid as i32)));
        daemon.wait_until("all have been replaced", |daemon| {
            let second = running(daemon);
            second.len() == COUNT && first.is_disjoint(&second)
        });
        daemon.wait_until("descriptors are back", |daemon| resources(daemon).0 <= descriptors);
        let after = resources(&daemon).1;
        assert!(after < memory + 8 * 1024, "memory grew from {memory} kB to {after} kB");
        let zombies = processes::children(daemon.pid()).iter().filter(|process| process.state == 'Z').count();
        assert_eq!(zombies, 0);

        let stopped = daemon.ctl(&["stop", "all"]);
        assert_eq!((stopped.code, stopped.stdout.lines().count()), (0, COUNT), "{}", stopped.stderr);
        assert!(processes::children(daemon.pid()).is_empty());
        let idle = resources(&daemon).0;
        assert!(idle < 64, "{idle} descriptors are open without a single program");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn an_idle_daemon_makes_no_system_call() {
    only_ours(|| {
        let mut daemon = Scene::with("idle", &sleepers(100)).start(Subject::Ours);
        all_running(&mut daemon, 100);
        let watched = Duration::from_secs(5);
        let calls = wait::poll(wait::DEADLINE, || {
            // The programs need a moment to finish starting.
            let calls = system_calls(&daemon, watched);
            calls.is_empty().then_some(calls)
        });
        assert!(calls.is_some(), "it never rests: {:?}\n{}", system_calls(&daemon, watched), daemon.report());
    });
}

/// Between two health checks the daemon rests, too.
#[test]
fn a_daemon_between_health_checks_makes_no_system_call() {
    only_ours(|| {
        let check = "healthcheck=tcp:127.0.0.1:1\nhealthcheck_interval=1h\n";
        let mut daemon = Scene::with("idle", &(sleepers(20) + check)).start(Subject::Ours);
        all_running(&mut daemon, 20);
        let watched = Duration::from_secs(5);
        let calls = wait::poll(wait::DEADLINE, || {
            let calls = system_calls(&daemon, watched);
            calls.is_empty().then_some(calls)
        });
        assert!(calls.is_some(), "it never rests: {:?}\n{}", system_calls(&daemon, watched), daemon.report());
    });
}

/// The system calls that the daemon enters within a time; those in which it was already blocked do not count.
fn system_calls(daemon: &Daemon, watched: Duration) -> Vec<String> {
    let record = daemon.path("strace");
    let mut strace = Command::new(needs::program("strace"))
        .args(["-f", "-qq", "-o"])
        .arg(&record)
        .args(["-p", &daemon.pid().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace can be executed");
    let threads = || fs::read_dir(format!("/proc/{}/task", daemon.pid())).into_iter().flatten().flatten();
    let is_traced = |thread: fs::DirEntry| {
        fs::read_to_string(thread.path().join("status")).is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
    };
    wait::until("strace sees every thread", || threads().all(is_traced));
    std::thread::sleep(watched);
    processes::signal(strace.id() as i32, Signal::SIGINT);
    let _ = strace.wait();
    let text = fs::read_to_string(record).unwrap_or_default();
    assert!(!text.is_empty(), "strace saw the calls it interrupted");
    // strace first shows each thread in the call in which it waits, and last as detached.
    let mut seen = BTreeSet::new();
    text.lines()
        .filter(|line| {
            let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
            let waiting = call.contains("epoll_wait")
                || call.contains("epoll_pwait")
                || call.contains("futex")
                || call.contains("restart_syscall");
            let unfinished = call.contains("<detached") || call.contains("<unfinished");
            !(waiting && unfinished && seen.insert(thread.to_owned()))
        })
        .map(str::to_owned)
        .collect()
}
