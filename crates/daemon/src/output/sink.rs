//! One open log of any kind, with the account of what it could not take.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use mio::{Registry, Token};
use supervisord_config::model::{LogLevel, WhenBlocked};
use supervisord_core::output::backlog::Backlog;
use supervisord_core::output::last_lines::MOST;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::rotation::Rotation;
use supervisord_sys::fd::{self, FileKind};
use supervisord_sys::{sink as open, trusted};

use crate::follow::Change;

use super::backups::Backups;
use super::compression::CompressionJob;
use super::compression_end::CompressionEnd;
use super::disk_guard::DiskGuard;
use super::end_of_output::EndOfOutput;
use super::log_file::{LogFile, NEW_MODE, Transfer};
use super::log_limits::LogLimits;
use super::log_path;
use super::loss::{Account, Entries, Loss};
use super::pipeline_notes::StreamKey;
use super::sink_id::SinkId;
use super::stream_log::{FULL, Outlet, StreamLog};
use super::transit::{PIECE, Transit};
use super::upkeep::Upkeep;

/// Why nothing is written while a disk has no more than its reserve.
const DISK_IS_LOW: &str = "its disk has less free than log_min_free_disk";

/// An open log.
#[derive(Debug)]
pub(super) struct Sink {
    path: Arc<str>,
    target: Target,
    /// Which of the descriptors it is that the daemon was started with.
    inherited: Option<i32>,
    account: Account,
    /// Whether it ends in a part of an entry, whose rest is lost.
    is_torn: bool,
    /// Whether it was rotated, opened again or emptied since its followers were last notified.
    is_replaced: bool,
    has_warned_of_rotation: bool,
    /// Where it has rules of rotation.
    upkeep: Option<Box<Upkeep>>,
    /// What happens to what it cannot take.
    policy: Option<WhenBlocked>,
    /// Where there is such a policy: what a file has not taken yet.
    held: Backlog,
    /// When that is tried again.
    retry_at: Option<Instant>,
    /// Whether there may be a backup that is to be compressed.
    is_uncompressed: bool,
    /// Where it leaves a part of its disk free.
    disk_guard: Option<Arc<Mutex<DiskGuard>>>,
}

/// How long a file is left alone that did not take anything.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Target {
    File(LogFile),
    Stream(StreamLog),
    /// It has not been opened yet, or could not be: the first write opens it.
    Unopened,
}

impl Sink {
    /// Opens `path` for appending, or creates it.
    pub fn open(path: Arc<str>, inherited: Option<i32>) -> io::Result<Sink> {
        let target = Target::open(&path, inherited, NEW_MODE)?;
        Ok(Sink { target, ..Sink::unopened(path, inherited) })
    }

    /// A log that is opened when it is first written.
    pub fn unopened(path: Arc<str>, inherited: Option<i32>) -> Sink {
        let account = Account::new(path.clone(), "bytes");
        Sink {
            path,
            target: Target::Unopened,
            inherited,
            account,
            is_torn: false,
            is_replaced: false,
            has_warned_of_rotation: false,
            upkeep: None,
            policy: None,
            held: Backlog::default(),
            retry_at: None,
            is_uncompressed: false,
            disk_guard: None,
        }
    }

    /// What happens to what the log cannot take from now on.
    pub fn set_policy(&mut self, policy: Option<WhenBlocked>) {
        self.policy = policy;
        if let Some(stream) = self.stream() {
            stream.set_policy(policy);
        }
    }

    /// A log that cannot be opened yet: every write tries again.
    pub fn missing(path: Arc<str>, inherited: Option<i32>, error: &io::Error) -> (Sink, Entries) {
        let mut sink = Sink::unopened(path, inherited);
        let mut entries = Entries::new();
        sink.settle(Err(Loss::new(0, error)), &mut entries);
        (sink, entries)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What has happened to it since the last call, if anything has.
    pub fn take_change(&mut self) -> Change {
        if mem::take(&mut self.is_replaced) { Change::Replaced } else { Change::Grown }
    }

    /// Why it can never be rotated, if that is worth a word. A device such as `/dev/null` has no size to limit.
    pub fn unrotatable(&self) -> Option<&'static str> {
        match &self.target {
            Target::Stream(_) if self.inherited.is_some() => Some("it is a descriptor that was inherited"),
            Target::Stream(stream) if fd::kind(stream.fd()).is_ok_and(|kind| kind != FileKind::Device) => {
                Some("it is not a regular file")
            }
            _ => None,
        }
    }

