//! Which file of a log continues the one that has been read to its end.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::followed_file::FollowedFile;
use crate::rotated_log::{RotatedLog, TrailFile};

/// How often the files are looked at again where they are being rotated at this moment.
const ATTEMPTS: usize = 5;

/// The file that continues another one.
pub(super) struct Successor {
    pub file: FollowedFile,
    /// Whether there may have been others in between, which were removed.
    pub is_gap: bool,
}

/// The file that continues this one, once something has been written to it. Until then the old one may be the one that is still
/// written to, as is so between the moves of a log rotating program and the signal to reopen.
pub(super) fn of(log: &RotatedLog, read: &FollowedFile) -> Option<Successor> {
    for _ in 0..ATTEMPTS {
        let current = fs::metadata(&log.path).ok()?;
        if (current.dev(), current.ino()) == read.id() {
            return None;
        }
        let trail = log.trail().ok()?;
        let place = trail.iter().position(|entry| entry.id == read.id() || read.is_source_of(entry));
        let (entry, is_gap) = match place {
            Some(place) => (trail.get(place.checked_sub(1)?)?, false),
            None => match oldest_after(read, &trail) {
                // Several rotations since the last look.
                Some(rotated) => (rotated, true),
                None => (trail.first()?, false),
            },
        };
        if let Ok(Some((file, found))) = FollowedFile::open_in_trail(entry) {
            return (found.len() > 0).then_some(Successor { file, is_gap });
        }
    }
    None
}

/// The oldest rotated file that was written after one that has been removed.
fn oldest_after<'t>(read: &FollowedFile, trail: &'t [TrailFile]) -> Option<&'t TrailFile> {
    let own = read.metadata().ok().filter(|own| own.nlink() == 0)?;
    let is_later = |entry: &&TrailFile| entry.label.is_some() && entry.modified > (own.mtime(), own.mtime_nsec());
    trail.iter().rev().find(is_later)
}

/// The rotated file with this inode, and how long it is, where that is known.
pub(super) fn with_inode(log: &RotatedLog, inode: Option<u64>) -> Option<(FollowedFile, Option<u64>)> {
    let trail = log.trail().ok()?;
    let entry = trail.iter().find(|entry| Some(entry.id.1) == inode)?;
    let (file, _) = FollowedFile::open_in_trail(entry).ok()??;
    let length = file.length().ok()?;
    Some((file, length))
}
