//! Every open log, one per path: streams and the activity log that name the same path share it, because two handles
//! on one file would write over each other when it is rotated.

use std::collections::{HashMap, HashSet};
use std::io;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mio::Registry;
use supervisord_config::disk_reserve::DiskReserve;
use supervisord_config::model::LogLevel;
use supervisord_core::rotation::Rotation;
use supervisord_sys::syslog::Syslog;

use super::compression::Compressor;
use super::directories::Directories;
use super::disk_guard::DiskGuard;
use super::log_limits::LogLimits;
use super::log_target;
use super::loss::Entries;
use super::pipeline_notes::StreamKey;
use super::sink::Sink;
pub(super) use super::sink_id::SinkId;
use super::spill::Spill;
use super::system_log::SystemLog;
use super::transit::Transit;
use crate::follow::{Change, FollowHub};

mod blocked;
mod compressing;
mod log_key;
mod passing;
mod upkeep;

use log_key::LogKey;

/// Something about a log that belongs into the activity log.
#[derive(Debug)]
pub(super) struct Notice {
    /// The log it is about; none for the system log.
    pub sink: Option<SinkId>,
    pub level: LogLevel,
    pub text: String,
}

/// The open logs.
pub(super) struct Sinks {
    /// Boxed, because a table is at least half empty after it has grown.
    open: HashMap<SinkId, Box<Shared>>,
    by_key: HashMap<LogKey, SinkId>,
    next: usize,
    /// Logs with something that waits to be written; some of them may have no user any more.
    behind: HashSet<SinkId>,
    /// Whether any log has ever had rules of rotation.
    has_rules: bool,
    /// Logs of which something is to be done by their rules at a time.
    timed: HashSet<SinkId>,
    /// Nothing is to be done of any of them before, after the epoch.
    next_upkeep: Option<Duration>,
    /// Logs that may have backups to compress.
    uncompressed: HashSet<SinkId>,
    directories: Arc<Mutex<Directories>>,
    /// Where output may wait for logs in files.
    spill_directory: Option<Arc<str>>,
    /// The names of such files for logs that are not open.
    spills: HashSet<String>,
    compressor: Option<Compressor>,
    disk_guard: Option<Arc<Mutex<DiskGuard>>>,
    /// Logs of which an entry says that they cannot be rotated.
    unrotatable: HashSet<String>,
    system_log: SystemLog,
    /// None where the system has no such memory; then bytes are read and written.
    transit: Option<Transit>,
    /// How many bytes wait in memory, as noted in the transit.
    waiting: usize,
    /// Whether bytes that waited were lost with the daemon before.
    has_lost_predecessor: bool,
    notices: Vec<Notice>,
    /// How many bytes were lost of which stream, and not reported yet.
    losses: HashMap<StreamKey, u64>,
    follow: Arc<FollowHub>,
    registry: Option<Registry>,
}

struct Shared {
    sink: Sink,
    key: LogKey,
    users: usize,
    /// The stream that wrote last.
    writer: Option<StreamKey>,
}

impl Shared {
    fn notify(&mut self, follow: &FollowHub) {
        let change = self.sink.take_change();
        follow.notify(self.sink.path(), change);
    }

    fn notify_if_replaced(&mut self, follow: &FollowHub) {
        if self.sink.is_replaced() {
            self.notify(follow);
        }
    }
}

impl Sinks {
    pub fn new(follow: Arc<FollowHub>, syslog: Syslog, transit: Option<Transit>) -> Sinks {
        Sinks {
            open: HashMap::new(),
            by_key: HashMap::new(),
            next: 0,
            behind: HashSet::new(),
            has_rules: false,
            timed: HashSet::new(),
            next_upkeep: None,
            uncompressed: HashSet::new(),
            directories: Arc::default(),
            spill_directory: None,
            spills: HashSet::new(),
            compressor: None,
            disk_guard: None,
            unrotatable: HashSet::new(),
            system_log: SystemLog::new(syslog),
            transit,
            waiting: 0,
            has_lost_predecessor: false,
            notices: Vec::new(),
            losses: HashMap::new(),
            follow,
            registry: None,
        }
    }

    /// From now on the loop behind this registry tells when a log can be written again.
    pub fn set_registry(&mut self, registry: Registry) {
        self.registry = Some(registry);
        self.watch_all();
    }

    /// From now on the logs of programs leave so much of each disk free.
    pub fn leave_free(&mut self, reserve: DiskReserve) {
        self.disk_guard = Some(Arc::new(Mutex::new(DiskGuard::new(reserve))));
    }

