//! The backups of a log on the disk, for a log that has rules: found by their names, renamed, compressed, removed.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use supervisord_config::log_compression::LogCompression;
use supervisord_core::rotation::backup_name::{BackupLabel, BackupNames};
use supervisord_core::rotation::retention::{self, Backup, Retention};
use supervisord_core::rotation::rules::RotationRules;
use supervisord_core::rotation::{self, RotationStep};
use supervisord_sys::trusted;

use crate::clock;

/// The backups of one log.
pub(super) struct Backups<'a> {
    directory: PathBuf,
    names: BackupNames<'a>,
    rules: &'a RotationRules,
}

impl<'a> Backups<'a> {
    /// Those of the log at this path; none for a path that no backup can be named by.
    pub fn of(log: &'a str, rules: &'a RotationRules) -> Option<Backups<'a>> {
        let (directory, log) = (Path::new(log).parent()?, Path::new(log).file_name()?.to_str()?);
        let names = BackupNames { log, dates: rules.dates.as_ref() };
        Some(Backups { directory: directory.to_owned(), names, rules })
    }

    /// Makes the log a backup; `modified` is when its last line was written, in seconds since the epoch.
    ///
    /// # Errors
    /// A file cannot be renamed; some may have been.
    pub fn add(&self, count: u32, modified: i64) -> io::Result<()> {
        let files = self.files()?;
        if let Some(dates) = self.names.dates {
            let label = self.names.next(dates, clock::local_time(modified), files.iter().map(|(label, _)| label));
            return self.rename(self.names.log, &self.names.file(&label, LogCompression::None));
        }
        let number = |(label, _): &(BackupLabel, LogCompression)| match label {
            BackupLabel::Number(number) => Some(*number),
            BackupLabel::Dated(..) => None,
        };
        for step in rotation::plan(count, &files.iter().filter_map(number).collect()) {
            if let RotationStep::Rename { from, to } = step {
                self.shift(&files, from, to, count)?;
            }
        }
        Ok(())
    }

    /// Renames a backup in each of its forms. The one in whose place the oldest comes is given up, in each of its forms.
    fn shift(&self, files: &[(BackupLabel, LogCompression)], from: u32, to: u32, count: u32) -> io::Result<()> {
        let forms = |number: u32| {
            let of_it = move |(label, _): &&(BackupLabel, LogCompression)| *label == BackupLabel::Number(number);
            files.iter().filter(of_it).map(|(_, form)| *form)
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
        moved.into_iter().try_for_each(|form| self.rename(&name(from, form), &name(to, form)))
    }

    /// Removes those that are not to be kept; the answer is when the next one becomes too old, in seconds since the epoch.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub fn sweep(&self, count: u32) -> io::Result<Option<i64>> {
        let backups = self.list()?;
        let now = i64::try_from(supervisord_sys::clock::wall().as_secs()).unwrap_or(i64::MAX);
        let Retention { removed, next } = retention::retention(&backups, count, self.rules, now);
        for backup in removed.into_iter().filter_map(|place| backups.get(place)) {
            self.remove(&self.names.file(&backup.label, backup.form))?;
        }
        Ok(next)
    }

    /// Removes what a daemon that was killed left of a compression: a half-made file, or an original whose compressed file is
    /// complete.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub fn tidy(&self) -> io::Result<()> {
        self.remove(&self.part())?;
        let files = self.files()?;
        for (label, form) in files.iter().filter(|(_, form)| *form != LogCompression::None) {
            let plain = self.names.file(label, LogCompression::None);
            let modified = |name: &str| self.found(name).map(|found| (found.mtime(), found.mtime_nsec()));
            if modified(&plain).is_some_and(|time| modified(&self.names.file(label, *form)) == Some(time)) {
                self.remove(&plain)?;
            }
        }
        Ok(())
    }

    /// The newest one that is to be compressed, open for reading; none where all are.
    ///
    /// # Errors
    /// The directory or the file cannot be read.
    pub fn uncompressed(&self) -> io::Result<Option<File>> {
        let backups = self.list()?;
        let has_twin = |label: &BackupLabel| {
            backups.iter().any(|other| other.label == *label && other.form != LogCompression::None)
        };
        let newest = retention::newest_first(&backups).into_iter().filter_map(|place| backups.get(place));
        let Some(found) =
            newest.filter(|backup| backup.form == LogCompression::None).find(|backup| !has_twin(&backup.label))
        else {
            return Ok(None);
        };
        let path = self.directory.join(self.names.file(&found.label, found.form));
        let path = path.to_str().ok_or(ErrorKind::InvalidFilename)?;
        trusted::open_read(path).map(Some)
    }

    /// Puts a compressed file in the place of the one with this device and inode, if that is still there.
    ///
    /// # Errors
    /// A file cannot be renamed or removed.
    pub fn replace(&self, source: (u64, u64), form: LogCompression, part: &Path) -> io::Result<()> {
        let is_it = |name: &str| self.found(name).is_some_and(|found| (found.dev(), found.ino()) == source);
        let plain = self.files()?.into_iter().filter(|(_, form)| *form == LogCompression::None);
        let found = plain.map(|(label, _)| label).find(|label| is_it(&self.names.file(label, LogCompression::None)));
        let Some(label) = found else { return ignore_missing(trusted::remove(part)) };
        trusted::rename(part, self.directory.join(self.names.file(&label, form)))?;
        self.remove(&self.names.file(&label, LogCompression::None))
    }

    /// Where a compressed file is made.
    pub fn part_path(&self) -> PathBuf {
        self.directory.join(self.part())
    }

    fn part(&self) -> String {
        format!("{}.compressing", self.names.log)
    }

    /// Sizes and times are looked for only where a rule asks for them.
    fn list(&self) -> io::Result<Vec<Backup>> {
        let is_asked_for = self.rules.max_age.is_some() || self.rules.max_total > 0;
        let backup = |(label, form): (BackupLabel, LogCompression)| {
            if !is_asked_for {
                return Some(Backup { label, form, size: 0, modified: 0 });
            }
            let found = self.found(&self.names.file(&label, form))?;
            Some(Backup { label, form, size: found.len(), modified: found.mtime() })
        };
        Ok(self.files()?.into_iter().filter_map(backup).collect())
    }

    fn files(&self) -> io::Result<Vec<(BackupLabel, LogCompression)>> {
        let entries = fs::read_dir(&self.directory)?.flatten();
        Ok(entries.filter_map(|entry| self.names.find(entry.file_name().to_str()?)).collect())
    }

    fn found(&self, name: &str) -> Option<Metadata> {
        fs::symlink_metadata(self.directory.join(name)).ok().filter(Metadata::is_file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        ignore_missing(trusted::rename(self.directory.join(from), self.directory.join(to)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        ignore_missing(trusted::remove(self.directory.join(name)))
    }
}

/// A file that has vanished is no error.
fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
