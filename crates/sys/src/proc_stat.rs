//! What the system tells of any process, by `/proc/PID/stat`: Linux only; elsewhere nothing is found.

use std::fs;
use std::time::Duration;

use crate::Pid;
use crate::ticks::{millis, since_boot};
use crate::wait::ExitStatus;

/// What the system knows about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
    /// When it was started, after the boot.
    pub started: Duration,
    /// Its end, where it has ended and we may know.
    pub status: Option<ExitStatus>,
}

impl Facts {
    /// When it was started, in milliseconds after the boot: exact, because the system counts in hundredths of a second.
    pub fn started_millis(&self) -> u64 {
        millis(self.started)
    }
}

/// Looks at a process; none when there is none.
pub fn facts(pid: Pid) -> Option<Facts> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    let ticks: u64 = field(22)?.parse().ok()?;
    let is_zombie = matches!(*field(3)?, "Z" | "X");
    let status = field(52).and_then(|raw| raw.parse().ok()).filter(|_| is_zombie).map(ExitStatus::from_raw);
    Some(Facts { is_zombie, started: since_boot(ticks), status })
}

/// The process group of a process.
pub(crate) fn group_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Pid::new(stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::start_time::{boot_id, boot_time};

    #[test]
    fn a_process_is_known_by_its_start() {
        let facts = facts(Pid::current()).unwrap();
        assert!(!facts.is_zombie && facts.status.is_none());
        assert!(facts.started <= boot_time());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }
}
