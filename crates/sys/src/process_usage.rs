//! What all processes use, found in one look at `/proc`: on Linux only; elsewhere nothing is found.

use std::fs;
use std::time::Duration;

use crate::Pid;
use crate::proc_fd::processes;
use crate::ticks::since_boot;

/// What a process uses, and to whom it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessUsage {
    /// The process.
    pub pid: Pid,
    /// Its parent; none of the first process.
    pub parent: Option<Pid>,
    /// The leader of its session.
    pub session: Option<Pid>,
    /// The processor time that it has used, with that of its children that have ended and that it has waited for.
    pub cpu: Duration,
    /// Its resident memory, in bytes. What it shares with others is counted in each of them.
    pub memory: u64,
    /// How many threads it has.
    pub threads: u32,
}

/// Every process that can be read.
pub fn all() -> impl Iterator<Item = ProcessUsage> {
    let page = page_bytes();
    processes().filter_map(move |pid| read(pid, page))
}

fn read(pid: Pid, page: u64) -> Option<ProcessUsage> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain any bytes.
    let behind = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let text = str::from_utf8(stat.get(behind..)?).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    let id = |place| Pid::new(number(place)?.try_into().ok()?);
    let ticks = (14..=17).map(|place| number(place).unwrap_or(0)).fold(0, u64::saturating_add);
    Some(ProcessUsage {
        pid,
        parent: id(4),
        session: id(6),
        cpu: since_boot(ticks),
        memory: number(24)?.saturating_mul(page),
        threads: number(20)?.try_into().unwrap_or(u32::MAX),
    })
}

/// How many descriptors a process has open; none where that may not be known.
pub fn descriptors(pid: Pid) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

fn page_bytes() -> u64 {
    // SAFETY: it takes no pointer and has no side effect.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_with_its_memory_and_its_time() {
        let own = |usage: &ProcessUsage| usage.pid == Pid::current();
        let before = all().find(own).expect("this process");
        let kept = vec![1_u8; 64 << 20];
        let mut sum = 0_u64;
        let after = loop {
            sum = kept.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
            let now = all().find(own).expect("this process");
            if now.cpu > before.cpu {
                break now;
            }
        };
        assert!(sum > 0 && after.memory >= before.memory + (32 << 20), "{before:?} {after:?}");
        assert_eq!(after.parent, before.parent);
        assert!(after.threads >= 1 && descriptors(Pid::current()).is_some_and(|count| count > 2));
    }
}
