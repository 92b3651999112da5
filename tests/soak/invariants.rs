//! What must hold at any moment: one living child for each process that is shown as running, no other children, no
//! leaks.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::harness::scene::MARK;
use crate::harness::{Daemon, processes};
use crate::suite::torture::resources::Resources;

/// How long the answers to clients and the process table may disagree: both change while they are compared, and on a
/// busy machine a spawn can take seconds. A real error stays.
const DISAGREEMENT_LIMIT: Duration = Duration::from_secs(30);

/// Descriptors of a daemon without programs, with some clients.
const BASE_DESCRIPTORS: usize = 60;

/// Descriptors of one program: three pipes, two logs, and a handle on one that was taken over.
const DESCRIPTORS_PER_PROGRAM: usize = 6;

/// How much the memory may grow after the warm-up, in kB.
const MAX_GROWTH_KB: u64 = 8 * 1024;

/// The warm-up: after this time and this many checks the memory must not grow any more. A busy machine gets little done
/// per second.
const WARM_UP: (Duration, u64) = (Duration::from_secs(15), 300);

/// Violations seen so far, and since when; only a violation that lasts is an error.
pub struct InvariantChecker {
    begin: Instant,
    wrong: BTreeMap<String, Instant>,
    warm: Option<u64>,
    pub most_memory: u64,
    pub most_descriptors: usize,
    pub checks: u64,
}

impl InvariantChecker {
    pub fn new() -> InvariantChecker {
        InvariantChecker {
            begin: Instant::now(),
            wrong: BTreeMap::new(),
            warm: None,
            most_memory: 0,
            most_descriptors: 0,
            checks: 0,
        }
    }

    /// Checks once. Panics when a violation has lasted too long.
    pub fn look(&mut self, daemon: &mut Daemon) {
        self.checks += 1;
        assert!(daemon.is_running(), "the daemon has ended\n{}", daemon.report());
        let mut wrong = self.compare_children(daemon);
        wrong.extend(self.measure(daemon));
        let now = Instant::now();
        self.wrong.retain(|text, _| wrong.contains(text));
        for text in wrong {
            self.wrong.entry(text).or_insert(now);
        }
        if let Some((text, _)) = self.wrong.iter().find(|(_, since)| since.elapsed() > DISAGREEMENT_LIMIT) {
            panic!("{text}\n{}", daemon.report());
        }
    }

    /// Forgets all violations, for a restart, an upgrade or a kill of the daemon.
    pub fn forget(&mut self) {
        self.wrong.clear();
    }

    fn compare_children(&self, daemon: &Daemon) -> Vec<String> {
        let mut wrong = Vec::new();
        let zombies = processes::children(daemon.pid()).into_iter().filter(|child| child.state == 'Z');
        wrong.extend(zombies.map(|zombie| format!("{} is a zombie", zombie.pid)));
        let supervised = supervised(daemon);
        let mut living: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for pid in &supervised {
            living.entry(namespec(*pid).unwrap_or_default()).or_default().push(*pid);
        }
        // Between fork and exec a child has no name yet.
        living.remove("");
        let Some(listed) = daemon.rpc_if_up("supervisor.getAllProcessInfo", &[]) else { return wrong };
        let mut pids = Vec::new();
        for row in listed.items() {
            let name = format!("{}:{}", row.get("group").text(), row.get("name").text());
            let (state, pid) = (row.get("statename").text(), row.get("pid").int() as i32);
            let should_live = matches!(state, "RUNNING" | "STARTING" | "STOPPING");
            if should_live != (pid != 0) {
                wrong.push(format!("{name} is {state} with pid {pid}"));
            }
            if pid != 0 && !supervised.contains(&pid) {
                wrong.push(format!("{name} has pid {pid}, which does not live"));
            }
            pids.push(pid);
        }
        for (name, its) in living {
            if its.len() > 1 {
                wrong.push(format!("{name} runs more than once: {its:?}"));
            }
            wrong.extend(its.iter().filter(|pid| !pids.contains(pid)).map(|pid| format!("stray {name} {pid}")));
        }
        wrong
    }

    fn measure(&mut self, daemon: &Daemon) -> Option<String> {
        let resources = Resources::of(daemon);
        self.most_memory = self.most_memory.max(resources.memory);
        self.most_descriptors = self.most_descriptors.max(resources.descriptors);
        let allowed = BASE_DESCRIPTORS + DESCRIPTORS_PER_PROGRAM * supervised(daemon).len();
        if resources.descriptors > allowed {
            return Some(format!("more than {allowed} descriptors are open"));
        }
        if self.begin.elapsed() < WARM_UP.0 || self.checks < WARM_UP.1 {
            return None;
        }
        let warm = *self.warm.get_or_insert(self.most_memory);
        (resources.memory > warm + MAX_GROWTH_KB)
            .then(|| format!("memory grew by more than {MAX_GROWTH_KB} kB from {warm} kB"))
    }
}

/// The living programs of a daemon, its children as well as those that it took over from one that was killed. A program
/// leads a process group; what a program starts itself does not.
pub fn supervised(daemon: &Daemon) -> Vec<i32> {
    let mark = format!("{MARK}={}", daemon.dir().display());
    let leads = |pid: &i32| {
        processes::process(*pid).is_some_and(|process| process.group == *pid && process.name != processes::KEEPER)
    };
    let own = daemon.pid();
    processes::with_environment(&mark).into_iter().filter(|pid| *pid != own).filter(leads).collect()
}

/// The name of a child from its environment.
fn namespec(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let value = |name: &str| environment.split('\0').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Some(format!("{}:{}", value("SUPERVISOR_GROUP_NAME")?, value("SUPERVISOR_PROCESS_NAME")?))
}
