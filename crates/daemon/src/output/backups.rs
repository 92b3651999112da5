//! The backups of a log on the disk: found by their names, renamed, compressed, removed.
//!
//! Those with numbers are looked up one by one, because there are few; those with dates are found in the directory, which is read
//! once for all logs in it ([`Directories`]).

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use supervisord_config::log_compression::LogCompression;
use supervisord_core::rotation::backup_name::{BackupLabel, BackupNames};
use supervisord_core::rotation::retention::{self, Backup, Retention};
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::rotation::{self, RotationStep};
use supervisord_sys::trusted;

use super::directories::Directories;
use super::passed_over::PassedOver;
use crate::{clock, compressed_log};

/// With at most this many backups each is looked for by name; with more, the directory is read.
const LOOK_UP_LIMIT: u32 = 100;

/// The backups of one log.
pub(super) struct Backups<'a> {
    directory: PathBuf,
    names: BackupNames<'a>,
    /// None for a log that is rotated by size alone.
    rules: Option<&'a RotationRules>,
    directories: &'a Mutex<Directories>,
    /// The largest number there may be.
    last: u32,
}

/// A backup that was found.
struct Found {
    label: BackupLabel,
    form: LogCompression,
    /// Only regular files are compressed and removed.
    is_regular: bool,
}

/// A backup that is ready to be compressed.
pub(super) struct Uncompressed {
    pub path: PathBuf,
    /// Open for reading.
    pub file: File,
}

