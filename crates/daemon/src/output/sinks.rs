//! Every open log, one per path: streams and the activity log that name the same path share it, because two handles
//! on one file would write over each other when it is rotated.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::Registry;
use supervisord_config::disk_reserve::DiskReserve;
use supervisord_config::model::{LogLevel, WhenBlocked};
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::rotation::Rotation;
use supervisord_sys::syslog::Syslog;
use supervisord_sys::{clock, trusted};

use super::compression::Compressor;
use super::compression_end::CompressionEnd;
use super::directories::Directories;
use super::disk_guard::DiskGuard;
use super::end_of_output::EndOfOutput;
use super::log_file::Transfer;
use super::log_limits::LogLimits;
use super::log_path;
use super::log_target;
use super::loss::Entries;
use super::pipeline_notes::StreamKey;
use super::sink::Sink;
pub(super) use super::sink_id::SinkId;
use super::spill::{self, Spill};
use super::system_log::SystemLog;
use super::transit::{LONGEST_TEXT, Transit};
use super::transit_recovery::TransitRecovery;
use crate::follow::{Change, FollowHub};

/// For how long logs are kept up in one turn of the loop, while streams and requests wait.
const UPKEEP_AT_ONCE: Duration = Duration::from_millis(5);

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
    by_key: HashMap<Key, SinkId>,
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
    notices: Vec<Notice>,
    /// How many bytes were lost of which stream, and not reported yet.
    losses: HashMap<StreamKey, u64>,
    follow: Arc<FollowHub>,
    registry: Option<Registry>,
}

struct Shared {
    sink: Sink,
    key: Key,
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

/// What makes two logs the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Inherited(i32),
    Path(Arc<str>),
}

impl Key {
    fn of(path: &str) -> Key {
        log_path::inherited(path).map_or_else(|| Key::Path(path.into()), Key::Inherited)
    }

    /// The descriptor it stands for.
    fn inherited(&self) -> Option<i32> {
        match self {
            Key::Inherited(number) => Some(*number),
            Key::Path(_) => None,
        }
    }

