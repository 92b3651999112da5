//! What a daemon keeps on disk so that another one can take its children over if it is killed.
//!
//! The state file stands beside the pid file: lines of JSON, of which the last about each process counts. A line is
//! written before a child is made, so that there is no child the file does not know. The output plane writes it, like
//! everything that goes to a disk. A daemon that ends in an orderly way leaves no state file.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_config::model::Group;
use supervisord_core::supervisor::snapshot::MemberSnapshot;
use supervisord_core::supervisor::{ProcessId, Supervisor};
use supervisord_sys::orphan::Facts;
use supervisord_sys::{Pid, orphan};

use crate::output::{OutputHandle, Request, RunId};
use crate::state_version;

/// One line of the state file.
#[derive(Debug, Serialize, Deserialize)]
pub enum Record {
    /// Who writes; the first line.
    Daemon {
        /// The version of the format.
        version: u32,
        /// The boot; pids and start times mean nothing after the next one.
        boot: String,
        /// The daemon's process id.
        pid: u32,
        /// When it was started, after the boot, in milliseconds.
        started: u64,
        /// When process 1 was started, in the same way: a container that is started again has the boot of its machine,
        /// but another process 1.
        #[serde(default)]
        first: Option<u64>,
    },
    /// A group is active.
    Group(Arc<Group>),
    /// A group is no longer active.
    Removed(String),
    /// A process has changed.
    Member {
        /// Its group.
        group: String,
        /// Its state.
        member: Box<MemberSnapshot>,
        /// Its child; none when it has none.
        run: Option<KeptRun>,
        /// Where it is a listener: how many events wait for its pool.
        #[serde(default)]
        waiting: usize,
    },
}

/// What identifies a child and its pipes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    /// Its run.
    pub run: u64,
    /// Its process id; 0 while it is being made.
    pub pid: u32,
    /// When it was started, after the boot, in milliseconds.
    pub started: u64,
    /// Whether that is what the system says, and not our own idea of it, which comes a little later.
    #[serde(default)]
    pub exact: bool,
    /// The FastCGI socket that is its stdin.
    #[serde(default)]
    pub socket: Option<u64>,
    /// The pipe that is its stdin.
    pub stdin: Option<u64>,
    /// The pipe that is its stdout.
    pub stdout: Option<u64>,
    /// The pipe that is its stderr.
    pub stderr: Option<u64>,
}

/// The writing side.
pub struct Journal {
    path: String,
    output: OutputHandle,
    /// What was written last about each process, as a hash: most changes change nothing that is kept.
    written: HashMap<ProcessId, u64>,
    /// How many events were said to wait, by a listener of the pool.
    waiting: HashMap<ProcessId, usize>,
    /// How many bytes have been appended since the file was begun.
    appended: usize,
    /// How long it was when it was begun.
    begun: usize,
}

/// The least number of bytes appended before the file is begun anew.
const REWRITE: usize = 1 << 20;

impl Journal {
    /// A journal at this path; nothing is written before [`Journal::begin`].
    pub fn new(path: String, output: OutputHandle) -> Journal {
        Journal { path, output, written: HashMap::new(), waiting: HashMap::new(), appended: 0, begun: 0 }
    }

    /// Replaces the file by one that says how things stand.
    pub fn begin(&mut self, supervisor: &Supervisor, run_of: impl Fn(ProcessId) -> Option<KeptRun>) {
        let mut content = Vec::new();
        append(&mut content, &daemon());
        self.written.clear();
        self.waiting.clear();
        for (group, members) in supervisor.active() {
            append(&mut content, &Record::Group(group.clone()));
            for id in members {
                let Some(member) = supervisor.member_snapshot(*id) else { continue };
                let group = group.name.clone();
                let (member, waiting) = (Box::new(member), supervisor.waiting_for(*id));
                append(&mut content, &Record::Member { group, member, run: run_of(*id), waiting });
            }
        }
        self.begun = content.len();
        self.appended = 0;
        self.output.send(Request::JournalBegin { path: self.path.clone(), content });
    }

    /// Whether there is a file already.
    pub fn is_begun(&self) -> bool {
        self.begun > 0
    }

