//! One open log of any kind, with the account of what it could not take.

use std::fs;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use mio::{Registry, Token};
use supervisord_config::model::{LogLevel, WhenBlocked};
use supervisord_core::rotation::Rotation;

use crate::follow::Change;

use super::disk_guard::{DISK_IS_LOW, DiskGuard};
use super::held_output::{HeldOutput, SpillPlace};
use super::log_file::{LogFile, NEW_MODE};
use super::log_target::Target;
use super::loss::{Account, Entries, Loss};
use super::spill::Spill;
use super::stream_log::StreamLog;
use super::torn_line;
use super::upkeep::Upkeep;

mod reopening;
mod rotating;
mod transferring;

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
    held: HeldOutput,
    /// Where a file with such output may be.
    spill_directory: Option<Arc<str>>,
    /// Whether there may be a backup that is to be compressed.
    is_uncompressed: bool,
    /// Where it leaves a part of its disk free.
    disk_guard: Option<Arc<Mutex<DiskGuard>>>,
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
            held: HeldOutput::default(),
            spill_directory: None,
            is_uncompressed: false,
            disk_guard: None,
        }
    }

    /// What happens to what the log cannot take from now on.
    pub fn set_policy(&mut self, policy: Option<WhenBlocked>) {
        self.policy = policy;
        self.held.torn().follow_policy(policy);
        if let Some(stream) = self.stream() {
            stream.set_policy(policy);
        }
    }

    /// A policy may keep what it does not take in a file in this directory.
    pub fn spill_to(&mut self, directory: Arc<str>) {
        self.spill_directory = Some(directory);
    }

    /// There is a file with what an earlier daemon could not write: it is written first.
    pub fn adopt_spill(&mut self, directory: &Arc<str>) -> Entries {
        self.spill_to(directory.clone());
        match Spill::open(directory, &self.path) {
            Ok(None) => Entries::new(),
            Ok(Some(spill)) => {
                let text = format!("{} bytes for {} have waited in {}", spill.len(), self.path, spill.path());
                self.held.adopt(spill);
                vec![(LogLevel::Info, text)]
            }
            Err(error) => {
                let name = Spill::name(&self.path);
                vec![(LogLevel::Warn, format!("could not read {name} in {directory}, which may have output: {error}"))]
            }
        }
    }

    /// What waits for it, or would, is in a file.
    pub fn is_spilled(&self) -> bool {
        matches!(self.policy, Some(WhenBlocked::Spill(_))) || self.held.spilled().is_some()
    }

    /// Whether anything waits that is gone with this process.
    pub fn is_in_memory(&self) -> bool {
        self.held.is_in_memory() || matches!(&self.target, Target::Stream(stream) if stream.is_behind())
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

    /// Output for this log or others was lost with the daemon before.
    pub fn follow_a_loss(&mut self) {
        self.account.follow_a_loss();
    }

    /// From now on it leaves a part of its disk free.
    pub fn guard_disk(&mut self, guard: Option<Arc<Mutex<DiskGuard>>>) {
        self.disk_guard = guard;
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
        let torn = self.held.torn().take_rest(bytes);
        match self.put_whole(&bytes[torn..]) {
            outcome if torn == 0 => outcome,
            Ok(()) => Err(Loss::new(torn, &torn_line::REASON)),
            Err(loss) => {
                let lost = loss.amount() + torn;
                Err(loss.of(lost))
            }
        }
    }

    fn put_whole(&mut self, bytes: &[u8]) -> Result<(), Loss> {
        let has_room = self.has_room_on_disk(bytes.len());
        match &mut self.target {
            Target::File(_) if !has_room => self.hold(bytes, Loss::new(bytes.len(), &DISK_IS_LOW)),
            Target::File(file) if self.held.is_empty() => match file.append(bytes) {
                Ok(()) => {
                    self.held.passed(bytes);
                    Ok(())
                }
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
        let Sink { path, spill_directory, disk_guard, held, .. } = self;
        let place = SpillPlace { directory: spill_directory.as_deref(), log: path, guard: disk_guard.as_deref() };
        Err(held.hold(rest, self.policy, loss, place))
    }

    /// Tries again to write what a file has not taken, if it is time.
    pub fn retry_if_due(&mut self, now: Instant) -> Option<Entries> {
        self.held.retry_at().filter(|due| *due <= now)?;
        Some(self.flush())
    }

    fn flush_held(&mut self) -> Result<(), Loss> {
        let Target::File(file) = &mut self.target else { return Ok(()) };
        let guard = self.disk_guard.as_deref();
        self.held.flush(file, |file, length| match file.has_room_on_disk(guard, length) {
            true => Ok(()),
            false => Err(Loss::new(length, &DISK_IS_LOW)),
        })
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
            Target::File(_) if !self.held.is_empty() || self.held.is_torn() => None,
            Target::File(file) => Some(file),
            Target::Stream(_) | Target::Unopened => None,
        }
    }

    /// Whether it is a regular file that so many bytes do not make long enough to be rotated.
    pub fn has_room(&self, bytes: usize, rotation: Rotation) -> bool {
        matches!(&self.target, Target::File(file) if file.has_room(bytes, rotation))
    }

    /// Whether it is a regular file, as far as is known.
    pub fn is_file(&self) -> bool {
        !matches!(self.target, Target::Stream(_))
    }

    /// Whether it is a regular file at its path. One that is not open yet may be anything.
    pub fn leads_to_file(&self) -> bool {
        match &self.target {
            Target::File(_) => true,
            Target::Stream(_) => false,
            // One that does not exist is made as a file.
            Target::Unopened => self.inherited.is_none() && fs::metadata(&*self.path).map_or(true, |it| it.is_file()),
        }
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
        if let Some(spill) = self.held.spilled() {
            let text = format!("{} bytes for {} wait in {}", spill.len(), self.path, spill.path());
            entries.push((LogLevel::Warn, text));
        }
        entries
    }

    /// How many bytes it could not take since the last call.
    pub fn take_losses(&mut self) -> u64 {
        self.account.take_unassigned()
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
            Target::File(_) | Target::Unopened => self.held.retry_at(),
            Target::Stream(stream) => stream.deadline(),
        }
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Entries {
        let mut entries = Entries::new();
        if let Target::Unopened = self.target
            && !self.held.is_empty()
        {
            self.open_file();
        }
        let outcome = match &mut self.target {
            Target::Stream(stream) => stream.flush(),
            Target::File(_) if !self.held.is_empty() => self.flush_held(),
            Target::Unopened if !self.held.is_empty() => {
                self.held.try_later();
                return entries;
            }
            Target::File(_) | Target::Unopened => return entries,
        };
        self.settle(outcome, &mut entries);
        self.rotate_if_put_off(&mut entries);
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

    /// Settles the account. A log that is still behind has not come out of its trouble.
    fn settle(&mut self, outcome: Result<(), Loss>, entries: &mut Entries) {
        if outcome.is_err() || !self.is_behind() {
            self.account.settle(outcome, entries);
        }
    }
}

#[cfg(test)]
mod tests;
