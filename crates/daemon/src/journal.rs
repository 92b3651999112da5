//! What a daemon keeps on disk so that another one can take its children over if it is killed.
//!
//! The state file stands beside the pid file: lines of JSON, of which the last about each process counts. A line is
//! written before a child is made, so that there is no child the file does not know. The output plane writes it, like
//! everything that goes to a disk. A daemon that ends in an orderly way leaves no state file.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::model::Group;
use supervisord_core::supervisor::snapshot::{self, MemberSnapshot};
use supervisord_core::supervisor::{ProcessId, Supervisor};
use supervisord_sys::{Pid, orphan};

use crate::output::{OutputHandle, Request, RunId};

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
        Journal { path, output, written: HashMap::new(), appended: 0, begun: 0 }
    }

    /// Replaces the file by one that says how things stand.
    pub fn begin(&mut self, supervisor: &Supervisor, run_of: impl Fn(ProcessId) -> Option<KeptRun>) {
        let mut content = Vec::new();
        append(&mut content, &daemon());
        self.written.clear();
        for (group, members) in supervisor.active() {
            append(&mut content, &Record::Group(group.clone()));
            for id in members {
                let Some(member) = supervisor.member_snapshot(*id) else { continue };
                let group = group.name.clone();
                append(&mut content, &Record::Member { group, member: Box::new(member), run: run_of(*id) });
            }
        }
        self.begun = content.len();
        self.appended = 0;
        self.output.send(Request::JournalBegin { path: self.path.clone(), content });
    }

    /// Whether so much has been appended that the file should be begun anew.
    pub fn is_long(&self) -> bool {
        self.appended > REWRITE.max(4 * self.begun)
    }

    /// Notes how a process is, unless that stands there already.
    pub fn note(&mut self, supervisor: &Supervisor, id: ProcessId, run: Option<KeptRun>) {
        let (Some(group), Some(member)) = (supervisor.group_of(id), supervisor.member_snapshot(id)) else { return };
        let mut line = Vec::new();
        append(&mut line, &Record::Member { group: group.to_string(), member: Box::new(member), run });
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        if self.written.insert(id, hasher.finish()) != Some(hasher.finish()) {
            self.append(line);
        }
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
}

fn daemon() -> Record {
    let pid = Pid::current();
    let started = orphan::facts(pid).map(|facts| facts.started.as_millis());
    Record::Daemon {
        version: snapshot::VERSION,
        boot: orphan::boot_id().unwrap_or_default(),
        pid: pid.get(),
        started: started.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0),
    }
}

fn append(content: &mut Vec<u8>, record: &Record) {
    // The records are plain data with text keys, which JSON can always express.
    if serde_json::to_writer(&mut *content, record).is_ok() {
        content.push(b'\n');
    }
}