    /// One more user of the log at `path`, which is opened if it was not. `limits` are what this user asks for.
    /// One that is open is opened again where somebody has moved the file since.
    ///
    /// # Errors
    /// It cannot be opened. One that is open stays as it is.
    pub fn acquire(&mut self, path: &Arc<str>, limits: &LogLimits) -> io::Result<SinkId> {
        let id = match self.find(path) {
            Some(id) => {
                self.follow_path(id)?;
                id
            }
            None => {
                let key = LogKey::of(path);
                self.enter(Sink::open(path.clone(), key.inherited())?, key)
            }
        };
        if let Some(shared) = self.open.get_mut(&id) {
            shared.users += 1;
            if limits.are_any()
                && let Some(reason) = shared.sink.unrotatable()
                && self.unrotatable.insert(path.to_string())
            {
                self.queue_notices(id, vec![(LogLevel::Warn, format!("{path} is not rotated: {reason}"))]);
            }
        }
        self.limit(id, limits);
        Ok(id)
    }

    /// Like [`Sinks::acquire`]; a log that cannot be opened is one that cannot be written for now.
    pub fn acquire_anyway(&mut self, path: &Arc<str>, limits: &LogLimits) -> SinkId {
        self.acquire(path, limits).unwrap_or_else(|error| {
            let key = LogKey::of(path);
            let (sink, entries) = Sink::missing(path.clone(), key.inherited(), &error);
            let id = self.enter(sink, key);
            if let Some(shared) = self.open.get_mut(&id) {
                shared.users += 1;
            }
            self.limit(id, limits);
            self.queue_notices(id, entries);
            id
        })
    }

    /// One more user of the log at `path`, which is opened when it is first written if it is not open.
    pub fn acquire_later(&mut self, path: &Arc<str>, limits: &LogLimits) -> SinkId {
        let id = self.find(path).unwrap_or_else(|| {
            let key = LogKey::of(path);
            self.enter(Sink::unopened(path.clone(), key.inherited()), key)
        });
        if let Some(shared) = self.open.get_mut(&id) {
            shared.users += 1;
        }
        self.limit(id, limits);
        id
    }

