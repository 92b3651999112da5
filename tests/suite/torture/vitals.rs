//! What must be the same after an ordeal as before: descriptors, memory, threads, children.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, processes, wait};

/// How much the daemon's own memory may differ between two moments of rest, in kB: buffers that are kept.
const SLACK: u64 = 6 * 1024;

/// What a daemon holds at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub descriptors: usize,
    /// Memory that no file stands behind, in kB.
    pub memory: u64,
    pub threads: u64,
    pub children: usize,
}

impl Vitals {
    pub fn of(daemon: &Daemon) -> Vitals {
        let pid = daemon.pid();
        Vitals {
            descriptors: processes::descriptors(pid),
            memory: processes::status(pid, "RssAnon").unwrap_or(0),
            threads: processes::status(pid, "Threads").unwrap_or(0),
            children: processes::children(pid).len(),
        }
    }
}

/// Waits until the daemon holds no more than before, has no zombie, and still answers.
pub fn assert_flat(daemon: &mut Daemon, before: Vitals) {
    assert_eq!(daemon.call("supervisor.getState", &[]).get("statename").text(), "RUNNING");
    daemon.wait_until(&format!("nothing is leaked since {before:?}"), |daemon| {
        let now = Vitals::of(daemon);
        let is_flat = now.descriptors <= before.descriptors
            && now.threads <= before.threads
            && now.children <= before.children
            && now.memory <= before.memory + SLACK
            && zombies(daemon) == 0;
        if !is_flat && std::env::var_os("VERBOSE").is_some() {
            eprintln!("{before:?} -> {now:?}");
        }
        is_flat
    });
}

/// Dead children nobody has taken notice of.
pub fn zombies(daemon: &Daemon) -> usize {
    processes::children(daemon.pid()).iter().filter(|process| process.state == 'Z').count()
}

/// The processor time the daemon uses within a time.
pub fn work(daemon: &Daemon, watched: Duration) -> Duration {
    let before = processor_time(daemon.pid());
    thread::sleep(watched);
    processor_time(daemon.pid()).saturating_sub(before)
}

/// Fails when the daemon cannot come to rest: what goes on for ever although nothing happens is a busy loop.
pub fn assert_rests(daemon: &Daemon) {
    let watched = Duration::from_secs(1);
    let rest = wait::poll(wait::DEADLINE, || (work(daemon, watched) < watched / 10).then_some(()));
    assert!(rest.is_some(), "the daemon is busy with nothing\n{}", daemon.report());
}

/// How long it takes from the death of a program until its successor runs.
pub fn restart_latency(daemon: &Daemon, name: &str) -> Duration {
    // While a child is being made, readers still see the one before.
    let before =
        wait::poll(wait::DEADLINE, || Some(daemon.pid_of(name)).filter(|&pid| pid > 0 && processes::alive(pid)));
    let Some(before) = before else { panic!("{name} is not running\n{}", daemon.report()) };
    // The process table rather than a client: clients are what some of the scenarios are about.
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
