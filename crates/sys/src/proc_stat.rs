//! Information about any process, from `/proc/PID/stat`: on Linux only; elsewhere nothing is found.

use std::fs;
use std::time::Duration;

use crate::Pid;
use crate::ticks::{millis, since_boot};
use crate::wait::WaitStatus;

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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain any characters.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    let ticks: u64 = field(22)?.parse().ok()?;
    let is_zombie = matches!(*field(3)?, "Z" | "X");
    let status = field(52).and_then(|raw| raw.parse().ok()).filter(|_| is_zombie).map(WaitStatus::from_raw);
    Some(ProcessStat { is_zombie, started: since_boot(ticks), status })
}

/// The name of a process, as lists of processes show it.
pub fn name(pid: Pid) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    Some(stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned())
}

/// The process group of a process.
pub fn group_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Pid::new(stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()?)
}

/// The parent of a process, and its process group.
pub fn family_of(pid: Pid) -> Option<(Pid, Pid)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(1);
    let mut next = || Pid::new(fields.next()?.parse().ok()?);
    Some((next()?, next()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::start_time::{boot_id, boot_time};

    #[test]
    fn a_process_is_identified_by_its_start() {
        let stat = read(Pid::current()).unwrap();
        assert!(!stat.is_zombie && stat.status.is_none());
        assert!(stat.started <= boot_time());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }
}
