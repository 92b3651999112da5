//! A restart over hosts in batches, with a stop at the first that is not well afterwards.

use std::str::FromStr;

use crate::host_name::HostName;

/// How many hosts are restarted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// So many.
    Hosts(usize),
    /// So many percent of all, at least one.
    Percent(usize),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutStep {
    /// Restart these, and report each.
    Restart(Vec<HostName>),
    /// All have been restarted.
    Finished,
    /// One was not well: these have not been restarted.
    Stopped(Vec<HostName>),
}

/// A rolling restart that has got so far.
#[derive(Clone, Debug)]
pub struct Rollout {
    left: Vec<HostName>,
    size: usize,
    is_stopped: bool,
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<BatchSize, String> {
        let wrong = || format!("{text:?} is no batch: write a number of hosts above 0, or a percentage such as 10%");
        let (number, is_percent) = text.strip_suffix('%').map_or((text, false), |number| (number, true));
        let number: usize = number.parse().map_err(|_| wrong())?;
        match (number, is_percent) {
            (0, _) | (101.., true) => Err(wrong()),
            (number, true) => Ok(BatchSize::Percent(number)),
            (number, false) => Ok(BatchSize::Hosts(number)),
        }
    }
}

impl Rollout {
    /// Over these hosts, in this order.
    pub fn over(hosts: Vec<HostName>, batch: BatchSize) -> Rollout {
        let size = match batch {
            BatchSize::Hosts(number) => number,
            BatchSize::Percent(percent) => hosts.len() * percent / 100,
        };
        Rollout { left: hosts, size: size.max(1), is_stopped: false }
    }

    /// What comes next.
    pub fn step(&mut self) -> RolloutStep {
        if self.is_stopped {
            return RolloutStep::Stopped(std::mem::take(&mut self.left));
        }
        if self.left.is_empty() {
            return RolloutStep::Finished;
        }
        let rest = self.left.split_off(self.size.min(self.left.len()));
        RolloutStep::Restart(std::mem::replace(&mut self.left, rest))
    }

    /// The hosts whose turn has not come.
    pub fn rest(&self) -> &[HostName] {
        &self.left
    }

    /// A host of the last batch is not well, or its answer is missing.
    pub fn failed(&mut self) {
        self.is_stopped = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(count: usize) -> Vec<HostName> {
        (0..count).map(|number| HostName::parse(&format!("h{number}")).unwrap()).collect()
    }

    #[test]
    fn a_batch_is_a_number_or_a_percentage() {
        assert_eq!("3".parse(), Ok(BatchSize::Hosts(3)));
        assert_eq!("10%".parse(), Ok(BatchSize::Percent(10)));
        for text in ["", "0", "0%", "101%", "-1", "x", "%"] {
            assert!(text.parse::<BatchSize>().unwrap_err().contains("write a number"), "{text}");
        }
    }

    #[test]
    fn it_stops_at_the_first_failure_and_names_the_rest() {
        let mut rollout = Rollout::over(hosts(5), BatchSize::Hosts(2));
        assert_eq!(rollout.step(), RolloutStep::Restart(hosts(2)));
        assert_eq!(rollout.rest(), hosts(5).split_off(2));
        rollout.failed();
        assert_eq!(rollout.step(), RolloutStep::Stopped(hosts(5).split_off(2)));
        let mut last = Rollout::over(hosts(1), BatchSize::Percent(10));
        assert_eq!(last.step(), RolloutStep::Restart(hosts(1)));
        last.failed();
        assert_eq!(last.step(), RolloutStep::Stopped(Vec::new()));
    }

    proptest! {
        #[test]
        fn each_host_has_its_turn_once(count in 0usize..50, percent in 1usize..=100) {
            let mut rollout = Rollout::over(hosts(count), BatchSize::Percent(percent));
            let mut seen = Vec::new();
            while let RolloutStep::Restart(batch) = rollout.step() {
                prop_assert!(!batch.is_empty() && batch.len() <= (count * percent / 100).max(1));
                seen.extend(batch);
            }
            prop_assert_eq!(seen, hosts(count));
            prop_assert_eq!(rollout.step(), RolloutStep::Finished);
        }
    }
}
