//! All processes that descend from a program, wherever they have gone.
//!
//! A process that is orphaned has another parent, one that calls `setsid` another process group and session, and any program
//! may clear its environment. What all descendants of a process keep is a limit that nobody changes: how long real-time threads
//! may compute without a pause (`RLIMIT_RTTIME`). A program is started with a soft limit of thousands of years that no other
//! program has: its mark. Everybody may read limits, so that no rights are needed.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::proc_fd::processes;
use crate::process_handle::ProcessHandle;
use crate::signal::{SIGKILL, SIGSTOP};
use crate::signal_scope::{self, Recipient, SignalScope};
use crate::{Errno, Pid, proc_stat, random, system};

/// How long processes are looked for that are being killed, at the most: the caller does it again later.
const KILLING_LIMIT: Duration = Duration::from_secs(1);

/// How often processes are looked for that are asked to end, and may make others instead.
const SCANS_FOR_ASKING: usize = 2;

/// After so many scans without a member, a scan in which other processes have come and gone counts as complete, too.
const SCANS_WITHOUT_MEMBER: usize = 20;

/// Among so many of the latest process ids, those are looked for that fork and exit faster than all processes can be listed.
const LATEST: u32 = 400;

/// How often that is done after each look at all processes.
const LOOKS_AT_LATEST: usize = 20;

/// The mark of a program and its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TreeMark(u64);

/// The smallest mark, in microseconds, and the bits that differ.
const FIRST: u64 = 1 << 62;
const DIFFERING: u64 = FIRST / 2 - 1;

impl TreeMark {
    /// A mark that nobody has; none where the system has no marks.
    pub fn random() -> Option<TreeMark> {
        let bytes = random::bytes::<8>().ok()?;
        system::mark_of(Pid::current())?;
        Some(TreeMark(FIRST | u64::from_ne_bytes(bytes) & DIFFERING))
    }

    /// The mark of a process.
    pub fn of(pid: Pid) -> Option<TreeMark> {
        system::mark_of(pid).and_then(TreeMark::from_number)
    }

    /// The number by which another daemon knows it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The mark with this number; none where the number is none of a mark.
    pub fn from_number(number: u64) -> Option<TreeMark> {
        (number & !DIFFERING == FIRST).then_some(TreeMark(number))
    }

    /// Marks the processes that are made meanwhile.
    pub fn given_to<T>(self, make: impl FnOnce() -> T) -> T {
        let own = system::mark_of(Pid::current());
        let is_set = own.is_some() && system::set_mark(self.0).is_ok();
        let made = make();
        if let Some(own) = own.filter(|_| is_set) {
            // What was set before can be set again.
            let _ = system::set_mark(own);
        }
        made
    }
}

/// Makes orphaned descendants children of this process, which then learns of their ends.
pub fn adopt_orphans() -> Result<(), Errno> {
    system::set_subreaper()
}

/// Whether orphaned descendants become children of this process.
pub fn adopts_orphans() -> bool {
    Pid::current().get() == 1 || system::is_subreaper()
}

/// Whether descendants can be found: `/proc` is mounted, and shows the processes of this system. In a chroot it may be missing, and
/// after `unshare --pid` it may be that of others.
pub fn can_list() -> bool {
    fs::read_link("/proc/self")
        .is_ok_and(|own| own.to_str().and_then(|own| own.parse().ok()) == Some(Pid::current().get()))
}

/// Sends a signal to a process, if it has the mark.
fn signal_member(pid: Pid, mark: TreeMark, signal: i32) -> Result<(), Errno> {
    let handle = match ProcessHandle::open(pid) {
        Ok(handle) => Some(handle),
        Err(Errno::ENOSYS | Errno::EMFILE | Errno::ENFILE) => None,
        Err(error) => return Err(error),
    };
    // The handle is on whoever has the number now: that one has the mark, if it still lives when the mark has been read.
    if TreeMark::of(pid) != Some(mark) || handle.as_ref().is_some_and(ProcessHandle::has_ended) {
        return Err(Errno::ESRCH);
    }
    match handle {
        Some(handle) => handle.kill(signal),
        None => crate::signal::kill(pid, signal),
    }
}

/// What a look at all processes has shown.
#[derive(Default)]
struct Scan {
    has_found: bool,
    /// Whether a process has ended meanwhile, which may have been a member that has made another one.
    is_uncertain: bool,
}

/// Looks at all processes, and does something with each member at once: who forks and exits is gone a moment later.
fn scan(mark: TreeMark, mut act: impl FnMut(Pid) -> bool) -> Scan {
    let mut seen = Scan::default();
    for_each_process(|pid, found| match found {
        Some(found) if found == mark.0 => seen.has_found |= act(pid),
        Some(_) => {}
        None => seen.is_uncertain = true,
    });
    seen
}

