//! The rotated files of a log that are left alone, and what has been said of them.

use std::collections::HashSet;
use std::fs::{self, FileType};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use supervisord_config::model::LogLevel;

use super::loss::Entries;

/// How many files are remembered as told. A directory with more of them is told of again.
const MOST: usize = 1000;

/// What is passed over, each told once, whatever it is called after the next rotation.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    /// Device and inode of those that were told.
    told: HashSet<(u64, u64)>,
    /// Those whose compression has failed since the last rotation.
    failed: HashSet<(u64, u64)>,
    /// What is to be told.
    news: Vec<String>,
}

impl PassedOver {
    /// Passes over a backup that is no regular file.
    pub fn add_irregular(&mut self, path: &Path) {
        if let Ok(found) = fs::symlink_metadata(path) {
            let kind = kind(found.file_type());
            self.add(
                path,
                &format!("is {kind}: only regular files are compressed, or removed by age, number and total"),
            );
        }
    }

    /// Passes over a backup for this reason.
    pub fn add(&mut self, path: &Path, reason: &str) {
        let Ok(found) = fs::symlink_metadata(path) else { return };
        if self.told.len() >= MOST {
            self.told.clear();
        }
        if self.told.insert((found.dev(), found.ino())) {
            self.news.push(format!("{} is left alone, because it {reason}", path.display()));
        }
    }

    /// The compression of a file with this device and inode has failed. Whether that says nothing about the others.
    pub fn add_failed(&mut self, id: (u64, u64), error: &Error) -> bool {
        let is_of_all = matches!(
            error.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
                | ErrorKind::AlreadyExists
                | ErrorKind::OutOfMemory
                | ErrorKind::Interrupted
        );
        !is_of_all && self.failed.insert(id)
    }

    /// Whether its compression has failed since the last rotation.
    pub fn has_failed(&self, id: (u64, u64)) -> bool {
        self.failed.contains(&id)
    }

    /// After a rotation all are tried again.
    pub fn try_again(&mut self) {
        self.failed.clear();
    }

    /// Tells what is new.
    pub fn tell(&mut self, entries: &mut Entries) {
        entries.extend(self.news.drain(..).map(|text| (LogLevel::Warn, text)));
    }
}

fn kind(kind: FileType) -> &'static str {
    match () {
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "not a regular file",
    }
}