    /// From now on it is kept within these limits; the answer is whether that takes more than a size.
    pub fn limit(&mut self, limits: &LogLimits) -> bool {
        let count = limits.rotation.backups;
        match &limits.rules {
            Some(rules) if !self.upkeep.as_ref().is_some_and(|upkeep| upkeep.is_by(rules, count)) => {
                self.upkeep = Some(Box::new(Upkeep::new(rules.clone(), count)));
            }
            // Another user of the same log may have rules.
            _ => {}
        }
        self.upkeep.is_some()
    }

    /// From now on it leaves a part of its disk free.
    pub fn guard_disk(&mut self, guard: Option<Arc<Mutex<DiskGuard>>>) {
        self.disk_guard = guard;
    }

    /// When something is to be done by its rules, after the epoch.
    pub fn next_upkeep(&self) -> Option<Duration> {
        self.upkeep.as_ref()?.next()
    }

    /// Whether its followers have to be told that it is another file.
    pub fn is_replaced(&self) -> bool {
        self.is_replaced
    }

    /// Its last line is of this time.
    pub fn set_modified(&mut self, time: SystemTime) {
        if let Target::File(file) = &self.target {
            file.set_modified(time);
        }
    }

    /// Rotates it if its time has come, and removes backups that are too old.
    pub fn keep_up(&mut self) -> Entries {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        entries
    }

    fn keep_up_if_due(&mut self, entries: &mut Entries) {
        let Some(mut upkeep) = self.upkeep.take_if(|upkeep| upkeep.is_due()) else { return };
        if upkeep.is_new() {
            self.is_uncompressed = upkeep.compresses();
            if let Some(Err(error)) = Backups::of(&self.path, &upkeep.rules).map(|backups| backups.tidy()) {
                entries.push((LogLevel::Warn, format!("could not look for rotated files of {}: {error}", self.path)));
            }
        }
        // Nobody waits for a thousand logs after an upgrade: one without anything to rotate is not opened.
        let found = if self.inherited.is_none() { fs::metadata(&*self.path).ok() } else { None };
        let modified = found.filter(|found| found.is_file() && found.len() > 0).map(|found| found.mtime());
        let is_due = upkeep.take_rotation(modified.unwrap_or(i64::MAX));
        self.upkeep = Some(upkeep);
        if is_due && self.open_file().is_some() {
            self.rotate_now(entries);
        }
        self.sweep(entries);
    }

    /// Whether there may be a backup that is to be compressed.
    pub fn is_uncompressed(&self) -> bool {
        self.is_uncompressed
    }

    /// The next backup that is to be compressed.
    ///
    /// # Errors
    /// The directory or the file cannot be read.
    pub fn next_compression(&mut self, sink: SinkId) -> io::Result<Option<CompressionJob>> {
        self.is_uncompressed = false;
        let Some(upkeep) = self.upkeep.as_ref().filter(|upkeep| upkeep.compresses()) else { return Ok(None) };
        let Some(backups) = Backups::of(&self.path, &upkeep.rules) else { return Ok(None) };
        let Some(source) = backups.uncompressed()? else { return Ok(None) };
        Ok(Some(CompressionJob { sink, source, form: upkeep.rules.compression, part: backups.part_path() }))
    }

    /// Puts a compressed backup in the place of its original.
    pub fn end_compression(&mut self, end: &CompressionEnd) -> Entries {
        let mut entries = Entries::new();
        let done = match (&end.outcome, self.upkeep.as_ref()) {
            (Ok(()), Some(upkeep)) => match Backups::of(&self.path, &upkeep.rules) {
                Some(backups) => backups.replace(end.source, end.form, &end.part),
                None => Ok(()),
            },
            (Ok(()), None) => trusted::remove(&end.part),
            (Err(error), _) => {
                drop(trusted::remove(&end.part));
                Err(io::Error::new(error.kind(), error.to_string()))
            }
        };
        match done {
            // There may be another one.
            Ok(()) => self.is_uncompressed = true,
            Err(error) => {
                let text = format!(
                    "could not compress a rotated file of {}, will try again after the next rotation: {error}",
                    self.path
                );
                entries.push((LogLevel::Warn, text));
            }
        }
        entries
    }