/// Looks at all processes but this one, with their limits; none for one that has ended meanwhile.
fn for_each_process(mut act: impl FnMut(Pid, Option<u64>)) {
    processes().filter(|pid| *pid != Pid::current()).for_each(|pid| act(pid, system::mark_of(pid)));
}

/// The members of each tree that live, found in one look at all processes.
pub fn living(marks: &[TreeMark]) -> HashMap<TreeMark, Vec<Pid>> {
    let mut living: HashMap<TreeMark, Vec<Pid>> = marks.iter().map(|mark| (*mark, Vec::new())).collect();
    for_each_process(|pid, found| {
        if let Some(members) = found.and_then(|mark| living.get_mut(&TreeMark(mark))) {
            members.extend(proc_stat::read(pid).filter(|stat| !stat.is_zombie).map(|_| pid));
        }
    });
    living
}

/// Sends a signal to all members, to the `root` first. SIGKILL reaches those that are made meanwhile, too: the members are
/// killed until nobody is left, while the root is stopped (SIGSTOP), so that it makes no others, and the root is killed last.
/// Somebody who is killed in the middle of this thus leaves no other process stopped than the root. Where descendants cannot be
/// found ([`can_list`]), the process group of the root takes their place. Gives those that may not be signalled.
///
/// # Errors
/// ESRCH if there is nobody.
pub fn send(signal: i32, mark: TreeMark, root: Option<Pid>) -> Result<Vec<Pid>, Errno> {
    match can_list() {
        true => send_to_members(signal, mark, root),
        false => send_to_group(signal, mark, root),
    }
}

/// Sends a signal to the root, and to the process group that it leads.
fn send_to_group(signal: i32, mark: TreeMark, root: Option<Pid>) -> Result<Vec<Pid>, Errno> {
    let root = root.ok_or(Errno::ESRCH)?;
    // The handle is on whoever has the number now: that one has the mark, if it still lives when the mark has been read.
    let handle = ProcessHandle::open(root).ok();
    if TreeMark::of(root) != Some(mark) || handle.as_ref().is_some_and(ProcessHandle::has_ended) {
        return Err(Errno::ESRCH);
    }
    let to = handle.as_ref().map_or(Recipient::Child(root), Recipient::Handle);
    match signal_scope::send(signal, SignalScope::Group, to) {
        Ok(()) => Ok(Vec::new()),
        Err(Errno::EPERM) => Ok(vec![root]),
        Err(error) => Err(error),
    }
}

fn send_to_members(signal: i32, mark: TreeMark, root: Option<Pid>) -> Result<Vec<Pid>, Errno> {
    let mut reached: HashMap<Pid, Result<(), Errno>> = HashMap::new();
    if signal == SIGKILL {
        // It may be gone, or not be signalled; both are found out again below.
        root.into_iter().for_each(|pid| _ = signal_member(pid, mark, SIGSTOP));
        kill_others(mark, root, &mut reached);
        root.into_iter().for_each(|pid| _ = reached.insert(pid, signal_member(pid, mark, SIGKILL)));
    } else {
        root.into_iter().for_each(|pid| _ = reached.insert(pid, signal_member(pid, mark, signal)));
        for _ in 0..SCANS_FOR_ASKING {
            scan(mark, |pid| {
                reached.entry(pid).or_insert_with(|| signal_member(pid, mark, signal));
                true
            });
        }
    }
    match reached.values().all(|result| *result == Err(Errno::ESRCH)) {
        true => Err(Errno::ESRCH),
        false => {
            let refused = reached.into_iter().filter(|(_, result)| *result == Err(Errno::EPERM));
            Ok(refused.map(|(pid, _)| pid).collect())
        }
    }
}

/// Kills all members but the root, until two complete looks in a row show nobody who has not been killed. Who is being killed
/// makes no other process.
fn kill_others(mark: TreeMark, root: Option<Pid>, reached: &mut HashMap<Pid, Result<(), Errno>>) {
    let begin = Instant::now();
    let mut kill = |pid: Pid| {
        let before = reached.get(&pid).copied();
        if Some(pid) == root || before.is_some_and(|result| result != Err(Errno::ESRCH)) {
            return false;
        }
        let result = signal_member(pid, mark, SIGKILL);
        reached.insert(pid, result);
        // One that has ended and has not been reaped is looked at each time, and is nobody new.
        before != Some(result)
    };
    let (mut complete, mut without) = (0, 0);
    while complete < 2 && begin.elapsed() < KILLING_LIMIT {
        let seen = scan(mark, &mut kill);
        without = if seen.has_found { 0 } else { without + 1 };
        complete = if seen.has_found || seen.is_uncertain && without < SCANS_WITHOUT_MEMBER { 0 } else { complete + 1 };
        if complete == 0 {
            (0..LOOKS_AT_LATEST).for_each(|_| look_at_latest(mark, &mut kill));
        }
    }
}