    /// Whether so much has been appended that the file should be begun anew.
    pub fn is_long(&self) -> bool {
        self.appended > REWRITE.max(4 * self.begun)
    }

    /// Notes how a process is, unless that stands there already, or the file is not begun, which will say how all are.
    pub fn note(&mut self, supervisor: &Supervisor, id: ProcessId, run: Option<KeptRun>) {
        if !self.is_begun() {
            return;
        }
        let (Some(group), Some(member)) = (supervisor.group_of(id), supervisor.member_snapshot(id)) else { return };
        let mut line = Vec::new();
        let waiting = if supervisor.is_listener(id) { supervisor.waiting_for(id) } else { 0 };
        append(&mut line, &Record::Member { group: group.to_string(), member: Box::new(member), run, waiting });
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        if self.written.insert(id, hasher.finish()) != Some(hasher.finish()) {
            self.append(line);
        }
    }

    /// The listeners whose pools have come to have events waiting, or twice or half as many: more often they need not be
    /// noted, because all one day depends on it is how many are said to be lost.
    pub fn news_of_events(&mut self, supervisor: &Supervisor) -> Vec<ProcessId> {
        let mut news = Vec::new();
        for (listener, waiting) in supervisor.waiting_events() {
            let magnitude = usize::BITS as usize - waiting.leading_zeros() as usize;
            if self.waiting.insert(listener, magnitude).unwrap_or(0) != magnitude {
                news.push(listener);
            }
        }
        news
    }

    /// Notes that a group is active.
    pub fn note_group(&mut self, group: &Arc<Group>) {
        let mut line = Vec::new();
        append(&mut line, &Record::Group(group.clone()));
        self.append(line);
    }

    /// Notes that a group is no longer active.
    pub fn note_removed(&mut self, group: &str) {
        let mut line = Vec::new();
        append(&mut line, &Record::Removed(group.to_owned()));
        self.append(line);
    }

    /// Removes the file: nothing is left to be taken over.
    pub fn end(&self) {
        self.output.send(Request::JournalEnd { path: self.path.clone() });
    }

    fn append(&mut self, line: Vec<u8>) {
        self.appended += line.len();
        self.output.send(Request::Journal { line });
    }
}

impl KeptRun {
    /// The run of a child about to be made.
    pub fn new(run: RunId) -> KeptRun {
        KeptRun { run: run.0, ..KeptRun::default() }
    }

    /// This run, whose child has this pid.
    pub fn of(self, pid: u32) -> KeptRun {
        let facts = Pid::new(pid).and_then(orphan::facts);
        self.born(pid, facts.map(|facts| facts.started))
    }

    /// This run, now that its child is made; `started` is when, after the boot, if the system tells.
    pub fn born(self, pid: u32, started: Option<Duration>) -> KeptRun {
        let exact = started.is_some();
        let started = orphan::millis(started.unwrap_or_else(orphan::boot_time));
        KeptRun { pid, started, exact, ..self }
    }

    /// Whether a process, of which these are the facts, is this child: it has its number, and was started when this was.
    pub fn is(&self, facts: &Facts) -> bool {
        let found = facts.started_millis();
        if self.exact { found == self.started } else { found.abs_diff(self.started) < TOLERANCE }
    }
}

/// How far apart, in milliseconds, the system's idea of a start and one taken after it may be.
const TOLERANCE: u64 = 500;

/// When process 1 was started, as far as we may know.
pub fn first_process() -> Option<u64> {
    Pid::new(1).and_then(orphan::facts).map(|facts| facts.started_millis())
}

fn daemon() -> Record {
    let pid = Pid::current();
    Record::Daemon {
        version: state_version::ours(),
        boot: orphan::boot_id().unwrap_or_default(),
        pid: pid.get(),
        started: orphan::facts(pid).map_or(0, |facts| facts.started_millis()),
        first: first_process(),
    }
}

fn append(content: &mut Vec<u8>, record: &Record) {
    // The records are plain data with text keys, which JSON can always express.
    if serde_json::to_writer(&mut *content, record).is_ok() {
        content.push(b'\n');
    }
}