    /// Rotates a file by its rules.
    fn rotate_now(&mut self, entries: &mut Entries) {
        let (Target::File(file), Some(upkeep)) = (&mut self.target, &self.upkeep) else { return };
        let rotated = file.rotate_by_rules(upkeep.count, &upkeep.rules).map(|()| true);
        self.settle_rotation(rotated, entries);
    }

    /// Removes backups that are not to be kept.
    fn sweep(&mut self, entries: &mut Entries) {
        let Some(upkeep) = &mut self.upkeep else { return };
        let swept = Backups::of(&self.path, &upkeep.rules).map(|backups| backups.sweep(upkeep.count));
        match swept.unwrap_or(Ok(None)) {
            Ok(expiry) => upkeep.set_expiry(expiry),
            Err(error) => {
                upkeep.set_expiry(None);
                entries.push((LogLevel::Warn, format!("could not remove rotated files of {}: {error}", self.path)));
            }
        }
    }

    /// Writes one record, then rotates the log if it is long enough.
    pub fn write(&mut self, bytes: &[u8], rotation: Rotation) -> Entries {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        let outcome = self.put_bytes(bytes);
        self.settle(outcome, &mut entries);
        self.rotate_if_due(rotation, &mut entries);
        entries
    }

    /// Like [`Sink::write`], with whole lines: where a part of the last ones was lost, these begin on a new line.
    pub fn write_lines(&mut self, lines: &[u8], rotation: Rotation) -> Entries {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        if self.is_torn {
            // The line feed is none of what can be lost.
            self.is_torn = self.put_bytes(b"\n").is_err();
        }
        let outcome = self.put_bytes(lines);
        self.is_torn |= outcome.as_ref().is_err_and(|loss| loss.is_less_than(lines.len()));
        self.settle(outcome, &mut entries);
        self.rotate_if_due(rotation, &mut entries);
        entries
    }

