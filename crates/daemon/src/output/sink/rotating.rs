//! A log that is kept within limits: rotated by size and by its rules, its backups compressed and removed.

use std::fs;
use std::io;
use std::mem::take;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use supervisord_config::model::LogLevel;
use supervisord_core::rotation::Rotation;
use supervisord_sys::fd::{self, FileKind};
use supervisord_sys::trusted;

use super::super::backups::Uncompressed;
use super::super::compression::CompressionJob;
use super::super::compression_end::CompressionEnd;
use super::super::directories::Directories;
use super::super::disk_guard::DiskGuard;
use super::super::log_limits::LogLimits;
use super::super::log_target::Target;
use super::super::loss::Entries;
use super::super::sink_id::SinkId;
use super::super::upkeep::Upkeep;
use super::Sink;

impl Sink {
    /// From now on it is kept within these limits; the answer is whether that takes more than a size.
    pub fn limit(&mut self, limits: &LogLimits, directories: &Arc<Mutex<Directories>>) -> bool {
        let count = limits.rotation.backups;
        match &limits.rules {
            Some(rules) if !self.upkeep.as_ref().is_some_and(|upkeep| upkeep.is_by(rules, count)) => {
                self.upkeep = Some(Box::new(Upkeep::new(rules.clone(), count, directories.clone())));
            }
            // Another user of the same log may have rules.
            _ => {}
        }
        self.upkeep.is_some()
    }

    /// When something is to be done by its rules, after the epoch.
    pub fn next_upkeep(&self) -> Option<Duration> {
        self.upkeep.as_ref()?.next()
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

    /// Rotates it if its time has come, and removes backups that are too old.
    pub fn keep_up(&mut self) -> Entries {
        let mut entries = Entries::new();
        self.keep_up_if_due(&mut entries);
        entries
    }

    pub(super) fn keep_up_if_due(&mut self, entries: &mut Entries) {
        let Some(mut upkeep) = self.upkeep.take_if(|upkeep| upkeep.is_due()) else { return };
        if upkeep.is_new() {
            self.is_uncompressed = upkeep.compresses();
            match upkeep.backups(&self.path).map(|backups| backups.tidy()).unwrap_or(Ok(0)) {
                Ok(last) => upkeep.set_last(last),
                Err(error) => {
                    let text = format!("could not look for rotated files of {}: {error}", self.path);
                    entries.push((LogLevel::Warn, text));
                }
            }
        }
        // Nobody waits for a thousand logs after an upgrade: one without anything to rotate is not opened.
        let found = if self.inherited.is_none() { fs::metadata(&*self.path).ok() } else { None };
        let modified = found.filter(|found| found.is_file() && found.len() > 0).map(|found| found.mtime());
        let is_due = upkeep.take_rotation(modified.unwrap_or(i64::MAX));
        if is_due && !self.held.is_empty() {
            upkeep.put_off(modified);
        }
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

    /// The next backup that is to be compressed, and what is to be told of others.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn next_compression(
        &mut self,
        sink: SinkId,
        disk_guard: Option<Arc<Mutex<DiskGuard>>>,
        entries: &mut Entries,
    ) -> io::Result<Option<CompressionJob>> {
        self.is_uncompressed = false;
        let Some(upkeep) = self.upkeep.as_mut().filter(|upkeep| upkeep.compresses()) else { return Ok(None) };
        let mut passed_over = take(&mut upkeep.passed_over);
        let job = upkeep.backups(&self.path).map(|backups| {
            let found = backups.uncompressed(&mut passed_over)?;
            Ok(found.map(|Uncompressed { path, file }| CompressionJob {
                sink,
                path,
                source: file,
                form: upkeep.rules.compression,
                part: backups.part_path(),
                disk_guard,
            }))
        });
        passed_over.tell(entries);
        upkeep.passed_over = passed_over;
        job.unwrap_or(Ok(None))
    }

    /// Puts a compressed backup in the place of its original.
    pub fn end_compression(&mut self, end: &CompressionEnd) -> Entries {
        let mut entries = Entries::new();
        let done = match (&end.outcome, self.upkeep.as_ref()) {
            (Ok(()), Some(upkeep)) => match upkeep.backups(&self.path) {
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
                    "could not compress a rotated file of {} ({}), will try again after the next rotation: {error}",
                    self.path,
                    end.path.display()
                );
                entries.push((LogLevel::Warn, text));
                // Older ones have their turn.
                self.is_uncompressed =
                    self.upkeep.as_mut().is_some_and(|upkeep| upkeep.passed_over.add_failed(end.source, &error));
            }
        }
        entries
    }

    /// Rotates a file whose time came while it did not take what was written before. That belongs to it, so that its last line
    /// counts as one of before that time.
    pub(super) fn rotate_if_put_off(&mut self, entries: &mut Entries) {
        if !self.held.is_empty() {
            return;
        }
        let Some(modified) = self.upkeep.as_mut().and_then(|upkeep| upkeep.take_put_off()) else { return };
        let modified = Duration::from_secs(u64::try_from(modified).unwrap_or(0));
        self.set_modified(SystemTime::UNIX_EPOCH + modified);
        self.rotate_now(entries);
        self.sweep(entries);
    }

    /// Rotates a file by its rules.
    fn rotate_now(&mut self, entries: &mut Entries) {
        let (Target::File(file), Some(upkeep)) = (&mut self.target, &self.upkeep) else { return };
        let rotated = file.rotate_by_rules(upkeep).map(|()| true);
        self.settle_rotation(rotated, entries);
    }

    /// Removes backups that are not to be kept.
    fn sweep(&mut self, entries: &mut Entries) {
        let Some(upkeep) = &mut self.upkeep else { return };
        let mut passed_over = take(&mut upkeep.passed_over);
        let swept = upkeep.backups(&self.path).map(|backups| backups.sweep(upkeep.count, &mut passed_over));
        passed_over.tell(entries);
        upkeep.passed_over = passed_over;
        match swept.unwrap_or(Ok(None)) {
            Ok(expiry) => upkeep.set_expiry(expiry),
            Err(error) => {
                upkeep.set_expiry(None);
                entries.push((LogLevel::Warn, format!("could not remove rotated files of {}: {error}", self.path)));
            }
        }
    }

    pub(super) fn rotate_if_due(&mut self, rotation: Rotation, entries: &mut Entries) {
        let Target::File(file) = &mut self.target else { return };
        // A line of which the rest waits is not divided.
        if !self.held.is_empty() {
            return;
        }
        let rotated = file.rotate_if_due(rotation, self.upkeep.as_deref());
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
                self.held.passed(b"\n");
                self.is_uncompressed = self.upkeep.as_ref().is_some_and(|upkeep| upkeep.compresses());
                if let Some(upkeep) = &mut self.upkeep {
                    upkeep.passed_over.try_again();
                }
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
