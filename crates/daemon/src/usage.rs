//! What programs use, with all their descendants: gathered when somebody asks, in one look at all processes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use supervisord_core::row::Row;
use supervisord_sys::Pid;
use supervisord_sys::process_usage::{self, ProcessUsage};
use tokio::sync::Mutex;

use crate::blocking::{BlockingThreads, NotDone};

/// Who asks within this time after somebody else gets the same.
const FRESH: Duration = Duration::from_millis(900);

/// What the process of a program and its descendants use together. Of one that does not run all is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TreeUsage {
    /// Processor time in seconds, with that of descendants that have ended and were waited for.
    pub cpu_seconds: f64,
    /// Resident memory in bytes. What processes share is counted in each of them.
    pub memory_bytes: u64,
    /// How many processes there are.
    pub processes: u32,
    /// How many threads they have.
    pub threads: u32,
    /// How many descriptors they have open; none where it was not asked for, or is not known of each.
    pub descriptors: Option<usize>,
}

/// What all programs use, at one moment.
#[derive(Debug)]
pub struct Usage {
    /// Each program with what it uses, by group and name.
    pub programs: Vec<(Arc<Row>, TreeUsage)>,
    /// The process of the daemon.
    pub daemon: TreeUsage,
}

impl Usage {
    /// The usage of the programs for which this holds.
    pub fn only(&self, is_wanted: impl Fn(&Row) -> bool) -> Usage {
        let wanted = self.programs.iter().filter(|(row, _)| is_wanted(row));
        Usage { programs: wanted.cloned().collect(), daemon: self.daemon }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageDepth {
    /// What every user may read.
    Plain,
    /// Open descriptors as well, which takes another look at each process.
    WithDescriptors,
}

/// The last usage of each depth, so that many who ask cost one look.
#[derive(Debug, Default)]
pub struct UsageCache {
    plain: Mutex<Option<(Instant, Arc<Usage>)>>,
    with_descriptors: Mutex<Option<(Instant, Arc<Usage>)>>,
}

impl UsageCache {
    /// The present usage of these programs. Whoever asks while it is gathered waits for the same.
    pub async fn get(
        &self,
        blocking: &BlockingThreads,
        depth: UsageDepth,
        rows: impl FnOnce() -> Vec<Arc<Row>>,
    ) -> Result<Arc<Usage>, NotDone> {
        let mut last = match depth {
            UsageDepth::Plain => &self.plain,
            UsageDepth::WithDescriptors => &self.with_descriptors,
        }
        .lock()
        .await;
        if let Some((at, usage)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(usage.clone());
        }
        let rows = rows();
        let usage = Arc::new(blocking.run(move || gather(rows, depth)).await?);
        *last = Some((Instant::now(), usage.clone()));
        Ok(usage)
    }
}

fn gather(rows: Vec<Arc<Row>>, depth: UsageDepth) -> Usage {
    let family = Family::new(process_usage::all().collect());
    let descriptors = |pid: Pid| process_usage::descriptors(pid);
    let count = |members: &[&ProcessUsage]| match depth {
        UsageDepth::Plain => None,
        UsageDepth::WithDescriptors => members.iter().map(|member| descriptors(member.pid)).sum::<Option<usize>>(),
    };
    let sum = |members: Vec<&ProcessUsage>| TreeUsage { descriptors: count(&members), ..sum(&members) };
    let programs = rows.into_iter().map(|row| {
        let members = Pid::new(row.pid).map(|root| family.tree(root)).unwrap_or_default();
        (row, sum(members))
    });
    let programs = programs.collect();
    let daemon = sum(family.process(Pid::current()).into_iter().collect());
    Usage { programs, daemon }
}

fn sum(members: &[&ProcessUsage]) -> TreeUsage {
    let mut sum = TreeUsage::default();
    for ProcessUsage { cpu, memory, threads, .. } in members {
        sum.cpu_seconds += cpu.as_secs_f64();
        sum.memory_bytes = sum.memory_bytes.saturating_add(*memory);
        sum.threads = sum.threads.saturating_add(*threads);
        sum.processes += 1;
    }
    sum
}

/// All processes, and who belongs to whom.
struct Family {
    processes: HashMap<Pid, ProcessUsage>,
    /// Children, and the members of the session that a process leads: they stay when their parents end.
    followers: HashMap<Pid, Vec<Pid>>,
}

impl Family {
    fn new(all: Vec<ProcessUsage>) -> Family {
        let mut followers: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for process in &all {
            for leader in [process.parent, process.session].into_iter().flatten() {
                followers.entry(leader).or_default().push(process.pid);
            }
        }
        Family { processes: all.into_iter().map(|process| (process.pid, process)).collect(), followers }
    }

    fn process(&self, pid: Pid) -> Option<&ProcessUsage> {
        self.processes.get(&pid)
    }

    /// A process and its descendants.
    fn tree(&self, root: Pid) -> Vec<&ProcessUsage> {
        let (mut seen, mut open, mut members) = (HashSet::from([root]), vec![root], Vec::new());
        while let Some(pid) = open.pop() {
            members.extend(self.process(pid));
            let followers = self.followers.get(&pid).into_iter().flatten();
            open.extend(followers.copied().filter(|follower| seen.insert(*follower)));
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, session: u32) -> ProcessUsage {
        ProcessUsage {
            pid: Pid::new(pid).expect("a pid"),
            parent: Pid::new(parent),
            session: Pid::new(session),
            cpu: Duration::from_millis(u64::from(pid)),
            memory: u64::from(pid),
            threads: 1,
        }
    }

    #[test]
    fn a_tree_has_descendants_and_those_that_stay_in_the_session() {
        let all = [(1, 0, 1), (10, 1, 10), (11, 10, 10), (12, 11, 12), (13, 12, 12), (14, 1, 10), (20, 1, 20)];
        let family = Family::new(all.map(|(pid, parent, session)| process(pid, parent, session)).into());
        let tree = |root| {
            let mut pids: Vec<u32> =
                family.tree(Pid::new(root).expect("a pid")).iter().map(|member| member.pid.get()).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(tree(10), [10, 11, 12, 13, 14]);
        assert_eq!(tree(20), [20]);
        assert_eq!(tree(99), [0; 0]);
        let usage = sum(&family.tree(Pid::new(12).expect("a pid")));
        assert_eq!((usage.memory_bytes, usage.processes, usage.threads), (25, 2, 2));
        assert!((usage.cpu_seconds - 0.025).abs() < 1e-9);
    }
}
