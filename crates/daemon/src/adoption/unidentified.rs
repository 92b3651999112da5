//! Children of a killed daemon of which nobody knows any more which program they are: they are ended before any program is
//! started, so that none runs twice.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use supervisord_config::model::{Config, LogLevel};
use supervisord_core::process::StopPlan;
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::signal::{SIGKILL, SIGTERM};
use supervisord_sys::{Errno, fd, proc_fd, proc_stat};

use crate::keeper::{Keeper, Owner};

/// The least and the most time that they have to end after SIGTERM, together: the default of `stopwaitsecs`, and what a start
/// may take.
const AFTER_TERM: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// The same after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// Processes to end before any program is started, and the keeper that holds handles on them until then, so that the next
/// daemon finds them if this one is killed meanwhile.
pub struct UnidentifiedProcesses {
    handles: Vec<ProcessHandle>,
    /// What the keeper is to forget then.
    owners: BTreeSet<Owner>,
    /// Where nothing else is taken over: the keeper, which then ends as well.
    pub keeper: Option<Keeper>,
}

impl UnidentifiedProcesses {
    pub(super) fn new(handles: Vec<ProcessHandle>, owners: BTreeSet<Owner>) -> UnidentifiedProcesses {
        UnidentifiedProcesses { handles, owners, keeper: None }
    }

    /// Ends them, and waits for that as long as the programs have after SIGTERM, and a little longer after SIGKILL. `keeper` is
    /// the one that goes on.
    pub fn end(self, config: &Config, keeper: Option<&mut Keeper>, log: &dyn Fn(LogLevel, &str)) {
        let UnidentifiedProcesses { handles, owners, keeper: last_keeper } = self;
        end(handles, config, log);
        if let Some(keeper) = keeper {
            owners.into_iter().for_each(|owner| keeper.forget(owner));
        }
        if let Some(keeper) = last_keeper {
            keeper.end();
        }
    }
}

/// Ends processes, and the process groups that they lead. Logs what it waits for, and what has become of each.
fn end(handles: Vec<ProcessHandle>, config: &Config, log: &dyn Fn(LogLevel, &str)) {
    let mut processes: Vec<Unidentified> = handles.into_iter().map(Unidentified::new).collect();
    let grace_period = grace_period(config);
    let pids: Vec<String> = processes.iter().map(|process| process.leader.pid().to_string()).collect();
    log(
        LogLevel::Warn,
        &format!(
            "waiting up to {} seconds for processes to end that were left running and that the state does not identify \
             (pid {}); programs are started afterwards",
            (grace_period + AFTER_KILL).as_secs(),
            pids.join(", ")
        ),
    );
    signal(&mut processes, SIGTERM, grace_period);
    for process in &mut processes {
        let lives = process.living().next().is_some();
        process.was_killed = lives;
    }
    signal(&mut processes, SIGKILL, AFTER_KILL);
    processes.iter().for_each(|process| log(LogLevel::Warn, &process.line()));
}

/// How long they have after SIGTERM: the longest time that a program has until SIGKILL, because nobody knows which they are.
fn grace_period(config: &Config) -> Duration {
    let processes = config.groups.iter().flat_map(|group| &group.processes);
    let longest = processes.map(|process| StopPlan::of(process).time_until_kill()).max();
    let (least, most) = AFTER_TERM;
    longest.unwrap_or(least).clamp(least, most)
}

/// A child, with the other processes of the group that it leads.
struct Unidentified {
    leader: ProcessHandle,
    name: String,
    leads_group: bool,
    group_members: Vec<ProcessHandle>,
    was_killed: bool,
}

impl Unidentified {
    fn new(leader: ProcessHandle) -> Unidentified {
        let name = proc_stat::name(leader.pid()).unwrap_or_default();
        let leads_group = proc_stat::group_of(leader.pid()) == Some(leader.pid());
        Unidentified { leader, name, leads_group, group_members: Vec::new(), was_killed: false }
    }

    fn living(&self) -> impl Iterator<Item = &ProcessHandle> {
        std::iter::once(&self.leader).chain(&self.group_members).filter(|process| !process.has_ended())
    }

    /// Looks who is in its group. While the leader lives, the number of the group is not that of another one.
    fn find_group_members(&mut self) {
        if !self.leads_group {
            return;
        }
        let is_known = |pid| self.group_members.iter().any(|known| known.pid() == pid && !known.has_ended());
        let others = proc_fd::with_group(self.leader.pid()).skip(1).filter(|pid| !is_known(*pid));
        let is_in_group = |other: &ProcessHandle| proc_stat::group_of(other.pid()) == Some(self.leader.pid());
        let found: Vec<_> = others.filter_map(|pid| ProcessHandle::open(pid).ok()).filter(is_in_group).collect();
        if !self.leader.has_ended() {
            self.group_members.extend(found);
        }
    }

    /// One that cannot be signalled shows by living on.
    fn kill(&self, signal: i32) {
        let done = match self.leads_group {
            true => self.leader.kill_group(signal),
            false => Err(Errno::ESRCH),
        };
        if done.is_err() {
            self.living().for_each(|process| _ = process.kill(signal));
        }
    }