/// Looks at the process ids that were given last.
fn look_at_latest(mark: TreeMark, kill: &mut impl FnMut(Pid) -> bool) {
    let Some(last) = last_pid() else { return };
    for pid in (last.saturating_sub(LATEST)..=last + 2).rev().filter_map(Pid::new) {
        if pid != Pid::current() && system::mark_of(pid) == Some(mark.0) {
            kill(pid);
        }
    }
}

/// The process id that was given last.
fn last_pid() -> Option<u32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().last()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Starts a shell in a tree of its own.
    fn tree(script: &str) -> (TreeMark, Child) {
        let mark = TreeMark::random().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        // Not with the mark of this process: what other tests start meanwhile would have it as well, and would be killed.
        // SAFETY: the closure makes system calls only, and allocates nothing.
        unsafe { command.pre_exec(move || system::set_mark(mark.0).map_err(std::io::Error::from)) };
        (mark, command.spawn().unwrap())
    }

    fn living(mark: TreeMark) -> Vec<Pid> {
        super::living(&[mark]).remove(&mark).unwrap()
    }

    fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ends_rest(mark: TreeMark) {
        wait_until("everybody is dead", || living(mark).is_empty() || send(SIGKILL, mark, None).is_err());
    }

    fn ends(mark: TreeMark, child: &mut Child) {
        let root = Pid::new(child.id());
        assert_eq!(send(SIGKILL, mark, root), Ok(Vec::new()));
        child.wait().unwrap();
        ends_rest(mark);
        assert_eq!(send(SIGKILL, mark, None), Err(Errno::ESRCH));
    }

    #[test]
    fn only_the_members_of_the_tree_are_killed() {
        let (mark, mut child) = tree("sleep 1000");
        assert_eq!(TreeMark::of(Pid::new(child.id()).unwrap()), Some(mark));
        let mut other = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        assert_ne!(TreeMark::of(Pid::new(other.id()).unwrap()), Some(mark));
        ends(mark, &mut child);
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn processes_that_fork_twice_change_session_and_clear_their_environment_are_reached() {
        let (mark, mut child) =
            tree("(setsid env -i /bin/sleep 1000 &) ; (setsid sh -c 'sleep 1000 & sleep 1000' &); exec sleep 1000");
        wait_until("all are there", || living(mark).len() == 5);
        ends(mark, &mut child);
    }

    #[test]
    fn orphans_are_reached_when_the_program_itself_is_gone() {
        let (mark, mut child) = tree("(setsid sleep 1000 &); exit 0");
        child.wait().unwrap();
        wait_until("it is there", || living(mark).len() == 1);
        assert_eq!(send(libc::SIGTERM, mark, None), Ok(Vec::new()));
        wait_until("it is dead", || living(mark).is_empty());
    }

    /// As without `/proc`.
    #[test]
    fn the_group_of_the_root_takes_the_place_of_members_that_cannot_be_found() {
        assert!(can_list());
        let (mark, mut child) = tree("(setsid sleep 1000 &) ; sleep 1000 & exec sleep 1000");
        let root = Pid::new(child.id());
        wait_until("all are there", || living(mark).len() == 3);
        assert_eq!(
            send_to_group(SIGKILL, TreeMark::random().unwrap(), root),
            Err(Errno::ESRCH),
            "that is another tree"
        );
        assert_eq!(send_to_group(SIGKILL, mark, None), Err(Errno::ESRCH));
        assert_eq!(send_to_group(SIGKILL, mark, root), Ok(Vec::new()));
        child.wait().unwrap();
        wait_until("the group is dead", || living(mark).len() == 1);
        assert_eq!(send_to_group(SIGKILL, mark, root), Err(Errno::ESRCH));
        ends_rest(mark);
    }

    /// A thousand processes in sessions of their own, and some that fork and exit for ever: each is another process and in
    /// another session a moment later.
    #[test]
    fn a_crowd_that_goes_on_forking_is_reached() {
        const CROWD: &str = "import os, time\n\
            for number in range(1004):\n\
            \x20   if os.fork() == 0:\n\
            \x20       os.setsid()\n\
            \x20       while number >= 1000:\n\
            \x20           if os.fork() > 0: os._exit(0)\n\
            \x20           os.setsid()\n\
            \x20           time.sleep(0.01)\n\
            \x20       time.sleep(1000)\n\
            \x20       os._exit(0)\n\
            time.sleep(1000)\n";
        let (mark, mut child) = tree(&format!("exec python3 -c '{CROWD}'"));
        wait_until("there are many", || living(mark).len() >= 1004);
        ends(mark, &mut child);
    }
}
