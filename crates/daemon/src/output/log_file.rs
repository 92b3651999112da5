//! A log that is a regular file: appended to, rotated, opened again, emptied.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use supervisord_core::rotation::Rotation;
use supervisord_sys::{sink as open, trusted};

use super::backups::Backups;
use super::disk_guard::{self, DiskGuard};
use super::loss::Loss;
use super::transit::{FileId, Transit};
use super::upkeep::Upkeep;

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: Arc<str>,
    /// Open for appending.
    file: File,
    id: FileId,
    /// After a failed rotation: the position from which it is tried again.
    retry_at: u64,
}

/// How an attempt ended to take bytes out of a pipe on their way to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// So many bytes are out of the pipe.
    Moved(usize),
    /// Nothing is in the pipe.
    Empty,
    /// Nothing will ever be in the pipe.
    Ended,
    /// It does not work: the bytes are still in the pipe and have to be read and written.
    Refused,
}

impl LogFile {
    /// Takes over a regular file that was opened for appending, and about which this was found out.
    pub fn new(path: Arc<str>, file: File, found: &Metadata) -> LogFile {
        LogFile { path, file, id: FileId::of(found), retry_at: 0 }
    }

    /// Whether so many bytes do not make it long enough to be rotated.
    pub fn has_room(&self, bytes: usize, rotation: Rotation) -> bool {
        rotation.maxbytes == 0
            || self.file.metadata().is_ok_and(|found| !rotation.is_due(found.len().saturating_add(bytes as u64)))
    }

    /// Whether its disk has room for so many bytes beyond its reserve.
    pub fn has_room_on_disk(&self, guard: Option<&Mutex<DiskGuard>>, bytes: usize) -> bool {
        disk_guard::has_room(guard, &self.file, self.id.device, bytes)
    }

    /// Writes all of `bytes` to the end of the file.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Loss> {
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

    /// Which file it is, and how long.
    pub fn end(&self) -> io::Result<(FileId, u64)> {
        Ok((self.id, self.file.metadata()?.len()))
    }

    /// Whether both are the same file.
    pub fn is_same(&self, other: &LogFile) -> bool {
        self.id == other.id
    }

    /// Whether its path still leads to it.
    pub fn is_at_path(&self) -> bool {
        fs::metadata(&*self.path).is_ok_and(|found| self.id == FileId::of(&found))
    }

    /// What is taken from now on belongs to this log.
    pub fn claim(&self, transit: &mut Transit) {
        transit.claim(&self.path, self.id);
    }

    /// Appends a part of what has been taken.
    pub fn append_taken(&self, transit: &mut Transit, part: Range<usize>) -> Result<(), Loss> {
        self.claim(transit);
        transit.append(&self.file, part).map_err(|(lost, error)| Loss::new(lost, &error))
    }

    /// Rotates the file if a write has made it long enough. True when it was; after an error the old file stays in
    /// use, and the next attempt waits until as much again has been written.
    pub fn rotate_if_due(&mut self, rotation: Rotation, upkeep: Option<&Upkeep>) -> io::Result<bool> {
        if rotation.maxbytes == 0 {
            return Ok(false);
        }
        let position = self.file.stream_position()?;
        if !rotation.is_due(position) || position < self.retry_at {
            return Ok(false);
        }
        self.retry_at = position.saturating_add(rotation.maxbytes);
        match upkeep {
            Some(upkeep) => self.rotate_by_rules(upkeep)?,
            None => {
                let (path, directories) = (self.path.clone(), Mutex::default());
                let count = rotation.backups;
                self.rotate(Backups::of(&path, None, count, &directories), count)?;
            }
        }
        Ok(true)
    }

    /// Rotates the file as its rules say. After an error the old file stays in use.
    pub fn rotate_by_rules(&mut self, upkeep: &Upkeep) -> io::Result<()> {
        let path = self.path.clone();
        self.rotate(upkeep.backups(&path), upkeep.count)
    }

    /// Its last line is of this time. What cannot be set is at most rotated later.
    pub fn set_modified(&self, time: SystemTime) {
        drop(self.file.set_modified(time));
    }

    /// The permission bits, for a file that takes the place of this one.
    pub fn mode(&self) -> Option<u32> {
        self.file.metadata().ok().map(|there| there.mode() & 0o777)
    }

    /// Removes the file and begins a new one. Where the directory does not allow that, the file is emptied instead.
    pub fn clear(&mut self) -> io::Result<()> {
        match trusted::remove(&*self.path) {
            Ok(()) => self.begin_anew(),
            Err(error) if error.kind() == ErrorKind::NotFound => self.begin_anew(),
            Err(_) => {
                self.begin_anew()?;
                self.file.set_len(0)
            }
        }
    }

    fn rotate(&mut self, backups: Option<Backups<'_>>, count: u32) -> io::Result<()> {
        if self.is_at_its_path() {
            match backups.filter(|_| count > 0) {
                Some(backups) => backups.add(count, self.file.metadata()?.mtime())?,
                None => self.file.set_len(0)?,
            }
        }
        self.begin_anew()
    }

    /// Goes on with what is at the path now, or with a new file.
    fn begin_anew(&mut self) -> io::Result<()> {
        let file = open::open_append(&self.path, self.mode().unwrap_or(NEW_MODE))?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("something else than a file is in its place"));
        }
        *self = LogFile::new(self.path.clone(), file, &found);
        Ok(())
    }

    /// Whether the path names something that may be renamed: a regular file or a link to one. A log that somebody has
    /// moved away leaves nothing to rotate, and what stands in its place now may be anything.
    fn is_at_its_path(&self) -> bool {
        fs::metadata(&*self.path).is_ok_and(|there| there.is_file())
    }
}

/// Permission bits of a new log before the mask of the daemon.
pub(super) const NEW_MODE: u32 = 0o666;
