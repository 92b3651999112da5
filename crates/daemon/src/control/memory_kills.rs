//! What the kernel counts of the processes that it kills for want of memory, asked for only where a child was killed and the
//! daemon did not do it.

use std::time::Duration;

use supervisord_core::process::MemoryKills;
use supervisord_core::time::Now;
use supervisord_sys::memory_kills::{self, Counters};

/// Children that are killed together end within this time: what was counted before the first of them counts for all.
const TOGETHER: Duration = Duration::from_secs(2);

/// How long what was counted counts as current: a look costs as much as a restart, and a thousand programs may be killed in a
/// second.
const CURRENT: Duration = Duration::from_millis(10);

/// Compares the counters of the kernel with what they were before.
pub(super) struct MemoryKillWatch {
    /// With what is compared.
    before: Look,
    last: Look,
}

/// The counters at a time.
#[derive(Clone, Copy)]
struct Look {
    counters: Counters,
    at: Now,
}

impl MemoryKillWatch {
    /// Compares with the counters as they are now.
    pub(super) fn new(now: Now) -> MemoryKillWatch {
        let look = Look { counters: memory_kills::counters(), at: now };
        MemoryKillWatch { before: look, last: look }
    }

    /// What has been counted since the last look; none where the system counts nothing.
    pub(super) fn look(&mut self, now: Now) -> Option<MemoryKills> {
        match self.is_current(now) {
            true => self.difference(),
            false => self.compare(memory_kills::counters(), now),
        }
    }

    fn is_current(&self, now: Now) -> bool {
        now.mono.saturating_sub(self.last.at.mono) < CURRENT
    }

    fn compare(&mut self, counters: Counters, now: Now) -> Option<MemoryKills> {
        if now.mono.saturating_sub(self.last.at.mono) > TOGETHER {
            self.before = self.last;
        }
        self.last = Look { counters, at: now };
        self.difference()
    }

    fn difference(&self) -> Option<MemoryKills> {
        let (Look { counters: before, at }, counters) = (self.before, self.last.counters);
        let more = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let in_cgroup = more(counters.in_cgroup, before.in_cgroup);
        let on_machine = more(counters.on_machine, before.on_machine);
        (in_cgroup.is_some() || on_machine.is_some()).then(|| MemoryKills { since: at.epoch(), in_cgroup, on_machine })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), wall: Duration::from_secs(1000 + seconds) }
    }

    fn counted(in_cgroup: u64, on_machine: u64) -> Counters {
        Counters { in_cgroup: Some(in_cgroup), on_machine: Some(on_machine) }
    }

    #[test]
    fn a_kill_counts_for_all_that_end_together_and_for_none_that_ends_later() {
        let first = Look { counters: counted(0, 5), at: at(0) };
        let mut watch = MemoryKillWatch { before: first, last: first };
        let seen = |since, in_cgroup, on_machine| {
            Some(MemoryKills { since, in_cgroup: Some(in_cgroup), on_machine: Some(on_machine) })
        };
        assert_eq!(watch.compare(counted(2, 7), at(10)), seen(1000, 2, 2));
        assert_eq!(watch.compare(counted(2, 7), at(11)), seen(1000, 2, 2), "the other one of the two");
        assert_eq!(watch.compare(counted(2, 8), at(20)), seen(1011, 0, 1), "another machine's trouble");
    }

    #[test]
    fn a_storm_of_kills_is_not_looked_at_one_by_one() {
        let first = Look { counters: counted(0, 5), at: at(0) };
        let watch = MemoryKillWatch { before: first, last: Look { counters: counted(1, 6), at: at(3) } };
        let later = |millis| Now { mono: at(3).mono + Duration::from_millis(millis), ..at(3) };
        assert!(watch.is_current(later(9)) && !watch.is_current(later(10)));
        let seen = MemoryKills { since: 1000, in_cgroup: Some(1), on_machine: Some(1) };
        assert_eq!(watch.difference(), Some(seen));
    }

    #[test]
    fn what_is_not_counted_is_unknown() {
        let first = Look { counters: Counters::default(), at: at(0) };
        let mut watch = MemoryKillWatch { before: first, last: first };
        assert_eq!(watch.compare(Counters::default(), at(9)), None);
        assert_eq!(watch.compare(counted(1, 1), at(9)), None, "there is nothing to compare with");
    }
}
