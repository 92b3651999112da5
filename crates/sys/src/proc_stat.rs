//! Information about any process, from `/proc/PID/stat`: on Linux only; elsewhere nothing is found.

use std::fs;
use std::time::Duration;

use crate::ticks::{millis, since_boot};
use crate::wait::WaitStatus;
use crate::{Pid, signal};

/// The information about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Whether it is a zombie.
    pub is_zombie: bool,
    /// Its start, as time since boot.
    pub started: Duration,
    /// Its exit status, if it has exited and we may know.
    pub status: Option<WaitStatus>,
}

impl ProcessStat {
    /// Its start in milliseconds since boot: exact, because the system counts in hundredths of a second.
    pub fn started_millis(&self) -> u64 {
        millis(self.started)
    }
}

/// Reads the information; none if there is no such process.
pub fn read(pid: Pid) -> Option<ProcessStat> {
    let stat = text(pid)?;
    let fields: Vec<&str> = after_name(&stat)?.collect();
    let field = |number: usize| fields.get(number - 3);
    let ticks: u64 = field(22)?.parse().ok()?;
    let is_zombie = matches!(*field(3)?, "Z" | "X");
    let status = field(52).and_then(|raw| raw.parse().ok()).filter(|_| is_zombie).map(WaitStatus::from_raw);
    Some(ProcessStat { is_zombie, started: since_boot(ticks), status })
}

/// Whether a process has ended or will do so without running any more of its program: it has been killed, is exiting or dumping
/// core, or is a zombie. Until it has, it keeps its descriptors and locks. Without `/proc`, only whether there is none.
pub fn is_ending(pid: Pid) -> bool {
    /// `PF_EXITING`.
    const EXITING: u64 = 1 << 2;
    const KILLED: u64 = 1 << (libc::SIGKILL - 1);
    if !signal::exists(pid) {
        return true;
    }
    let is_exiting = text(pid).is_some_and(|stat| {
        let fields: Vec<&str> = after_name(&stat).into_iter().flatten().collect();
        let flags = fields.get(6).and_then(|flags| flags.parse::<u64>().ok());
        matches!(fields.first(), Some(&("Z" | "X"))) || flags.is_some_and(|flags| flags & EXITING != 0)
    });
    // Between the signal and the exit: a thread may be in the middle of a system call.
    is_exiting
        || fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
            status.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| match name {
                "SigPnd" | "ShdPnd" => u64::from_str_radix(value.trim(), 16).is_ok_and(|set| set & KILLED != 0),
                "CoreDumping" => value.trim() == "1",
                _ => false,
            })
        })
}

/// The name of a process, as lists of processes show it.
pub fn name(pid: Pid) -> Option<String> {
    Some(text(pid)?.split_once('(')?.1.rsplit_once(')')?.0.to_owned())
}

/// The process group of a process.
pub fn group_of(pid: Pid) -> Option<Pid> {
    Pid::new(after_name(&text(pid)?)?.nth(2)?.parse().ok()?)
}

/// The parent of a process, and its process group.
pub fn family_of(pid: Pid) -> Option<(Pid, Pid)> {
    let stat = text(pid)?;
    let mut fields = after_name(&stat)?.skip(1);
    let mut next = || Pid::new(fields.next()?.parse().ok()?);
    Some((next()?, next()?))
}

/// What the system says of a process. The name in it may be any bytes; those that are not UTF-8 are replaced.
fn text(pid: Pid) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some(String::from_utf8_lossy(&stat).into_owned())
}

/// The fields after the name, from the third one on. The name stands in parentheses, and may contain any characters.
fn after_name(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::start_time::{boot_id, boot_time};

    #[test]
    fn a_process_is_identified_by_its_start() {
        let stat = read(Pid::current()).unwrap();
        assert!(!stat.is_zombie && stat.status.is_none());
        assert!(stat.started <= boot_time());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }

    #[test]
    fn a_process_that_was_killed_is_ending_until_it_is_gone_and_afterwards() {
        let mut child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let pid = Pid::new(child.id()).unwrap();
        assert!(!is_ending(pid) && !is_ending(Pid::current()));
        child.kill().unwrap();
        for _ in 0..1000 {
            assert!(is_ending(pid), "killed, exiting, or a zombie");
        }
        child.wait().unwrap();
        assert!(is_ending(pid));
    }

    /// The kernel cuts a name after 15 bytes, also in the middle of a character.
    #[test]
    fn a_name_that_is_not_utf_8_hides_no_process() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("aaaaaaaaaaaaaaé) S 1");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("1000").process_group(0).spawn().unwrap();
        let pid = Pid::new(child.id()).unwrap();
        let found = (read(pid), group_of(pid), family_of(pid), name(pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.0.is_some_and(|stat| !stat.is_zombie));
        assert_eq!((found.1, found.2), (Some(pid), Some((Pid::current(), pid))));
        assert_eq!(found.3.as_deref(), Some("aaaaaaaaaaaaaa\u{fffd}"));
    }
}