    fn line(&self) -> String {
        let survivors: Vec<String> = self.living().map(|process| process.pid().to_string()).collect();
        let group = if self.leads_group { ", with its process group," } else { "" };
        let outcome = match (survivors.is_empty(), self.was_killed) {
            (true, false) => format!("it was stopped{group} before any program was started"),
            (true, true) => {
                format!("it was killed{group} before any program was started, because not all ended after SIGTERM")
            }
            (false, _) => {
                format!("its program may run twice, because these cannot be killed: {}", survivors.join(", "))
            }
        };
        let Unidentified { leader, name, .. } = self;
        format!(
            "process {} ({name}) was left running, and the state does not tell which program it is; {outcome}",
            leader.pid()
        )
    }
}

/// Signals those that live, and waits until they have ended, or long enough.
fn signal(processes: &mut [Unidentified], signal: i32, grace_period: Duration) {
    let give_up = Instant::now() + grace_period;
    for process in &mut *processes {
        process.find_group_members();
        process.kill(signal);
    }
    for process in processes.iter().flat_map(Unidentified::living) {
        let _ = fd::poll_readable(process.as_fd(), Some(give_up.saturating_duration_since(Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use supervisord_config::samples;
    use supervisord_sys::Pid;

    use super::*;

    /// A child in a process group of its own, and perhaps a worker of it. Both end with the test.
    struct Started {
        child: Child,
        worker: Option<ProcessHandle>,
    }

    impl Started {
        /// A child that has come so far that it obeys, or not. The worker is the process whose number it wrote.
        fn new(script: &str) -> Started {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(script).stdout(Stdio::piped()).process_group(0);
            let mut started = Started { child: command.spawn().unwrap(), worker: None };
            let mut line = String::new();
            BufReader::new(started.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let worker = line.trim().parse().ok().and_then(Pid::new);
            started.worker = worker.map(|pid| ProcessHandle::open(pid).unwrap());
            started
        }

        fn handle(&self) -> ProcessHandle {
            ProcessHandle::open(Pid::new(self.child.id()).unwrap()).unwrap()
        }

        fn worker(&self) -> &ProcessHandle {
            self.worker.as_ref().unwrap()
        }
    }

    impl Drop for Started {
        fn drop(&mut self) {
            if let Some(worker) = &self.worker {
                let _ = worker.kill(SIGKILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Ends the process of this handle, and gives what is logged.
    fn end_one(handle: ProcessHandle) -> Vec<String> {
        let lines = RefCell::new(Vec::new());
        end(vec![handle], &samples::config([]), &|_, line| lines.borrow_mut().push(line.to_owned()));
        lines.into_inner()
    }

    #[test]
    fn they_are_ended_and_named() {
        let mut started = Started::new("echo; exec sleep 1000");
        let lines = end_one(started.handle());
        assert!(started.child.try_wait().unwrap().is_some());
        let [waiting, outcome] = &lines[..] else { panic!("{lines:?}") };
        let pid = started.child.id();
        assert!(
            waiting.starts_with("waiting up to 12 seconds") && waiting.contains(&format!("(pid {pid})")),
            "{waiting}"
        );
        assert!(
            outcome.contains(&format!("process {pid} (")) && outcome.contains("it was stopped, with its process group"),
            "{outcome}"
        );
    }

    #[test]
    fn those_that_do_not_obey_are_killed() {
        let started = Started::new("trap '' TERM; echo; while :; do sleep 1; done");
        let mut processes = [Unidentified::new(started.handle())];
        signal(&mut processes, SIGTERM, Duration::from_millis(10));
        assert!(!processes[0].leader.has_ended());
        signal(&mut processes, SIGKILL, AFTER_KILL);
        assert!(processes[0].leader.has_ended());
    }

    #[test]
    fn the_workers_of_a_wrapper_are_ended_with_it() {
        let started = Started::new("sleep 1000 & echo $!; wait");
        let lines = end_one(started.handle());
        assert!(started.worker().has_ended(), "{lines:?}");
        assert!(lines[1].contains("it was stopped, with its process group,"), "{lines:?}");
    }

    /// The wrapper obeys, its worker does not.
    #[test]
    fn a_stubborn_worker_is_killed_after_its_wrapper_has_ended() {
        let mut started = Started::new("(trap '' TERM; sh -c 'echo $PPID'; while :; do sleep 1; done) & wait");
        let mut processes = [Unidentified::new(started.handle())];
        signal(&mut processes, SIGTERM, Duration::from_millis(100));
        assert_eq!((started.child.wait().unwrap().success(), started.worker().has_ended()), (false, false));
        let (line, worker) = (processes[0].line(), started.worker().pid());
        assert!(line.contains(&format!("cannot be killed: {worker}")), "{line}");
        signal(&mut processes, SIGKILL, AFTER_KILL);
        assert!(started.worker().has_ended());
    }

    #[test]
    fn the_longest_stopwaitsecs_counts_within_bounds() {
        let grace_period_with = |stopwaitsecs| {
            let mut process = samples::process("p");
            process.stop.stopwaitsecs = stopwaitsecs;
            grace_period(&samples::config([samples::group("p", 999, vec![process])])).as_secs()
        };
        assert_eq!([1, 30, 3600].map(grace_period_with), [10, 30, 60]);
        assert_eq!(grace_period(&samples::config([])).as_secs(), 10);
    }
}
