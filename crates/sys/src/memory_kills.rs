//! How many processes the kernel has killed for want of memory.

use crate::system;

/// Counters that only grow; none where the system has no such counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// In the control group of this process and those below it.
    pub in_cgroup: Option<u64>,
    /// On the whole machine.
    pub on_machine: Option<u64>,
}

/// Reads the counters. It never waits for a disk.
pub fn counters() -> Counters {
    let (in_cgroup, on_machine) = system::memory_kills();
    Counters { in_cgroup, on_machine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::CAPABILITIES;

    #[test]
    fn linux_counts_on_the_whole_machine() {
        assert_eq!(counters().on_machine.is_some(), CAPABILITIES.memory_kills);
    }
}
