//! A log that is a regular file: appended to, rotated, opened again, emptied.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use supervisord_core::rotation::{self, Rotation, Step};
use supervisord_sys::fd::{self, FileKind};
use supervisord_sys::sink as open;

use super::loss::Loss;

/// With at most this many backups each is looked for by name; with more, the directory is listed.
const LOOK_UP_LIMIT: u32 = 100;

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: Arc<str>,
    file: File,
    /// Whether the system puts every write at the end, which it refuses to do together with splicing.
    is_appending: bool,
    /// False once the file system has refused to splice.
    can_splice: bool,
    /// After a failed rotation: the position from which it is tried again.
    retry_at: u64,
}

/// How an attempt ended to move bytes from a pipe into the file without looking at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spliced {
    /// So many bytes are in the file.
    Moved(usize),
    /// Nothing is in the pipe.
    Empty,
    /// Nothing will ever be in the pipe.
    Ended,
    /// It does not work, now or ever: the bytes are still in the pipe and have to be read and written.
    Refused,
}

impl LogFile {
    /// Takes over a regular file that was opened for appending.
    pub fn new(path: Arc<str>, file: File) -> LogFile {
        LogFile { path, file, is_appending: true, can_splice: true, retry_at: 0 }
    }

    /// Writes all of `bytes` to the end of the file.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Loss> {
        self.set_appending(true).map_err(|error| Loss::new(bytes.len(), &error))?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(Loss::new(rest.len(), &ErrorKind::WriteZero)),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Loss::new(rest.len(), &error)),
            }
        }
        Ok(())
    }

    /// Moves at most `limit` bytes from a pipe to the end of the file: at any moment they are in one or the other, so
    /// that not even SIGKILL can lose any.
    pub fn splice(&mut self, pipe: BorrowedFd<'_>, limit: usize) -> Spliced {
        if !self.can_splice || self.set_appending(false).is_err() || self.file.seek(SeekFrom::End(0)).is_err() {
            return Spliced::Refused;
        }
        match fd::splice(pipe, self.file.as_fd(), limit) {
            Ok(0) => Spliced::Ended,
            Ok(count) => Spliced::Moved(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Spliced::Empty,
            Err(error) => {
                self.can_splice = !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported);
                Spliced::Refused
            }
        }
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
        Ok(true)
    }

    /// The permission bits, for a file that takes the place of this one.
    pub fn mode(&self) -> Option<u32> {
        self.file.metadata().ok().map(|there| there.mode() & 0o777)
    }

    /// Removes the file and begins a new one. Where the directory does not allow that, the file is emptied instead.
    pub fn clear(&mut self) -> io::Result<()> {
        match fs::remove_file(&*self.path) {
            Ok(()) => self.begin_anew(),
            Err(error) if error.kind() == ErrorKind::NotFound => self.begin_anew(),
            Err(_) => {
                self.begin_anew()?;
                self.file.set_len(0)
            }
        }
    }

    /// Turns on or off that the system puts every write at the end.
    fn set_appending(&mut self, on: bool) -> io::Result<()> {
        if self.is_appending != on {
            open::set_append(self.file.as_fd(), on)?;
            self.is_appending = on;
        }
        Ok(())
    }

    fn rotate(&mut self, backups: u32) -> io::Result<()> {
        if self.is_at_its_path() {
            for step in rotation::plan(backups, &self.existing_backups(backups)) {
                self.carry_out(step)?;
            }
        }
        self.begin_anew()
    }

    /// Goes on with what is at the path now, or with a new file.
    fn begin_anew(&mut self) -> io::Result<()> {
        let file = open::open_append(&self.path, self.mode().unwrap_or(NEW_MODE))?;
        if fd::kind(file.as_fd())? != FileKind::Regular {
            return Err(io::Error::other("something else than a file is in its place"));
        }
        *self = LogFile { can_splice: self.can_splice, ..LogFile::new(self.path.clone(), file) };
        Ok(())
    }

    /// Whether the path names something that may be renamed: a regular file or a link to one. A log that somebody has
    /// moved away leaves nothing to rotate, and what stands in its place now may be anything.
    fn is_at_its_path(&self) -> bool {
        fs::metadata(&*self.path).is_ok_and(|there| there.is_file())
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
        let path = Path::new(&*self.path);
        let (Some(directory), Some(log)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return BTreeSet::new();
        };
        let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
        entries.flatten().filter_map(|entry| rotation::number(log, entry.file_name().to_str()?)).collect()
    }
}

/// Permission bits of a new log before the mask of the daemon.
pub(super) const NEW_MODE: u32 = 0o666;
