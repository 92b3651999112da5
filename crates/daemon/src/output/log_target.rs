//! What the path of a log leads to: a regular file, or something that takes bytes when it likes.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;

use supervisord_sys::fd::{self, FileKind};
use supervisord_sys::sink as open;

use super::log_file::LogFile;
use super::log_path;
use super::stream_log::{Outlet, StreamLog};

/// Where the bytes of a log go.
#[derive(Debug)]
pub(super) enum Target {
    File(LogFile),
    Stream(StreamLog),
    /// It has not been opened yet, or could not be: the first write opens it.
    Unopened,
}

impl Target {
    /// Opens `path` for appending, or creates it with this mode.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn open(path: &Arc<str>, inherited: Option<i32>, mode: u32) -> io::Result<Target> {
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

/// Whether both descriptors lead to the same file or device.
pub(super) fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
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
