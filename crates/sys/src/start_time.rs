//! When processes were started, which tells one from a later one with the same number: a time after the boot, in the
//! ticks in which the system counts it.

use std::fs;
use std::time::Duration;

use crate::proc_stat;
pub use crate::ticks::millis;
use crate::ticks::to_tick;
use crate::{Pid, system};

/// Names the present boot; none where the system does not tell.
pub fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// Time since the boot, as process start times count it.
pub fn boot_time() -> Duration {
    system::boot_time()
}

/// Tells when children were started, mostly without asking the system about each: making a `/proc` entry costs as much as
/// a tenth of starting a program.
#[derive(Debug, Default)]
pub struct StartTimes {
    /// Whether our clock says the same as the system; none before the two have been compared.
    agree: Option<bool>,
}

impl StartTimes {
    /// When a child that has just been made, after the [`boot_time`] `before`, was started: what [`proc_stat::read`] tells of it.
    pub fn started(&mut self, child: Pid, before: Duration) -> Option<Duration> {
        let (before, after) = (to_tick(before), to_tick(boot_time()));
        if before == after && self.agree == Some(true) {
            return Some(after);
        }
        let told = proc_stat::read(child)?.started;
        if before == after {
            self.agree.get_or_insert(told == after);
        }
        Some(told)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_clock_tells_what_the_system_tells_of_a_child() {
        let mut start_times = StartTimes::default();
        let mut by_clock = 0;
        while by_clock < 20 {
            by_clock += u32::from(start_times.agree == Some(true));
            let before = boot_time();
            let mut child = Command::new("/bin/sleep").arg("100").spawn().unwrap();
            let pid = Pid::new(child.id()).unwrap();
            let started = start_times.started(pid, before);
            let told = proc_stat::read(pid).unwrap().started;
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(started, Some(told));
            assert_ne!(start_times.agree, Some(false));
        }
    }

    #[test]
    fn a_clock_that_was_found_wrong_is_not_believed() {
        let long_ago = proc_stat::read(Pid::current()).unwrap().started;
        while to_tick(boot_time()) == long_ago {
            std::thread::yield_now();
        }
        // Of a process that was not made just now the clock tells something else than the system.
        let mut start_times = StartTimes::default();
        while start_times.agree.is_none() {
            assert_eq!(start_times.started(Pid::current(), boot_time()), Some(long_ago));
        }
        assert_eq!(start_times.agree, Some(false));
        assert_eq!(start_times.started(Pid::current(), boot_time()), Some(long_ago));
    }
}
