//! The writing side of the state: what is noted, and where it goes.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use supervisord_config::model::Group;
use supervisord_config::scale::ProgramScale;
use supervisord_core::output::Channel;
use supervisord_core::supervisor::{DaemonExit, ProcessId, Supervisor};
use supervisord_sys::{Pid, exec, proc_stat, start_time};

use super::automatic_logs::Logs;
use super::process_record::ProcessRecord;
use super::record::{Record, Socket, Writer};
use super::run::Runs;
use super::scale::ScaleRecord;
use super::version;
use crate::output::{OutputHandle, OutputRequest};

/// The writing side.
pub struct Journal {
    path: String,
    output: OutputHandle,
    memory: Option<MemoryFile>,
    /// What was written last about each process, as a hash: most changes change nothing that is kept.
    written: HashMap<ProcessId, u64>,
    /// How many events were said to wait, by a listener of the pool.
    waiting: HashMap<ProcessId, usize>,
    /// Which programs were said to be scaled.
    scaled: Vec<ProgramScale>,
    /// How many bytes have been appended since the state was begun.
    appended: usize,
    /// How long it was when it was begun.
    begun: usize,
    /// The disk did not take the file; when that is tried again.
    begin_again: Option<Duration>,
    /// How long it is left alone after the next failure.
    retry_delay: Duration,
}

/// The least number of bytes appended before the state is begun anew.
const REWRITE: usize = 256 << 10;

