//! Puts a new file in the place of another one in one step: at every moment one of them is there as a whole.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use supervisord_sys::trusted;

/// What the new file outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The daemon, but perhaps no loss of power.
    Daemon,
    /// The system: it is on the disk afterwards, which takes as long as the disk does.
    System,
}

/// Writes `content` to the file `temporary`, which it makes with `mode`, and gives that the name `path` in the same directory.
/// Returns the file, open for writing behind its content.
///
/// # Errors
/// Those of the file system. Then the old file is there, and `temporary` is not; where only the directory could not be put on the
/// disk, the new file is there.
pub fn replace(path: &str, temporary: &str, content: &[u8], mode: u32, durability: Durability) -> io::Result<File> {
    // Whatever somebody may have put there: it is neither followed nor taken over.
    remove(temporary)?;
    let mut file = trusted::create_new(temporary, mode)?;
    let is_synced = durability == Durability::System;
    let replaced = file
        .write_all(content)
        .and_then(|()| if is_synced { file.sync_all() } else { Ok(()) })
        .and_then(|()| trusted::rename(temporary, path))
        .and_then(|()| if is_synced { sync_directory(path) } else { Ok(()) });
    if replaced.is_err() {
        // It may be what a full disk lacks.
        let _ = trusted::remove(temporary);
    }
    replaced.map(|()| file)
}

/// Removes a file, if there is one.
///
/// # Errors
/// Those of the file system.
pub fn remove(path: &str) -> io::Result<()> {
    match trusted::remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Has the disk take what has changed in the directory of a file.
///
/// # Errors
/// Those of the file system.
pub fn sync_directory(path: &str) -> io::Result<()> {
    let directory = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
