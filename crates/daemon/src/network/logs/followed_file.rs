//! A file of a log that is being read: the log itself, or a rotated file, compressed or not.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};

use bytes::Bytes;
use supervisord_config::log_compression::LogCompression;
use supervisord_sys::fd;

use crate::network::streams::PIECE;
use crate::rotated_log::TrailFile;
use crate::{compressed_log, file_end};

/// How much of two files is compared to find out whether one is the other, compressed.
const BEGINNING: usize = 4096;

/// An open file. What is compressed is read once, from its beginning to its end.
pub(super) struct FollowedFile {
    file: File,
    id: (u64, u64),
    content: Option<Box<dyn Read + Send>>,
    /// Whether no read of it waits for a disk.
    is_in_memory: bool,
}

impl fmt::Debug for FollowedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedFile").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FollowedFile {
    /// The log at a path.
    pub fn open(path: &str) -> io::Result<(FollowedFile, Metadata)> {
        FollowedFile::of(file_end::open(path)?, LogCompression::None)
    }

    /// A file of a log; none where there is another one in its place by now.
    pub fn open_in_trail(entry: &TrailFile) -> io::Result<Option<(FollowedFile, Metadata)>> {
        let file = match entry.label {
            None => file_end::open(&entry.path)?,
            Some(_) => file_end::open_unfollowed(&entry.path)?,
        };
        let (file, found) = FollowedFile::of(file, entry.compression)?;
        Ok((file.id == entry.id).then_some((file, found)))
    }

    fn of(file: File, form: LogCompression) -> io::Result<(FollowedFile, Metadata)> {
        let found = file.metadata()?;
        let content = match form {
            LogCompression::None => None,
            form => Some(compressed_log::decoder(form, file.try_clone()?)?),
        };
        let is_in_memory = content.is_none() && fd::is_on_memory_file_system(file.as_fd());
        Ok((FollowedFile { file, id: (found.dev(), found.ino()), content, is_in_memory }, found))
    }

    /// Its device and inode.
    pub fn id(&self) -> (u64, u64) {
        self.id
    }

    /// Its inode.
    pub fn inode(&self) -> u64 {
        self.id.1
    }

    /// How long it is; none where only its end tells that.
    pub fn length(&self) -> io::Result<Option<u64>> {
        if self.content.is_some() { Ok(None) } else { Ok(Some(self.file.metadata()?.len())) }
    }

    /// What is known of it now, whatever it is called.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Whether a compressed file was made of this one.
    pub fn is_source_of(&self, entry: &TrailFile) -> bool {
        let is_same_time = self.file.metadata().is_ok_and(|own| (own.mtime(), own.mtime_nsec()) == entry.modified);
        if self.content.is_some() || entry.compression == LogCompression::None || !is_same_time {
            return false;
        }
        let mut own = vec![0; BEGINNING];
        let other = FollowedFile::open_in_trail(entry).ok().flatten().and_then(|(mut other, _)| {
            let mut bytes = Vec::new();
            other.content.as_mut()?.take(BEGINNING as u64).read_to_end(&mut bytes).ok()?;
            Some(bytes)
        });
        let count = self.file.read_at(&mut own, 0).unwrap_or(0);
        own.truncate(count);
        other.is_some_and(|other| other == own)
    }

    /// What is at a position, a piece of it.
    pub fn read(&mut self, position: u64) -> io::Result<Bytes> {
        let mut bytes = [0; PIECE];
        let count = loop {
            let read = match &mut self.content {
                None => self.file.read_at(&mut bytes, position),
                Some(content) => content.read(&mut bytes),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                count => break count?,
            }
        };
        Ok(Bytes::copy_from_slice(&bytes[..count]))
    }

    /// The same of what is in memory; none where only a disk can tell.
    pub fn read_cached(&self, position: u64) -> Option<Bytes> {
        if self.content.is_some() {
            return None;
        }
        let mut bytes = [0; PIECE];
        let count = loop {
            let read = match self.is_in_memory {
                true => self.file.read_at(&mut bytes, position),
                false => fd::read_cached_at(self.file.as_fd(), &mut bytes, position),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                count => break count.ok()?,
            }
        };
        Some(Bytes::copy_from_slice(&bytes[..count]))
    }

    /// Passes over so many bytes of what is compressed; whether there are as many.
    pub fn skip(&mut self, count: u64) -> io::Result<bool> {
        let Some(content) = &mut self.content else { return Ok(true) };
        Ok(io::copy(&mut content.take(count), &mut io::sink())? == count)
    }
}