    /// The path this key was made of, kept once for all who name it.
    fn path(&self, path: &str) -> Arc<str> {
        match self {
            Key::Path(path) => path.clone(),
            Key::Inherited(_) => path.into(),
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

    /// From now on output can wait for logs in files in this directory, where an earlier daemon may have left some.
    pub fn spill_to(&mut self, directory: &str) {
        self.spills = spill::left_in(directory).into_iter().collect();
        self.spill_directory = Some(directory.into());
    }

    /// From now on rotated logs can be compressed.
    pub fn set_compressor(&mut self, compressor: Compressor) {
        self.compressor = Some(compressor);
    }

    /// Begins to compress a rotated log, if there is one and no other is being compressed.
    pub fn compress_next(&mut self) {
        while let Some(compressor) = self.compressor.as_mut().filter(|compressor| compressor.is_free())
            && let Some(id) = self.uncompressed.iter().next().copied()
        {
            let Some(shared) = self.open.get_mut(&id) else {
                self.uncompressed.remove(&id);
                continue;
            };
            let begun = match shared.sink.next_compression(id, self.disk_guard.clone()) {
                Ok(Some(job)) => compressor.begin(job),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.uncompressed.remove(&id);
            if let Err(error) = begun {
                let text = format!("could not compress rotated files of {}: {error}", shared.sink.path());
                self.queue_notices(id, vec![(LogLevel::Warn, text)]);
            }
        }
    }

    /// A rotated log has been compressed, or could not be.
    pub fn end_compression(&mut self, end: CompressionEnd) {
        if let Some(compressor) = &mut self.compressor {
            compressor.finish();
        }
        match self.open.get_mut(&end.sink) {
            Some(shared) => {
                let entries = shared.sink.end_compression(&end);
                self.queue_notices(end.sink, entries);
            }
            // It is compressed when the log is opened again.
            None => drop(trusted::remove(&end.part)),
        }
    }

    /// Nobody waits for what is being compressed.
    pub fn abandon_compression(&self) {
        self.compressor.iter().for_each(Compressor::abandon);
    }

    /// One more user of the log at `path`, which is opened if it was not. `limits` are what this user asks for.
    /// One that is open is opened again where somebody has moved the file since.
    ///
    /// # Errors
    /// It cannot be opened. One that is open stays as it is.
    pub fn acquire(&mut self, path: &str, limits: &LogLimits) -> io::Result<SinkId> {
        let id = match self.find(path) {
            Some(id) => {
                self.follow_path(id)?;
                id
            }
            None => {
                let key = Key::of(path);
                self.enter(Sink::open(key.path(path), key.inherited())?, key)
            }
        };
        if let Some(shared) = self.open.get_mut(&id) {
            shared.users += 1;
            if limits.are_any()
                && let Some(reason) = shared.sink.unrotatable()
                && self.unrotatable.insert(path.to_owned())
            {
                self.queue_notices(id, vec![(LogLevel::Warn, format!("{path} is not rotated: {reason}"))]);
            }
        }
        self.limit(id, limits);
        Ok(id)
    }

    /// Like [`Sinks::acquire`]; a log that cannot be opened is one that cannot be written for now.
    pub fn acquire_anyway(&mut self, path: &str, limits: &LogLimits) -> SinkId {
        self.acquire(path, limits).unwrap_or_else(|error| {
            let key = Key::of(path);
            let (sink, entries) = Sink::missing(key.path(path), key.inherited(), &error);
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
    pub fn acquire_later(&mut self, path: &str, limits: &LogLimits) -> SinkId {
        let id = self.find(path).unwrap_or_else(|| {
            let key = Key::of(path);
            self.enter(Sink::unopened(key.path(path), key.inherited()), key)
        });
        if let Some(shared) = self.open.get_mut(&id) {
            shared.users += 1;
        }
        self.limit(id, limits);
        id
    }

    /// Keeps a log within the limits of its newest user.
    fn limit(&mut self, id: SinkId, limits: &LogLimits) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        if limits.leaves_reserve {
            shared.sink.guard_disk(self.disk_guard.clone());
        }
        if shared.sink.limit(limits, &self.directories) {
            self.has_rules = true;
            self.note_upkeep(id);
        }
    }

    /// A log has rules, of which something may be due earlier than before.
    fn note_upkeep(&mut self, id: SinkId) {
        if let Some(next) = self.open.get(&id).and_then(|shared| shared.sink.next_upkeep()) {
            self.timed.insert(id);
            self.next_upkeep = Some(self.next_upkeep.map_or(next, |before| before.min(next)));
        }
    }

    /// How long it takes until a log is to be rotated by time, or a backup becomes too old; none where that never happens.
    pub fn time_to_upkeep(&self) -> Option<Duration> {
        Some(self.next_upkeep?.saturating_sub(clock::wall()))
    }

    /// Rotates logs whose time has come, and removes what is too old; for a moment only, so that the rest of many is left to the
    /// next turn.
    pub fn keep_up_where_due(&mut self) {
        if self.time_to_upkeep().is_none_or(|left| !left.is_zero()) {
            return;
        }
        let (now, end) = (clock::wall(), Instant::now() + UPKEEP_AT_ONCE);
        let is_due = |id: &&SinkId| self.next_upkeep_of(**id).is_some_and(|next| next <= now);
        let due: Vec<SinkId> = self.timed.iter().filter(is_due).copied().collect();
        for id in due {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            let entries = shared.sink.keep_up();
            shared.notify_if_replaced(&self.follow);
            self.after_write(id, entries);
            if Instant::now() >= end {
                break;
            }
        }
        let Sinks { timed, open, .. } = self;
        timed.retain(|id| open.get(id).is_some_and(|shared| shared.sink.next_upkeep().is_some()));
        self.next_upkeep = self.timed.iter().filter_map(|id| self.next_upkeep_of(*id)).min();
    }

    fn next_upkeep_of(&self, id: SinkId) -> Option<Duration> {
        self.open.get(&id)?.sink.next_upkeep()
    }

    /// The loop is about to wait. What is in directories may be something else when it goes on.
    pub fn end_turn(&self) {
        if self.has_rules && self.time_to_upkeep().is_none_or(|left| !left.is_zero()) {
            self.directories.lock().unwrap_or_else(PoisonError::into_inner).forget();
        }
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

    /// Moves what is in a pipe into a log that is a regular file.
    pub fn transfer(
        &mut self,
        id: SinkId,
        pipe: BorrowedFd<'_>,
        stream: StreamKey,
        rotation: Rotation,
        end: Option<&mut EndOfOutput>,
    ) -> Transfer {
        let (Some(shared), Some(transit)) = (self.open.get_mut(&id), &mut self.transit) else {
            return Transfer::Refused;
        };
        shared.writer = Some(stream);
        let (transfer, entries) = shared.sink.transfer(transit, pipe, rotation, end);
        if let Transfer::Moved(_) = transfer {
            shared.notify(&self.follow);
        }
        if shared.sink.is_behind() {
            self.behind.insert(id);
        }
        self.queue_notices(id, entries);
        transfer
    }

    /// Takes what is in the pipe of a stream and has to be looked at, on its way to a log that is a regular file. What comes
    /// of it must be [`Sinks::put`] next.
    pub fn take(
        &mut self,
        id: SinkId,
        pipe: BorrowedFd<'_>,
        bytes: &mut [u8],
        stream: StreamKey,
        pipeline: &Pipeline,
    ) -> Transfer {
        let transit = self.transit.as_mut().filter(|transit| transit.is_kept() && transit.capacity().is_some());
        let (Some(shared), Some(transit)) = (self.open.get_mut(&id), transit) else { return Transfer::Refused };
        shared.writer = Some(stream);
        let (taken, entries) = shared.sink.take(transit, pipe, bytes, stream, pipeline);
        self.queue_notices(id, entries);
        taken
    }

    /// Writes the text that the pipeline of a stream has made, of what was taken or not, and notes what it holds back now.
    pub fn put(&mut self, id: Option<SinkId>, stream: StreamKey, pipeline: &Pipeline, text: &[u8], rotation: Rotation) {
        if let Some(shared) = id.and_then(|id| self.open.get_mut(&id)) {
            shared.writer = Some(stream);
        }
        // Nothing has to be opened for no text: after an upgrade nobody waits for a thousand logs.
        let is_exact = (1..=LONGEST_TEXT).contains(&text.len());
        if let (Some(id), Some(transit)) = (id.filter(|_| is_exact), self.transit.as_mut().filter(|it| it.is_kept()))
            && let Some(shared) = self.open.get_mut(&id)
            && let Some(entries) = shared.sink.put(transit, stream, pipeline, text, rotation)
        {
            shared.notify(&self.follow);
            if shared.sink.is_behind() {
                self.behind.insert(id);
            }
            return self.queue_notices(id, entries);
        }
        // What a daemon that is killed between the two has written is written again rather than lost.
        self.write_text(id, text, pipeline.makes_records(), rotation);
        if let Some(transit) = &mut self.transit {
            transit.put(stream, pipeline, &[]);
            transit.finish_text();
        }
    }

    fn write_text(&mut self, id: Option<SinkId>, text: &[u8], are_lines: bool, rotation: Rotation) {
        match id.filter(|_| !text.is_empty()) {
            Some(id) if are_lines => self.write_lines(id, text, rotation),
            Some(id) => self.write(id, text, rotation),
            None => {}
        }
    }

    /// The pipeline of a stream that another program read before, where it holds something back.
    pub fn noted(&self, stream: StreamKey) -> Option<Pipeline> {
        self.transit.as_ref()?.noted(stream)
    }

    /// Nobody needs what the pipeline of a stream holds back.
    pub fn forget(&mut self, stream: StreamKey) {
        if let Some(transit) = &mut self.transit {
            transit.forget(stream);
        }
    }

    /// Whether a log is a file that can be read.
    pub fn leads_to_file(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.leads_to_file())
    }

    /// How many bytes [`Sinks::transfer`] can move at once; none where it cannot be used for this log.
    pub fn transfer_limit(&self, id: SinkId) -> Option<usize> {
        let is_file = self.open.get(&id).is_some_and(|shared| shared.sink.is_file());
        self.transit.as_ref().filter(|_| is_file)?.capacity()
    }

    /// How bytes that are on their way outlive this process.
    pub fn transit(&mut self) -> Option<&mut Transit> {
        self.transit.as_mut()
    }

    /// From now on bytes pass through this transit.
    pub fn replace_transit(&mut self, transit: Transit) {
        self.transit = Some(transit);
    }

    /// Writes down what a daemon that was killed had taken from a program and not put into its log.
    pub fn settle(&mut self, recovery: &TransitRecovery) {
        let id = self.acquire_later(&recovery.path, &LogLimits::NONE);
        let written = fs::metadata(&recovery.path).and_then(|found| found.modified());
        if recovery.is_unreported {
            let text = format!(
                "the previous daemon was killed while it was processing output for {}: the log has all of it, but events \
                 and copies may be lost",
                recovery.path
            );
            self.queue_notices(id, vec![(LogLevel::Warn, text)]);
        }
        let missing = recovery.missing();
        if missing.bytes.is_empty() {
            recovery.finish();
            return self.release(id);
        }
        if missing.is_uncertain {
            let text = format!(
                "{} has been replaced since the daemon before was killed: up to {} bytes that it was writing may be in \
                 the old file and in the new one",
                recovery.path,
                missing.bytes.len()
            );
            self.queue_notices(id, vec![(LogLevel::Warn, text)]);
        }
        recovery.note_append(&missing);
        self.write(id, missing.bytes, Rotation::NEVER);
        // Its program wrote it before: a rotation that is due since is still to come.
        if let (Ok(written), Some(shared)) = (written, self.open.get_mut(&id)) {
            shared.sink.set_modified(written);
        }
        recovery.finish();
        self.release(id);
    }

    /// Whether somebody watches the log grow.
    pub fn is_followed(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| self.follow.is_followed(shared.sink.path()))
    }

    /// Whether streams that feed this log should wait.
    pub fn is_congested(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.is_congested())
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
        let Some(id) = self.by_key.get(&Key::of(path)).copied() else {
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

    /// Writes what waits for this log.
    pub fn flush(&mut self, id: SinkId) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let entries = shared.sink.flush();
        self.after_write(id, entries);
    }

    /// When a log's reader will count as gone.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.behind.iter().filter_map(|id| self.open.get(id)?.sink.deadline()).min()
    }

    /// Whether any log has something that waits for a reader who is not given up.
    pub fn is_any_behind(&self) -> bool {
        let waits = |sink: &Sink| sink.is_in_memory() && sink.deadline().is_some();
        self.behind.iter().any(|id| self.open.get(id).is_some_and(|shared| waits(&shared.sink)))
    }

    /// What happens from now on to what this log cannot take, if its new user has a wish. Where several share a log, the last one
    /// to ask decides.
    pub fn set_policy(&mut self, id: SinkId, policy: Option<WhenBlocked>) {
        if let Some(shared) = self.open.get_mut(&id).filter(|_| policy.is_some()) {
            shared.sink.set_policy(policy);
            self.spill_directory.iter().for_each(|directory| shared.sink.spill_to(directory.clone()));
        }
    }

    /// Waits for no reader any longer than for a second. What waits in files is there for the next daemon.
    pub fn end_policies(&mut self) {
        let others = self.open.values_mut().filter(|shared| !shared.sink.is_spilled());
        others.for_each(|shared| shared.sink.set_policy(None));
    }

    /// Gives up readers who have taken nothing for too long, and tries files again that have taken nothing.
    pub fn give_up_where_due(&mut self, now: Instant) {
        let ids: Vec<SinkId> = self.behind.iter().copied().collect();
        for id in ids {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            if let Some(entries) = shared.sink.retry_if_due(now) {
                shared.notify(&self.follow);
                let is_given_up = shared.users == 0 && !shared.sink.is_held_by_policy();
                self.after_write(id, entries);
                if is_given_up {
                    self.close(id);
                }
                continue;
            }
            if shared.sink.stream().is_some_and(|stream| stream.give_up_if_due(now)) && shared.users == 0 {
                self.close(id);
            }
        }
    }

    /// Counts as lost what still waits for any log. The logs stay open for the entries that say so.
    pub fn close_behind(&mut self) {
        for id in mem::take(&mut self.behind) {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            let entries = shared.sink.close();
            self.queue_notices(id, entries);
        }
    }

    /// Takes the entries for the activity log, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        mem::take(&mut self.notices)
    }

    /// The open log at this path.
    fn find(&self, path: &str) -> Option<SinkId> {
        // What has been opened by a path was no name of a descriptor.
        let by_path = self.by_key.get(&Key::Path(path.into()));
        by_path.or_else(|| self.by_key.get(&Key::of(path))).copied()
    }

    /// Opens an open log again where its path leads to another file by now.
    fn follow_path(&mut self, id: SinkId) -> io::Result<()> {
        let Some(shared) = self.open.get_mut(&id).filter(|shared| shared.sink.has_moved()) else { return Ok(()) };
        let entries = shared.sink.reopen_at_path()?;
        shared.notify(&self.follow);
        self.after_write(id, entries);
        Ok(())
    }

    fn enter(&mut self, sink: Sink, key: Key) -> SinkId {
        let id = SinkId(self.next);
        self.next += 1;
        self.by_key.insert(key.clone(), id);
        let is_left = !self.spills.is_empty() && self.spills.remove(&Spill::name(sink.path()));
        let mut shared = Box::new(Shared { sink, key, users: 0, writer: None });
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

    fn watch_all(&mut self) {
        let ids: Vec<SinkId> = self.behind.iter().copied().collect();
        for id in ids {
            self.after_write(id, Entries::new());
        }
    }

    /// How many bytes of which streams could not be written, since the last call. What several of them wrote into one log counts
    /// for the one that wrote last.
    pub fn take_losses(&mut self) -> HashMap<StreamKey, u64> {
        mem::take(&mut self.losses)
    }

    /// Whether there are any.
    pub fn has_losses(&self) -> bool {
        !self.losses.is_empty()
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