    /// Whether its disk has room for so many bytes beyond its reserve.
    fn has_room_on_disk(&self, bytes: usize) -> bool {
        match &self.target {
            Target::File(file) => file.has_room_on_disk(self.disk_guard.as_deref(), bytes),
            Target::Stream(_) | Target::Unopened => true,
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Loss> {
        let has_room = self.has_room_on_disk(bytes.len());
        match &mut self.target {
            Target::File(_) if !has_room => self.hold(bytes, Loss::new(bytes.len(), &DISK_IS_LOW)),
            Target::File(file) if self.held.is_empty() => match file.append(bytes) {
                Ok(()) => Ok(()),
                Err(loss) => {
                    let written = bytes.len().saturating_sub(loss.amount());
                    self.held.passed(&bytes[..written]);
                    self.hold(&bytes[written..], loss)
                }
            },
            Target::File(_) => self.hold(bytes, Loss::new(bytes.len(), &"it has not taken what was written before")),
            Target::Stream(stream) => stream.write(bytes),
            Target::Unopened => self.write_first(bytes),
        }
    }

    /// Keeps what a file did not take, if a policy says so. The error says how much is lost.
    fn hold(&mut self, rest: &[u8], loss: Loss) -> Result<(), Loss> {
        if self.policy.is_none() && self.held.is_empty() {
            return Err(loss);
        }
        self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
        let lost = self.held.push(rest, FULL, self.policy);
        Err(loss.of(lost))
    }

    /// Tries again to write what a file has not taken, if it is time.
    pub fn retry_if_due(&mut self, now: Instant) -> Option<Entries> {
        self.retry_at.filter(|due| *due <= now)?;
        Some(self.flush())
    }

    fn flush_held(&mut self) -> Result<(), Loss> {
        let Target::File(file) = &mut self.target else { return Ok(()) };
        self.retry_at = None;
        while !self.held.is_empty() {
            let piece = self.held.oldest();
            let length = piece.len();
            let outcome = match file.has_room_on_disk(self.disk_guard.as_deref(), length) {
                true => file.append(piece),
                false => Err(Loss::new(length, &DISK_IS_LOW)),
            };
            let missing = outcome.as_ref().err().map_or(0, Loss::amount);
            self.held.written(length.saturating_sub(missing));
            if let Err(loss) = outcome {
                self.retry_at = Some(Instant::now() + RETRY);
                return Err(loss.of(0));
            }
        }
        Ok(())
    }

    fn write_first(&mut self, bytes: &[u8]) -> Result<(), Loss> {
        self.is_replaced = true;
        self.target =
            Target::open(&self.path, self.inherited, NEW_MODE).map_err(|error| Loss::new(bytes.len(), &error))?;
        self.set_policy(self.policy);
        match &mut self.target {
            Target::File(_) | Target::Stream(_) => self.put_bytes(bytes),
            Target::Unopened => Ok(()),
        }
    }

    /// Moves what is in a pipe to the end of a regular file, and rotates it after each record that makes it long enough.
    pub fn transfer(
        &mut self,
        transit: &mut Transit,
        pipe: BorrowedFd<'_>,
        rotation: Rotation,
        end: Option<&mut EndOfOutput>,
    ) -> (Transfer, Entries) {
        let mut kept_up = Entries::new();
        self.keep_up_if_due(&mut kept_up);
        let (taken, mut entries) = self.take_by(transit, |transit| transit.take(pipe));
        entries.splice(..0, kept_up);
        if let Transfer::Moved(count) = taken {
            if let Some(end) = end {
                end.push(&transit.end_of_taken(count, MOST));
            }
            self.append_taken(transit, count, rotation, &mut entries);
            transit.finish(pipe, count);
        }
        (taken, entries)
    }

    /// Takes what is in a pipe and has to be looked at before it goes to the end of a regular file.
    pub fn take(
        &mut self,
        transit: &mut Transit,
        pipe: BorrowedFd<'_>,
        bytes: &mut [u8],
        stream: StreamKey,
        pipeline: &Pipeline,
    ) -> (Transfer, Entries) {
        self.take_by(transit, |transit| transit.take_to_look_at(pipe, bytes, stream, pipeline))
    }

    /// Writes the text that the pipeline of a stream has made of what was taken, if anything was, to the end of a regular
    /// file, and notes what the pipeline holds back now. None where it is no such file.
    pub fn put(
        &mut self,
        transit: &mut Transit,
        stream: StreamKey,
        pipeline: &Pipeline,
        text: &[u8],
        rotation: Rotation,
    ) -> Option<Entries> {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        self.open_file()?.claim(transit);
        if pipeline.makes_records() && self.is_torn {
            self.is_torn = self.put_bytes(b"\n").is_err();
        }
        transit.put(stream, pipeline, text);
        self.append_taken(transit, text.len(), rotation, &mut entries);
        transit.finish_text();
        Some(entries)
    }

    fn take_by(
        &mut self,
        transit: &mut Transit,
        take: impl FnOnce(&mut Transit) -> io::Result<usize>,
    ) -> (Transfer, Entries) {
        let mut entries = Entries::new();
        let Some(file) = self.open_file() else { return (Transfer::Refused, entries) };
        file.claim(transit);
        let taken = match take(transit) {
            Ok(0) => Transfer::Ended,
            Ok(count) => Transfer::Moved(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Transfer::Empty,
            Err(error) => {
                let lost = transit.give_up();
                if lost > 0 {
                    self.settle(Err(Loss::new(lost, &error)), &mut entries);
                }
                Transfer::Refused
            }
        };
        (taken, entries)
    }

    fn append_taken(&mut self, transit: &mut Transit, count: usize, rotation: Rotation, entries: &mut Entries) {
        let limit = if rotation.maxbytes > 0 { PIECE } else { count };
        let mut start = 0;
        while start < count {
            let end = transit.record_end(start, count, limit);
            // A rotation leaves a file in its place.
            let Target::File(file) = &self.target else { break };
            let appended = match file.has_room_on_disk(self.disk_guard.as_deref(), end - start) {
                true => file.append_taken(transit, start..end),
                false => Err(Loss::new(end - start, &DISK_IS_LOW)),
            };
            let outcome = match appended {
                Err(loss) if self.policy.is_some() => {
                    let written = end - loss.amount().min(end);
                    self.held.passed(&transit.taken(written.saturating_sub(1)..written));
                    let outcome = self.hold(&transit.taken(written..count), loss);
                    return self.settle(outcome, entries);
                }
                outcome => outcome,
            };
            self.is_torn |= outcome.as_ref().is_err_and(|loss| loss.is_less_than(end - start));
            self.settle(outcome, entries);
            self.rotate_if_due(rotation, entries);
            start = end;
        }
    }

    /// The log as a regular file, opened if it was not.
    pub fn open_file(&mut self) -> Option<&LogFile> {
        if let Target::Unopened = self.target
            && let Ok(target) = Target::open(&self.path, self.inherited, NEW_MODE)
        {
            (self.target, self.is_replaced) = (target, true);
            self.set_policy(self.policy);
        }
        match &self.target {
            // What waits comes first.
            Target::File(_) if !self.held.is_empty() => None,
            Target::File(file) => Some(file),
            Target::Stream(_) | Target::Unopened => None,
        }
    }

    /// Opens the path again; on an error the old file stays in use.
    pub fn reopen(&mut self) -> Entries {
        if self.inherited.is_some() {
            return Entries::new();
        }
        self.reopen_at_path()
            .unwrap_or_else(|error| vec![(LogLevel::Warn, format!("could not reopen {}: {error}", self.path))])
    }

    /// The same for one that was opened by its path.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn reopen_at_path(&mut self) -> io::Result<Entries> {
        let mode = match &self.target {
            Target::File(file) => file.mode().unwrap_or(NEW_MODE),
            Target::Stream(_) | Target::Unopened => NEW_MODE,
        };
        let target = Target::open(&self.path, log_path::inherited(&self.path), mode)?;
        Ok(self.replace(target))
    }

    /// Whether it is a regular file that is no longer at its path.
    pub fn has_moved(&self) -> bool {
        matches!(&self.target, Target::File(file) if !file.is_at_path())
    }

    /// Whether it is a regular file that so many bytes do not make long enough to be rotated.
    pub fn has_room(&self, bytes: usize, rotation: Rotation) -> bool {
        matches!(&self.target, Target::File(file) if file.has_room(bytes, rotation))
    }

    /// Whether it is a regular file, as far as is known.
    pub fn is_file(&self) -> bool {
        !matches!(self.target, Target::Stream(_))
    }

    /// Empties a regular file; anything else cannot be cleared.
    pub fn clear(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File(file) => file.clear(),
            Target::Stream(_) => Err(ErrorKind::InvalidInput.into()),
            Target::Unopened => empty(&self.path),
        }?;
        (self.is_torn, self.is_replaced) = (false, true);
        // It would have been in the file that is empty now.
        (self.held, self.retry_at) = (Backlog::default(), None);
        Ok(())
    }

    /// Whether what it has not taken may wait for as long as it takes.
    pub fn is_held_by_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// The last words of a log nobody uses any more.
    pub fn close(&mut self) -> Entries {
        let waiting = self.stream().map_or(0, StreamLog::give_up_waiting) + self.held.give_up();
        let mut entries = Entries::new();
        self.account.close(waiting as u64, &mut entries);
        entries
    }

    /// The log as one that may be behind.
    pub fn stream(&mut self) -> Option<&mut StreamLog> {
        match &mut self.target {
            Target::File(_) | Target::Unopened => None,
            Target::Stream(stream) => Some(stream),
        }
    }

    /// Whether those who feed it should wait.
    pub fn is_congested(&self) -> bool {
        match &self.target {
            Target::Stream(stream) => stream.is_congested(),
            Target::File(_) | Target::Unopened => !self.held.is_empty() && self.policy == Some(WhenBlocked::Block),
        }
    }

    /// Whether something waits to be written.
    pub fn is_behind(&self) -> bool {
        !self.held.is_empty() || matches!(&self.target, Target::Stream(stream) if stream.is_behind())
    }

    /// When its reader will count as gone.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.target {
            Target::File(_) | Target::Unopened => self.retry_at,
            Target::Stream(stream) => stream.deadline(),
        }
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Entries {
        let mut entries = Entries::new();
        let outcome = match &mut self.target {
            Target::Stream(stream) => stream.flush(),
            Target::File(_) if !self.held.is_empty() => self.flush_held(),
            Target::File(_) | Target::Unopened => return entries,
        };
        self.settle(outcome, &mut entries);
        entries
    }