/// How long a disk that did not take the state file is left alone, at first and at most.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Journal {
    /// A journal with a file at this path; nothing is written before [`Journal::begin`].
    pub fn new(path: String, output: OutputHandle) -> Journal {
        Journal {
            path,
            output,
            memory: None,
            written: HashMap::new(),
            waiting: HashMap::new(),
            scaled: Vec::new(),
            appended: 0,
            begun: 0,
            begin_again: None,
            retry_delay: RETRY_DELAY.0,
        }
    }

    /// Begins anew with how things stand. The memory file that was kept until now stays as it is: the new one counts once
    /// it is kept in its place.
    ///
    /// # Errors
    /// The system has no memory file for it; then the state is in the state file only.
    pub fn begin(
        &mut self,
        supervisor: &Supervisor,
        sockets: Vec<Socket>,
        runs_of: impl Fn(ProcessId) -> Runs,
    ) -> io::Result<()> {
        let mut content = Vec::new();
        append(&mut content, &Record::Supervisord(writer()));
        self.written.clear();
        self.waiting.clear();
        for (group, members) in supervisor.active() {
            append_group(&mut content, supervisor, group);
            for id in members {
                let Some(member) = supervisor.member_snapshot(*id) else { continue };
                let waiting = supervisor.waiting_for(*id);
                let process = ProcessRecord::new(&group.name, &member, &runs_of(*id), waiting);
                let begin = content.len();
                append(&mut content, &Record::Process(Box::new(process)));
                self.written.insert(*id, hash(&content[begin..]));
            }
        }
        self.scaled.clone_from(&supervisor.config().scales);
        if !self.scaled.is_empty() {
            append(&mut content, &scales(&self.scaled));
        }
        sockets.into_iter().for_each(|socket| append(&mut content, &Record::Socket(socket)));
        if supervisor.is_ending() {
            append(&mut content, &Record::Ending);
            supervisor.exit().into_iter().for_each(|exit| append(&mut content, &Record::Exit(exit.into())));
        }
        self.begun = content.len();
        self.appended = 0;
        self.begin_again = None;
        let memory = MemoryFile::new(&content);
        self.output.send(OutputRequest::JournalBegin { path: self.path.clone(), content });
        self.memory = None;
        self.memory = Some(memory?);
        Ok(())
    }

    /// The memory file, to be kept.
    pub fn memory(&self) -> Option<BorrowedFd<'_>> {
        self.memory.as_ref().map(|memory| memory.file.as_fd())
    }

    /// Whether there is a state already.
    pub fn is_begun(&self) -> bool {
        self.begun > 0
    }

    /// Whether the state should be begun anew: so much has been appended, or the disk is to be tried again.
    pub fn should_begin_again(&self, now: Duration) -> bool {
        self.appended > REWRITE.max(2 * self.begun) || self.begin_again.is_some_and(|due| due <= now)
    }

    /// When the disk is to be tried again.
    pub fn deadline(&self) -> Option<Duration> {
        self.begin_again
    }

    /// The disk did not take the file. It is tried again, after pauses that grow.
    pub fn file_failed(&mut self, now: Duration) {
        self.begin_again = Some(now + self.retry_delay);
        self.retry_delay = (self.retry_delay * 2).min(RETRY_DELAY.1);
    }

    /// The disk takes the file again.
    pub fn file_written(&mut self) {
        self.retry_delay = RETRY_DELAY.0;
    }

    /// Notes how a process is, unless that stands there already, or the state is not begun, which will say how all are.
    pub fn note(&mut self, supervisor: &Supervisor, id: ProcessId, runs: Runs) {
        if !self.is_begun() {
            return;
        }
        let (Some(group), Some(member)) = (supervisor.group_of(id), supervisor.member_snapshot(id)) else { return };
        let waiting = if supervisor.is_listener(id) { supervisor.waiting_for(id) } else { 0 };
        let mut line = Vec::new();
        append(&mut line, &Record::Process(Box::new(ProcessRecord::new(group, &member, &runs, waiting))));
        let hash = hash(&line);
        if self.written.insert(id, hash) != Some(hash) {
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

    /// Notes that a group is active, with its present members.
    pub fn note_group(&mut self, supervisor: &Supervisor, group: &Group) {
        if !self.is_begun() {
            return;
        }
        let mut lines = Vec::new();
        append_group(&mut lines, supervisor, group);
        self.append(lines);
    }

    /// Notes that a group is no longer active.
    pub fn note_removed(&mut self, group: &str) {
        self.append_record(&Record::Removed(group.to_owned()));
    }

    /// Notes that a process of a group that stays is no more: the last that was noted of it may be that it had a child.
    pub fn note_withdrawn(&mut self, group: &str, process: &str) {
        let gone = ProcessRecord { group: group.to_owned(), name: process.to_owned(), ..ProcessRecord::default() };
        self.append_record(&Record::Process(Box::new(gone)));
    }

    /// Notes which programs are scaled, where others were before.
    pub fn note_scales(&mut self, scaled: &[ProgramScale]) {
        if self.scaled != scaled {
            self.scaled = scaled.to_vec();
            self.append_record(&scales(scaled));
        }
    }

    /// Notes that a FastCGI socket is open.
    pub fn note_socket(&mut self, socket: Socket) {
        self.append_record(&Record::Socket(socket));
    }

    /// Notes that everything is being stopped: the next daemon is to begin afresh, not to leave it so.
    pub fn note_ending(&mut self, exit: Option<&DaemonExit>) {
        self.append_record(&Record::Ending);
        if let Some(exit) = exit {
            self.append_record(&Record::Exit(exit.into()));
        }
    }

    /// Removes the file: nothing is left to be taken over.
    pub fn end(&self) {
        self.output.send(OutputRequest::JournalEnd { path: self.path.clone() });
    }

    fn append_record(&mut self, record: &Record) {
        let mut line = Vec::new();
        append(&mut line, record);
        self.append(line);
    }

    fn append(&mut self, line: Vec<u8>) {
        if !self.is_begun() {
            return;
        }
        self.appended += line.len();
        if let Some(memory) = &mut self.memory
            && memory.append(&line).is_err()
        {
            // No memory is left for it. Better no state than an old one.
            self.memory = None;
            self.begin_again = Some(Duration::ZERO);
        }
        // Control ends each turn of its loop with waking the output plane.
        self.output.put_off(OutputRequest::Journal { line });
    }
}

fn hash(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// A state in memory, which can be given to others. Whoever is killed while a line is added leaves a part of that line.
pub struct MemoryFile {
    file: File,
    length: u64,
}

impl MemoryFile {
    fn new(content: &[u8]) -> io::Result<MemoryFile> {
        let file = File::from(exec::memory_file(&[])?);
        let mut memory = MemoryFile { file, length: 0 };
        memory.append(content)?;
        Ok(memory)
    }

    /// What a memory file says that another process made.
    pub fn read(file: OwnedFd) -> io::Result<Vec<u8>> {
        let file = File::from(file);
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut content = vec![0; length];
        file.read_exact_at(&mut content, 0)?;
        Ok(content)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all_at(line, self.length)?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// This process.
fn writer() -> Writer {
    let pid = Pid::current();
    Writer {
        version: version::of_state(),
        boot: start_time::boot_id().unwrap_or_default(),
        pid: pid.get(),
        started: proc_stat::read(pid).map_or(0, |stat| stat.started_millis()),
        begun: Some(start_time::millis(start_time::boot_time())),
        first: Pid::new(1).and_then(proc_stat::read).map(|stat| stat.started_millis()),
    }
}

impl Writer {
    /// Whether numbers of processes and moments mean now what they meant to the writer: this is the same boot, and the same
    /// container.
    pub fn is_of_this_boot(&self) -> bool {
        let ours = writer();
        self.boot == ours.boot && (self.first.is_none() || self.first == ours.first)
    }
}

fn scales(scaled: &[ProgramScale]) -> Record {
    Record::Scales(scaled.iter().map(ScaleRecord::from).collect())
}

fn append_group(content: &mut Vec<u8>, supervisor: &Supervisor, group: &Group) {
    append(content, &Record::Group(group.into()));
    let members = supervisor.members_by_name(&group.name);
    for process in &group.processes {
        let Some(id) = members.get(process.identity.name.as_str()) else { continue };
        let log = |channel| supervisor.log_file(*id, channel);
        let logs = Logs::automatic(&group.name, process, log(Channel::Stdout), log(Channel::Stderr));
        logs.into_iter().for_each(|logs| append(content, &Record::Logs(logs)));
    }
}

fn append(content: &mut Vec<u8>, record: &Record) {
    // The records are plain data with text keys, which JSON can always express.
    if serde_json::to_writer(&mut *content, record).is_ok() {
        content.push(b'\n');
    }
}