impl<'a> Backups<'a> {
    /// Those of the log at this path, none of which has a larger number than `last`. None for a path that no backup can be named
    /// by.
    pub fn of(
        log: &'a str,
        rules: Option<&'a RotationRules>,
        last: u32,
        directories: &'a Mutex<Directories>,
    ) -> Option<Backups<'a>> {
        let (directory, log) = (Path::new(log).parent()?, Path::new(log).file_name()?.to_str()?);
        let names = BackupNames { log, dates: rules.and_then(|rules| rules.dates.as_ref()) };
        Some(Backups { directory: directory.to_owned(), names, rules, directories, last })
    }

    /// Makes the log a backup; `modified` is when its last line was written, in seconds since the epoch.
    ///
    /// # Errors
    /// A file cannot be renamed; some may have been.
    pub fn add(&self, count: u32, modified: i64) -> io::Result<()> {
        let files = self.files()?;
        if let Some(dates) = self.names.dates {
            let time = clock::local_time(modified);
            let mut labels: Vec<BackupLabel> = files.into_iter().map(|found| found.label).collect();
            loop {
                let label = self.names.next(dates, time, labels.iter());
                // Somebody may have made it since the directory was read.
                if !LogCompression::ALL.iter().any(|form| self.is_there(&self.names.file(&label, *form))) {
                    return self.rename(self.names.log, &self.names.file(&label, LogCompression::None));
                }
                labels.push(label);
            }
        }
        let number = |found: &Found| match &found.label {
            BackupLabel::Number(number) => Some(*number),
            BackupLabel::Dated(..) => None,
        };
        // Before anything is renamed: neither is somebody's directory moved, nor a part of a rotation done.
        if let Some(name) =
            files.iter().map(|found| self.names.file(&found.label, found.form)).find(|name| self.is_directory(name))
        {
            let path = self.directory.join(name);
            return Err(io::Error::other(format!(
                "{} is a directory, which stands in the way of rotated files; the log goes on without rotation until it is \
                 moved or removed",
                path.display()
            )));
        }
        for step in rotation::plan(count, &files.iter().filter_map(number).collect()) {
            if let RotationStep::Rename { from, to } = step {
                self.shift(&files, from, to, count)?;
            }
        }
        Ok(())
    }

    /// Renames a backup in each of its forms. The one in whose place the oldest comes is given up, in each of its forms.
    fn shift(&self, files: &[Found], from: u32, to: u32, count: u32) -> io::Result<()> {
        let forms = |number: u32| {
            let of_it = move |found: &&Found| found.label == BackupLabel::Number(number);
            files.iter().filter(of_it).map(|found| found.form)
        };
        let moved: Vec<LogCompression> = if from == 0 { vec![LogCompression::None] } else { forms(from).collect() };
        if to == count {
            for form in forms(to).filter(|form| !moved.contains(form)) {
                self.remove(&self.names.file(&BackupLabel::Number(to), form))?;
            }
        }
        let name = |number: u32, form| match number {
            0 => self.names.log.to_owned(),
            number => self.names.file(&BackupLabel::Number(number), form),
        };
        for form in moved {
            let target = name(to, form);
            // A compressed file of somebody else is in the way, who may have given it this name without us.
            let is_foreign = form != LogCompression::None && self.is_there(&target) && !self.is_ours(&target, form);
            if !is_foreign {
                self.rename(&name(from, form), &target)?;
            }
        }
        Ok(())
    }

    /// Removes those that are not to be kept; the answer is when the next one becomes too old, in seconds since the epoch.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub fn sweep(&self, count: u32, passed_over: &mut PassedOver) -> io::Result<Option<i64>> {
        let Some(rules) = self.rules.filter(|rules| rules.dates.is_some() || is_limited(rules)) else {
            return Ok(None);
        };
        let backups = self.list(is_limited(rules), passed_over)?;
        let now = i64::try_from(supervisord_sys::clock::wall().as_secs()).unwrap_or(i64::MAX);
        let Retention { removed, next } = retention::retention(&backups, count, rules, now);
        for backup in removed.into_iter().filter_map(|place| backups.get(place)) {
            self.remove(&self.names.file(&backup.label, backup.form))?;
        }
        Ok(next)
    }

    /// Removes what a daemon that was killed left of a compression: a half-made file, or an original whose compressed file is
    /// complete. The answer is the largest number of a backup.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub fn tidy(&self) -> io::Result<u32> {
        let files = self.files_in_directory()?;
        let number = |found: &Found| match &found.label {
            BackupLabel::Number(number) => *number,
            BackupLabel::Dated(..) => 0,
        };
        let last = files.iter().map(number).max().unwrap_or(0);
        // Nobody's directory is removed; the compression will say that it is in the way.
        if self.is_there(&self.part()) && !self.is_directory(&self.part()) {
            self.remove(&self.part())?;
        }
        for Found { label, form, .. } in files.iter().filter(|found| found.form != LogCompression::None) {
            let plain = self.names.file(label, LogCompression::None);
            let modified = |name: &str| self.found(name).map(|found| (found.mtime(), found.mtime_nsec()));
            if modified(&plain).is_some_and(|time| modified(&self.names.file(label, *form)) == Some(time)) {
                self.remove(&plain)?;
            }
        }
        Ok(last)
    }

    /// The newest one that is to be compressed; none where all are that can be.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn uncompressed(&self, passed_over: &mut PassedOver) -> io::Result<Option<Uncompressed>> {
        let backups = self.list(false, passed_over)?;
        let has_twin = |label: &BackupLabel| {
            backups.iter().any(|other| other.label == *label && other.form != LogCompression::None)
        };
        let newest = retention::newest_first(&backups).into_iter().filter_map(|place| backups.get(place));
        for found in newest.filter(|backup| backup.form == LogCompression::None && !has_twin(&backup.label)) {
            let path = self.directory.join(self.names.file(&found.label, found.form));
            match open_regular(&path) {
                Ok((_, id)) if passed_over.has_failed(id) => {}
                Ok((file, _)) => return Ok(Some(Uncompressed { path, file })),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => passed_over.add(&path, &format!("cannot be read: {error}")),
            }
        }
        Ok(None)
    }

    /// Puts a compressed file in the place of the one with this device and inode, if that is still there.
    ///
    /// # Errors
    /// A file cannot be renamed or removed.
    pub fn replace(&self, source: (u64, u64), form: LogCompression, part: &Path) -> io::Result<()> {
        let is_it = |name: &str| self.found(name).is_some_and(|found| (found.dev(), found.ino()) == source);
        let plain = self.files()?.into_iter().filter(|found| found.form == LogCompression::None);
        let found = plain.map(|found| found.label).find(|label| is_it(&self.names.file(label, LogCompression::None)));
        let Some(label) = found else { return ignore_missing(trusted::remove(part)) };
        let name = self.names.file(&label, form);
        trusted::rename(part, self.directory.join(&name))?;
        self.lock().renamed(&self.directory, &self.part(), Some(&name));
        self.remove(&self.names.file(&label, LogCompression::None))
    }

    /// Where a compressed file is made.
    pub fn part_path(&self) -> PathBuf {
        self.directory.join(self.part())
    }

    fn part(&self) -> String {
        format!("{}.compressing", self.names.log)
    }

    /// Those that are regular files. Their sizes and times are looked for only where they matter.
    fn list(&self, with_sizes: bool, passed_over: &mut PassedOver) -> io::Result<Vec<Backup>> {
        let backup = |Found { label, form, is_regular }: Found| {
            let name = self.names.file(&label, form);
            if !is_regular {
                passed_over.add_irregular(&self.directory.join(name));
                return None;
            }
            if !with_sizes {
                return Some(Backup { label, form, size: 0, modified: 0 });
            }
            let found = self.found(&name)?;
            Some(Backup { label, form, size: found.len(), modified: found.mtime() })
        };
        Ok(self.files()?.into_iter().filter_map(backup).collect())
    }

    fn files(&self) -> io::Result<Vec<Found>> {
        if self.names.dates.is_some() || self.last > LOOK_UP_LIMIT {
            return self.files_in_directory();
        }
        let forms = |number: u32| LogCompression::ALL.into_iter().map(move |form| (BackupLabel::Number(number), form));
        let all = (1..=self.last).flat_map(forms);
        let found = |(label, form)| {
            let name = self.names.file(&label, form);
            let found = fs::symlink_metadata(self.directory.join(&name)).ok()?;
            self.is_ours(&name, form).then_some(Found { label, form, is_regular: found.is_file() })
        };
        Ok(all.filter_map(found).collect())
    }

    fn files_in_directory(&self) -> io::Result<Vec<Found>> {
        let names = self.lock().names(&self.directory, self.names.start())?;
        let found = names.into_iter().filter_map(|(name, is_regular)| {
            let (label, form) = self.names.find(&name)?;
            self.is_ours(&name, form).then_some(Found { label, form, is_regular })
        });
        Ok(found.collect())
    }

    /// Whether a file with the name of a backup is one of this log. Without rules, a compressed one may be somebody else's, or be
    /// left from the time when there were rules.
    fn is_ours(&self, name: &str, form: LogCompression) -> bool {
        let is_made_here = || {
            open_regular(&self.directory.join(name)).is_ok_and(|(file, _)| compressed_log::is_made_here(form, &file))
        };
        self.rules.is_some() || form == LogCompression::None || is_made_here()
    }

    fn is_there(&self, name: &str) -> bool {
        fs::symlink_metadata(self.directory.join(name)).is_ok()
    }

    fn is_directory(&self, name: &str) -> bool {
        fs::symlink_metadata(self.directory.join(name)).is_ok_and(|found| found.is_dir())
    }

    fn lock(&self) -> MutexGuard<'_, Directories> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, name: &str) -> Option<Metadata> {
        fs::symlink_metadata(self.directory.join(name)).ok().filter(Metadata::is_file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        ignore_missing(trusted::rename(self.directory.join(from), self.directory.join(to)))?;
        self.lock().renamed(&self.directory, from, Some(to));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        ignore_missing(trusted::remove(self.directory.join(name)))?;
        self.lock().renamed(&self.directory, name, None);
        Ok(())
    }
}

/// Opens a regular file, whatever somebody has put in its place meanwhile; the answer has its device and inode.
fn open_regular(path: &Path) -> io::Result<(File, (u64, u64))> {
    let file = trusted::open_read_unfollowed(path.to_str().ok_or(ErrorKind::InvalidFilename)?)?;
    let found = file.metadata()?;
    match found.is_file() {
        true => Ok((file, (found.dev(), found.ino()))),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Whether backups are removed for their age or their total.
fn is_limited(rules: &RotationRules) -> bool {
    rules.max_age.is_some() || rules.max_total > 0
}

/// A file that has vanished is no error.
fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
