//! The running processes, from `/proc`.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait;

/// One line of the process table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// `Z` for a zombie.
    pub state: char,
    /// The program's name, at most 15 bytes.
    pub name: String,
}

/// All processes.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(process).collect()
}

/// One process, when it exists.
pub fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let name = head.split_once(" (")?.1.to_owned();
    let mut fields = tail.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some(Process { pid, state, name, parent: number()?, group: number()?, session: number()? })
}

/// Whether a thread of this name runs, waits for a processor, or waits for a disk.
pub fn is_thread_busy(pid: i32, name: &str) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let stats = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    let busy = ["R", "D"].map(|state| format!("({name}) {state} "));
    stats.into_iter().any(|stat| busy.iter().any(|busy| stat.contains(busy)))
}

/// Whether a process exists and has not ended.
pub fn alive(pid: i32) -> bool {
    process(pid).is_some_and(|process| process.state != 'Z')
}

/// The name of a daemon's keeper process.
pub const KEEPER: &str = "sv-keeper";

/// The children of a process, without the keeper of a daemon.
pub fn children(pid: i32) -> Vec<Process> {
    all().into_iter().filter(|process| process.parent == pid && process.name != KEEPER).collect()
}

/// All descendants of a process.
pub fn descendants(pid: i32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// The living processes whose environment contains `NAME=VALUE`.
pub fn with_environment(entry: &str) -> Vec<i32> {
    all()
        .into_iter()
        .filter(|process| process.state != 'Z')
        .filter(|process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|pair| pair == entry.as_bytes())
        })
        .map(|process| process.pid)
        .collect()
}

/// The open descriptors of a process.
pub fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// A number from `/proc/PID/status`, such as `VmRSS` (in kB) or `Threads`.
pub fn status(pid: i32, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Sends a signal; a process that is gone is ignored.
pub fn signal(pid: i32, signal: Signal) {
    assert!(pid > 1, "signals go to one process");
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Kills processes and waits until they are gone.
pub fn kill_all(pids: &[i32]) {
    for &pid in pids {
        signal(pid, Signal::SIGKILL);
    }
    wait::poll(wait::DEADLINE, || pids.iter().all(|&pid| !alive(pid)).then_some(()));
}
