//! A log that is a regular file: appended to, rotated, opened again, emptied.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use supervisord_core::rotation::{self, Rotation, Step};

/// With at most this many backups each is looked for by name; with more, the directory is listed.
const LOOK_UP_LIMIT: u32 = 100;

/// Permission bits of a new log before the mask of the daemon.
const NEW_MODE: u32 = 0o666;

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: String,
    file: File,
    /// After a failed rotation: the position from which it is tried again.
    retry_at: u64,
}

/// What became of a write.
#[derive(Debug)]
pub(super) struct Appended {
    /// How many bytes are in the file.
    pub written: usize,
    /// Why not all are.
    pub error: Option<io::Error>,
}

impl LogFile {
    /// Takes over an open file; it must have been opened for appending.
    pub fn new(path: &str, file: File) -> LogFile {
        LogFile { path: path.to_owned(), file, retry_at: 0 }
    }

    /// Opens `path` for appending and creates it when it is not there.
    pub fn open_file(path: &str, mode: u32) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(mode).open(path)
    }

    /// Writes all it can of `bytes` to the end of the file.
    pub fn append(&mut self, bytes: &[u8]) -> Appended {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Appended { written, error: Some(ErrorKind::WriteZero.into()) },
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Appended { written, error: Some(error) },
            }
        }
        Appended { written, error: None }
    }

    /// Rotates the file if a write has made it long enough. True when it was; after an error the old file stays in
    /// use, and the next attempt waits until as much again has been written.
    pub fn rotate_if_due(&mut self, rotation: Rotation) -> io::Result<bool> {
        if rotation.maxbytes == 0 {
            return Ok(false);
        }
        let position = self.file.stream_position()?;
        if !rotation.is_due(position) || position < self.retry_at {
            return Ok(false);
        }
        self.retry_at = position.saturating_add(rotation.maxbytes);
        self.rotate(rotation.backups)?;
        self.retry_at = 0;
        Ok(true)
    }

    /// Closes the file and opens the path again: what is there now, or a new file.
    pub fn reopen(&mut self) -> io::Result<()> {
        let mode = self.file.metadata().map_or(NEW_MODE, |old| old.mode() & 0o777);
        self.file = LogFile::open_file(&self.path, mode)?;
        self.retry_at = 0;
        Ok(())
    }

    /// Removes the file and begins a new one. Where the directory does not allow that, the file is emptied instead.
    pub fn clear(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Ok(()) => self.reopen(),
            Err(error) if error.kind() == ErrorKind::NotFound => self.reopen(),
            Err(_) => {
                self.reopen()?;
                self.file.set_len(0)
            }
        }
    }

    fn rotate(&mut self, backups: u32) -> io::Result<()> {
        if self.is_at_its_path() {
            for step in rotation::plan(backups, &self.existing_backups(backups)) {
                self.carry_out(step)?;
            }
        }
        self.reopen()
    }

    /// Whether the path names something that may be renamed: a regular file or a link to one. A log that somebody has
    /// moved away leaves nothing to rotate, and what stands in its place now may be anything.
    fn is_at_its_path(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|there| there.is_file())
    }

    fn carry_out(&self, step: Step) -> io::Result<()> {
        let done = match step {
            Step::Truncate => self.file.set_len(0),
            Step::Rename { from, to } => fs::rename(rotation::name(&self.path, from), rotation::name(&self.path, to)),
        };
        match done {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn existing_backups(&self, backups: u32) -> BTreeSet<u32> {
        if backups <= LOOK_UP_LIMIT {
            let there = |number: &u32| fs::symlink_metadata(rotation::name(&self.path, *number)).is_ok();
            return (1..backups).filter(there).collect();
        }
        let path = Path::new(&self.path);
        let (Some(directory), Some(log)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return BTreeSet::new();
        };
        let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
        entries.flatten().filter_map(|entry| rotation::number(log, entry.file_name().to_str()?)).collect()
    }
}
