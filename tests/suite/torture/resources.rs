//! Resources that must be the same after a test as before: descriptors, memory, threads, children.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, processes, wait};

/// How much the daemon's own memory may differ between two idle moments, in kB, for retained buffers.
const SLACK_KB: u64 = 6 * 1024;

/// The resources of a daemon at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    pub descriptors: usize,
    /// Anonymous memory, in kB.
    pub memory: u64,
    pub threads: u64,
    pub children: usize,
}

impl Resources {
    pub fn of(daemon: &Daemon) -> Resources {
        let pid = daemon.pid();
        Resources {
            descriptors: processes::descriptors(pid),
            memory: processes::status(pid, "RssAnon").unwrap_or(0),
            threads: processes::status(pid, "Threads").unwrap_or(0),
            children: processes::children(pid).len(),
        }
    }
}

/// Waits until the daemon uses no more than before, has no zombie, and still answers.
pub fn assert_no_leak(daemon: &mut Daemon, before: Resources) {
    assert_eq!(daemon.call("supervisor.getState", &[]).get("statename").text(), "RUNNING");
    daemon.wait_until(&format!("nothing is leaked since {before:?}"), |daemon| {
        let now = Resources::of(daemon);
        let is_flat = now.descriptors <= before.descriptors
            && now.threads <= before.threads
            && now.children <= before.children
            && now.memory <= before.memory + SLACK_KB
            && zombies(daemon) == 0;
        if !is_flat && std::env::var_os("VERBOSE").is_some() {
            eprintln!("{before:?} -> {now:?}");
        }
        is_flat
    });
}

/// The number of children that have exited and were not reaped.
pub fn zombies(daemon: &Daemon) -> usize {
    processes::children(daemon.pid()).iter().filter(|process| process.state == 'Z').count()
}

/// The processor time that the daemon uses within a time.
pub fn processor_time_within(daemon: &Daemon, watched: Duration) -> Duration {
    let before = processor_time(daemon.pid());
    thread::sleep(watched);
    processor_time(daemon.pid()).saturating_sub(before)
}

/// Fails when the daemon does not become idle: activity without a cause is a busy loop.
pub fn assert_idle(daemon: &Daemon) {
    let watched = Duration::from_secs(1);
    let rest = wait::poll(wait::DEADLINE, || (processor_time_within(daemon, watched) < watched / 10).then_some(()));
    assert!(rest.is_some(), "the daemon is busy with nothing\n{}", daemon.report());
}

/// The time from the exit of a program until its next process runs.
pub fn restart_latency(daemon: &Daemon, name: &str) -> Duration {
    // During a spawn, clients still see the previous process.
    let before =
        wait::poll(wait::DEADLINE, || Some(daemon.pid_of(name)).filter(|&pid| pid > 0 && processes::alive(pid)));
    let Some(before) = before else { panic!("{name} is not running\n{}", daemon.report()) };
    // Reads the process table rather than asking a client, because some of the scenarios block clients.
    let parent = daemon.pid();
    let known: Vec<i32> = processes::children(parent).iter().map(|child| child.pid).collect();
    let start = Instant::now();
    processes::signal(before, nix::sys::signal::Signal::SIGKILL);
    let successor = wait::poll(wait::DEADLINE, || {
        processes::children(parent).iter().any(|child| child.state != 'Z' && !known.contains(&child.pid)).then_some(())
    });
    assert!(successor.is_some(), "{name} was not restarted\n{}", daemon.report());
    start.elapsed()
}

fn processor_time(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, tail)| tail).split(' ').collect();
    let ticks: u64 = [11, 12].iter().filter_map(|&index| fields.get(index)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