    /// Has the loop tell when something that waits can be written.
    pub fn watch(&mut self, token: Token, registry: &Registry) -> Entries {
        let mut entries = Entries::new();
        if let Some(stream) = self.stream()
            && let Err(error) = stream.watch(token, registry)
        {
            let loss = Loss::new(stream.give_up_waiting(), &error);
            self.settle(Err(loss), &mut entries);
        }
        entries
    }

    fn replace(&mut self, target: Target) -> Entries {
        let mut entries = Entries::new();
        if let (Target::Stream(old), Target::Stream(new)) = (&self.target, &target)
            && is_same(old.fd(), new.fd())
        {
            return entries;
        }
        if let Some(stream) = self.stream()
            && stream.is_behind()
        {
            let loss = Loss::new(stream.give_up_waiting(), &"it was replaced while nobody read it");
            self.settle(Err(loss), &mut entries);
        }
        if !self.held.is_empty() && !matches!(target, Target::File(_)) {
            let loss = Loss::new(self.held.give_up(), &"it was replaced by something that is no file");
            self.retry_at = None;
            self.settle(Err(loss), &mut entries);
        }
        self.is_torn &= match (&self.target, &target) {
            (Target::File(old), Target::File(new)) => old.is_same(new),
            _ => false,
        };
        (self.target, self.is_replaced) = (target, true);
        self.set_policy(self.policy);
        entries
    }