    /// One user less; the last one closes the log, once everything that waits is written or nobody wants it.
    pub fn release(&mut self, id: SinkId) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        shared.users -= 1;
        if shared.users == 0 && !shared.sink.is_behind() {
            self.close(id);
        }
    }

    /// Writes one record and rotates the log if that made it long enough.
    pub fn write(&mut self, id: SinkId, bytes: &[u8], rotation: Rotation) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let entries = shared.sink.write(bytes, rotation);
        shared.notify(&self.follow);
        self.after_write(id, entries);
    }

    /// Like [`Sinks::write`], with whole lines, which begin on a new line where a part of the last ones was lost.
    pub fn write_lines(&mut self, id: SinkId, lines: &[u8], rotation: Rotation) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let entries = shared.sink.write_lines(lines, rotation);
        shared.notify(&self.follow);
        self.after_write(id, entries);
    }

    /// Whether a log is a file that so many bytes do not make long enough to be rotated.
    pub fn has_room(&self, id: SinkId, bytes: usize, rotation: Rotation) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.has_room(bytes, rotation))
    }

    /// Sends one message to the system log.
    pub fn send_to_system_log(&mut self, message: &[u8]) {
        let entries = self.system_log.send(message);
        self.notices.extend(notices(None, entries));
    }

    /// Nothing will be sent to the system log any more.
    pub fn close_system_log(&mut self) {
        let entries = self.system_log.close();
        self.notices.extend(notices(None, entries));
    }

    /// Whether a log is a file that can be read.
    pub fn leads_to_file(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.leads_to_file())
    }

    /// Whether somebody watches the log grow.
    pub fn is_followed(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| self.follow.is_followed(shared.sink.path()))
    }

    /// Opens every log again at its path. Where that fails, the old file stays in use.
    pub fn reopen_all(&mut self) {
        let ids: Vec<SinkId> = self.open.keys().copied().collect();
        for id in ids {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            let entries = shared.sink.reopen();
            shared.notify(&self.follow);
            self.after_write(id, entries);
        }
    }

    /// Whether an open log can be cleared.
    pub fn is_clearable(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.is_file())
    }

    /// Empties the log at `path`, open or not. What is not a regular file stays as it is, which is an error where it is
    /// open.
    pub fn clear(&mut self, path: &str) -> io::Result<()> {
        let Some(id) = self.by_key.get(&LogKey::of(&path.into())).copied() else {
            let cleared = log_target::empty(path);
            if let Some(directory) = self.spill_directory.clone()
                && self.spills.remove(&Spill::name(path))
                && let Ok(Some(spill)) = Spill::open(&directory, path)
            {
                spill.remove();
            }
            self.follow.notify(path, Change::Replaced);
            return cleared;
        };
        let cleared = self.open.get_mut(&id).map_or(Ok(()), |shared| shared.sink.clear());
        self.follow.notify(path, Change::Replaced);
        // Nothing waits for it any more.
        self.after_write(id, Entries::new());
        cleared
    }

    /// Takes the entries for the activity log, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        mem::take(&mut self.notices)
    }

    /// The open log at this path.
    fn find(&self, path: &Arc<str>) -> Option<SinkId> {
        // What has been opened by a path was no name of a descriptor.
        let by_path = self.by_key.get(&LogKey::Path(path.clone()));
        by_path.or_else(|| self.by_key.get(&LogKey::of(path))).copied()
    }

    /// Opens an open log again where its path leads to another file by now.
    fn follow_path(&mut self, id: SinkId) -> io::Result<()> {
        let Some(shared) = self.open.get_mut(&id).filter(|shared| shared.sink.has_moved()) else { return Ok(()) };
        let entries = shared.sink.reopen_at_path()?;
        shared.notify(&self.follow);
        self.after_write(id, entries);
        Ok(())
    }

    fn enter(&mut self, sink: Sink, key: LogKey) -> SinkId {
        let id = SinkId(self.next);
        self.next += 1;
        self.by_key.insert(key.clone(), id);
        let is_left = !self.spills.is_empty() && self.spills.remove(&Spill::name(sink.path()));
        let mut shared = Box::new(Shared { sink, key, users: 0, writer: None });
        if self.has_lost_predecessor {
            shared.sink.follow_a_loss();
        }
        let directory = self.spill_directory.as_ref().filter(|_| is_left);
        let entries = directory.map(|directory| shared.sink.adopt_spill(directory));
        self.open.insert(id, shared);
        if let Some(entries) = entries {
            if self.open.get(&id).is_some_and(|shared| shared.sink.is_behind()) {
                self.behind.insert(id);
            }
            self.queue_notices(id, entries);
        }
        id
    }

    fn close(&mut self, id: SinkId) {
        self.behind.remove(&id);
        self.timed.remove(&id);
        self.uncompressed.remove(&id);
        if let Some(mut shared) = self.open.remove(&id) {
            self.by_key.remove(&shared.key);
            if shared.sink.is_behind() {
                self.spills.insert(Spill::name(shared.sink.path()));
            }
            let mut entries = shared.sink.close();
            note_losses(&mut self.losses, &mut shared);
            if let Some(registry) = &self.registry {
                entries.extend(shared.sink.watch(id.token(), registry));
            }
            self.queue_notices(id, entries);
        }
    }

    /// What follows every write: queues the entries, and has the loop watch for when the rest can be written.
    fn after_write(&mut self, id: SinkId, entries: Entries) {
        self.queue_notices(id, entries);
        let Some(shared) = self.open.get_mut(&id) else { return };
        if let Some(registry) = &self.registry {
            let entries = shared.sink.watch(id.token(), registry);
            self.notices.extend(notices(Some(id), entries));
        }
        if shared.sink.is_behind() {
            self.behind.insert(id);
        } else if self.behind.remove(&id) && shared.users == 0 {
            self.close(id);
        }
    }

    fn queue_notices(&mut self, sink: SinkId, entries: Entries) {
        if let Some(shared) = self.open.get_mut(&sink) {
            note_losses(&mut self.losses, shared);
        }
        if self.has_rules {
            if self.open.get(&sink).is_some_and(|shared| shared.sink.is_uncompressed()) {
                self.uncompressed.insert(sink);
            }
            self.note_upkeep(sink);
        }
        self.notices.extend(notices(Some(sink), entries));
    }
}

fn note_losses(losses: &mut HashMap<StreamKey, u64>, shared: &mut Shared) {
    let lost = shared.sink.take_losses();
    if let Some(writer) = shared.writer.filter(|_| lost > 0) {
        *losses.entry(writer).or_default() += lost;
    }
}

fn notices(sink: Option<SinkId>, entries: Entries) -> impl Iterator<Item = Notice> {
    entries.into_iter().map(move |(level, text)| Notice { sink, level, text })
}
