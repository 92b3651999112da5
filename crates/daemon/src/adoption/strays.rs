//! Children of a killed daemon of which nobody knows any more which program they are: they are ended before any program is
//! started, so that none runs twice.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use supervisord_config::model::Config;
use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::signal::{SIGKILL, SIGTERM};
use supervisord_sys::{Errno, fd, proc_fd, proc_stat};

/// The least and the most time that they have to end after SIGTERM, together: the default of `stopwaitsecs`, and what a start
/// may take.
const AFTER_TERM: (i64, i64) = (10, 60);

/// The same after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// Ends them, and the process groups that they lead. Gives a line for the activity log about each.
pub fn end(strays: Vec<ProcessHandle>, config: &Config) -> Vec<String> {
    let mut strays: Vec<Stray> = strays.into_iter().map(Stray::new).collect();
    signal(&mut strays, SIGTERM, patience(config));
    for stray in &mut strays {
        let lives = stray.living().next().is_some();
        stray.was_stubborn = lives;
    }
    signal(&mut strays, SIGKILL, AFTER_KILL);
    strays.iter().map(Stray::line).collect()
}

/// How long they have after SIGTERM: the longest `stopwaitsecs` of the programs, because nobody knows which they are.
fn patience(config: &Config) -> Duration {
    let longest =
        config.groups.iter().flat_map(|group| &group.processes).map(|process| process.stop.stopwaitsecs).max();
    let (least, most) = AFTER_TERM;
    Duration::from_secs(longest.unwrap_or(least).clamp(least, most).unsigned_abs())
}

/// A child, with the other processes of the group that it leads.
struct Stray {
    leader: ProcessHandle,
    name: String,
    leads_group: bool,
    followers: Vec<ProcessHandle>,
    was_stubborn: bool,
}

impl Stray {
    fn new(leader: ProcessHandle) -> Stray {
        let name = proc_stat::name(leader.pid()).unwrap_or_default();
        let leads_group = proc_stat::group_of(leader.pid()) == Some(leader.pid());
        Stray { leader, name, leads_group, followers: Vec::new(), was_stubborn: false }
    }

    fn living(&self) -> impl Iterator<Item = &ProcessHandle> {
        std::iter::once(&self.leader).chain(&self.followers).filter(|process| !process.has_ended())
    }

    /// Looks who is in its group. While the leader lives, the number of the group is not that of another one.
    fn find_followers(&mut self) {
        if !self.leads_group {
            return;
        }
        let is_known = |pid| self.followers.iter().any(|known| known.pid() == pid && !known.has_ended());
        let others = proc_fd::with_group(self.leader.pid()).skip(1).filter(|pid| !is_known(*pid));
        let is_in_group = |other: &ProcessHandle| proc_stat::group_of(other.pid()) == Some(self.leader.pid());
        let found: Vec<_> = others.filter_map(|pid| ProcessHandle::open(pid).ok()).filter(is_in_group).collect();
        if !self.leader.has_ended() {
            self.followers.extend(found);
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
        let outcome = match (survivors.is_empty(), self.was_stubborn) {
            (true, false) => format!("it was stopped{group} before any program was started"),
            (true, true) => {
                format!("it was killed{group} before any program was started, because not all ended after SIGTERM")
            }
            (false, _) => {
                format!("its program may run twice, because these cannot be killed: {}", survivors.join(", "))
            }
        };
        let Stray { leader, name, .. } = self;
        format!(
            "process {} ({name}) was left running, and the state does not tell which program it is; {outcome}",
            leader.pid()
        )
    }
}

/// Signals those that live, and waits until they have ended, or long enough.
fn signal(strays: &mut [Stray], signal: i32, patience: Duration) {
    let give_up = Instant::now() + patience;
    for stray in &mut *strays {
        stray.find_followers();
        stray.kill(signal);
    }
    for process in strays.iter().flat_map(Stray::living) {
        let _ = fd::poll_readable(process.as_fd(), Some(give_up.saturating_duration_since(Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use supervisord_config::samples;
    use supervisord_sys::Pid;

    use super::*;

    /// A child that has come so far that it obeys, or not, a handle on it, and the number that it wrote.
    fn stray(script: &str) -> (Child, ProcessHandle, Option<Pid>) {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let handle = ProcessHandle::open(Pid::new(child.id()).unwrap()).unwrap();
        (child, handle, line.trim().parse().ok().and_then(Pid::new))
    }

    #[test]
    fn they_are_ended_and_named() {
        let (mut child, handle, _) = stray("echo; exec sleep 1000");
        let lines = end(vec![handle], &samples::config([]));
        assert!(child.try_wait().unwrap().is_some());
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(
            line.contains(&format!("process {} (", child.id()))
                && line.contains("it was stopped, with its process group"),
            "{line}"
        );
    }

    #[test]
    fn those_that_do_not_obey_are_killed() {
        let (mut child, handle, _) = stray("trap '' TERM; echo; while :; do sleep 1; done");
        let mut strays = [Stray::new(handle)];
        signal(&mut strays, SIGTERM, Duration::from_millis(10));
        assert!(!strays[0].leader.has_ended());
        signal(&mut strays, SIGKILL, AFTER_KILL);
        assert!(strays[0].leader.has_ended());
        child.wait().unwrap();
    }

    #[test]
    fn the_workers_of_a_wrapper_are_ended_with_it() {
        let (mut child, handle, worker) = stray("sleep 1000 & echo $!; wait");
        let worker = ProcessHandle::open(worker.unwrap()).unwrap();
        let lines = end(vec![handle], &samples::config([]));
        child.wait().unwrap();
        assert!(worker.has_ended(), "{lines:?}");
        assert!(lines[0].contains("it was stopped, with its process group,"), "{lines:?}");
    }

    /// The wrapper obeys, its worker does not.
    #[test]
    fn a_stubborn_worker_is_killed_after_its_wrapper_has_ended() {
        let (mut child, handle, worker) = stray("(trap '' TERM; sh -c 'echo $PPID'; while :; do sleep 1; done) & wait");
        let worker = ProcessHandle::open(worker.unwrap()).unwrap();
        let mut strays = [Stray::new(handle)];
        signal(&mut strays, SIGTERM, Duration::from_millis(100));
        assert_eq!((child.wait().unwrap().success(), worker.has_ended()), (false, false));
        assert!(strays[0].line().contains(&format!("cannot be killed: {}", worker.pid())), "{}", strays[0].line());
        signal(&mut strays, SIGKILL, AFTER_KILL);
        assert!(worker.has_ended());
    }

    #[test]
    fn the_longest_stopwaitsecs_counts_within_bounds() {
        let patience_with = |stopwaitsecs| {
            let mut process = samples::process("p");
            process.stop.stopwaitsecs = stopwaitsecs;
            patience(&samples::config([samples::group("p", 999, vec![process])])).as_secs()
        };
        assert_eq!([1, 30, 3600].map(patience_with), [10, 30, 60]);
        assert_eq!(patience(&samples::config([])).as_secs(), 10);
    }
}