    /// Settles the account. A log that is still behind has not come out of its trouble.
    fn settle(&mut self, outcome: Result<(), Loss>, entries: &mut Entries) {
        if outcome.is_err() || !self.is_behind() {
            self.account.settle(outcome, entries);
        }
    }

    fn rotate_if_due(&mut self, rotation: Rotation, entries: &mut Entries) {
        let Target::File(file) = &mut self.target else { return };
        let rules = self.upkeep.as_ref().map(|upkeep| &*upkeep.rules);
        let rotated = file.rotate_if_due(rotation, rules);
        let is_rotated = matches!(rotated, Ok(true));
        self.settle_rotation(rotated, entries);
        if is_rotated {
            self.sweep(entries);
        }
    }

    fn settle_rotation(&mut self, rotated: io::Result<bool>, entries: &mut Entries) {
        // Half a rotation may have moved the file, too.
        self.is_replaced |= !matches!(rotated, Ok(false));
        match rotated {
            Ok(true) => {
                (self.has_warned_of_rotation, self.is_torn) = (false, false);
                self.is_uncompressed = self.upkeep.as_ref().is_some_and(|upkeep| upkeep.compresses());
            }
            Ok(false) => {}
            Err(_) if self.has_warned_of_rotation => {}
            Err(error) => {
                self.has_warned_of_rotation = true;
                entries.push((LogLevel::Warn, format!("could not rotate {}: {error}", self.path)));
            }
        }
    }
}

impl Target {
    fn open(path: &Arc<str>, inherited: Option<i32>, mode: u32) -> io::Result<Target> {
        if let Some(number) = inherited {
            return Ok(Target::Stream(StreamLog::new(open_inherited(number)?)));
        }
        if fs::metadata(&**path).is_ok_and(|there| there.file_type().is_fifo()) {
            return Ok(Target::Stream(StreamLog::new(Outlet::File(open_fifo(path)?))));
        }
        let file = open::open_append(path, mode)?;
        let found = file.metadata()?;
        Ok(match found.is_file() {
            true => Target::File(LogFile::new(path.clone(), file, &found)),
            false => Target::Stream(StreamLog::new(Outlet::File(file))),
        })
    }
}

/// A FIFO that may only be written to can be opened only while somebody reads it.
fn open_fifo(path: &str) -> io::Result<File> {
    match open::open_fifo(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => open::open_existing(path),
        opened => opened,
    }
}

fn open_inherited(number: i32) -> io::Result<Outlet> {
    let copy = open::duplicate(number)?;
    Ok(match fd::kind(copy.as_fd())? {
        FileKind::Socket => Outlet::Socket(copy),
        FileKind::Fifo | FileKind::Terminal => match open::reopen(number) {
            Ok(own) => Outlet::File(own),
            Err(_) => Outlet::Shared(copy.into()),
        },

        FileKind::Regular => Outlet::SharedFile(copy.into()),
        _ => Outlet::File(copy.into()),
    })
}

fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let identity = |fd: BorrowedFd<'_>| {
        let there = File::from(fd.try_clone_to_owned()?).metadata()?;
        Ok::<_, io::Error>((there.dev(), there.ino(), there.rdev()))
    };
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Empties a file that nobody has open.
pub(super) fn empty(path: &str) -> io::Result<()> {
    if log_path::inherited(path).is_some() {
        return Ok(());
    }
    let done = match fs::metadata(path) {
        Ok(there) if there.is_file() => open::open_existing(path).and_then(|file| file.set_len(0)),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log on a device that takes nothing.
    fn full(path: &str, policy: WhenBlocked) -> Sink {
        let (file, found) = (File::options().append(true).open("/dev/full").expect("opened"), fs::metadata(path));
        let target = Target::File(LogFile::new(path.into(), file, &found.expect("there")));
        let mut sink = Sink { target, ..Sink::unopened(path.into(), None) };
        sink.set_policy(Some(policy));
        sink
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_written_when_it_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log").display().to_string();
        for policy in WhenBlocked::ALL {
            fs::write(&path, "").expect("written");
            let mut sink = full(&path, policy);
            let mut entries = sink.write(b"one\n", Rotation::NEVER);
            entries.extend(sink.write(b"two\n", Rotation::NEVER));
            assert!(sink.is_behind() && sink.open_file().is_none());
            assert_eq!(sink.is_congested(), policy == WhenBlocked::Block);
            let due = sink.deadline().expect("it is tried again");
            assert!(sink.retry_if_due(due - RETRY).is_none());
            entries.extend(sink.retry_if_due(due).expect("it is time"));
            assert!(sink.is_behind() && sink.deadline() > Some(due));
            entries.extend(sink.reopen_at_path().expect("opened"));
            entries.extend(sink.flush());
            assert!(!sink.is_behind() && sink.deadline().is_none() && sink.open_file().is_some());
            assert_eq!(fs::read(&path).expect("read"), b"one\ntwo\n");
            let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
            assert!(texts[0].contains("output waits: ") && texts.len() == 2, "{texts:?}");
            assert!(texts[1].ends_with("can be written again, 0 bytes were lost"));
        }
    }

    #[test]
    fn beyond_the_room_the_policy_decides_what_is_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log").display().to_string();
        for (policy, kept) in [(WhenBlocked::DropOldest, b'b'), (WhenBlocked::DropNewest, b'a')] {
            fs::write(&path, "").expect("written");
            let mut sink = full(&path, policy);
            let lines = |letter: u8| [&[letter; 1023][..], b"\n"].concat().repeat(FULL / 1024);
            sink.write(&lines(b'a'), Rotation::NEVER);
            sink.write(&lines(b'b'), Rotation::NEVER);
            sink.reopen_at_path().expect("opened");
            let entries = sink.flush();
            assert!(entries[0].1.ends_with(&format!("{FULL} bytes were lost")), "{entries:?}");
            assert_eq!(fs::read(&path).expect("read"), lines(kept));
        }
    }

    #[test]
    fn what_waits_for_a_file_that_is_emptied_is_dropped() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log").display().to_string();
        fs::write(&path, "").expect("written");
        let mut sink = full(&path, WhenBlocked::Block);
        sink.write(b"one\n", Rotation::NEVER);
        sink.clear().expect("emptied");
        assert!(!sink.is_behind() && sink.deadline().is_none());
        let entries = sink.write(b"two\n", Rotation::NEVER);
        assert_eq!(fs::read(&path).expect("read"), b"two\n");
        assert!(entries[0].1.ends_with(" 0 bytes were lost"), "{entries:?}");
    }

    #[test]
    fn what_waits_for_a_file_is_lost_when_something_else_takes_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log").display().to_string();
        fs::write(&path, "").expect("written");
        let mut sink = full(&path, WhenBlocked::Block);
        sink.write(b"one\n", Rotation::NEVER);
        let other = Target::open(&"/dev/null".into(), None, NEW_MODE).expect("opened");
        let mut entries = sink.replace(other);
        assert!(!sink.is_behind() && sink.deadline().is_none());
        entries.extend(sink.write(b"two\n", Rotation::NEVER));
        let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
        assert!(texts[0].contains("output is lost: ") && texts[1].ends_with(" 4 bytes were lost"), "{texts:?}");
    }
}
