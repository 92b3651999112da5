//! The backups of a log on the disk, for a log that has rules: found by their names, renamed, removed.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
        let labels: Vec<BackupLabel> = self.labels()?;
        match self.names.dates {
            Some(dates) => {
                let label = self.names.next(dates, clock::local_time(modified), labels.iter());
                self.rename(self.names.log, &self.names.name(&label))
            }
            None => {
                let number = |label: &BackupLabel| match label {
                    BackupLabel::Number(number) => Some(*number),
                    BackupLabel::Dated(..) => None,
                };
                for step in rotation::plan(count, &labels.iter().filter_map(number).collect()) {
                    if let RotationStep::Rename { from, to } = step {
                        self.rename(&rotation::name(self.names.log, from), &rotation::name(self.names.log, to))?;
                    }
                }
                Ok(())
            }
        }
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
            ignore_missing(trusted::remove(self.directory.join(self.names.name(&backup.label))))?;
        }
        Ok(next)
    }

    fn list(&self) -> io::Result<Vec<Backup>> {
        let backup = |label: BackupLabel| {
            let found = fs::symlink_metadata(self.directory.join(self.names.name(&label))).ok()?;
            found.is_file().then(|| Backup { label, size: found.len(), modified: found.mtime() })
        };
        Ok(self.labels()?.into_iter().filter_map(backup).collect())
    }

    fn labels(&self) -> io::Result<Vec<BackupLabel>> {
        let entries = fs::read_dir(&self.directory)?;
        Ok(entries.flatten().filter_map(|entry| self.names.label(entry.file_name().to_str()?)).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        ignore_missing(trusted::rename(self.directory.join(from), self.directory.join(to)))
    }
}

/// A file that has vanished is no error.
fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
