//! The state file: begun anew in one step, then appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

/// The file, once begun.
#[derive(Default)]
pub(super) struct StateFile {
    file: Option<File>,
    /// Lines that belong to it and are not written yet.
    waiting: Vec<u8>,
    /// A failure has been said; nothing more is until the file is begun anew.
    failed: bool,
}

impl StateFile {
    /// Puts a new file in the place of the old one; at every moment one of them is there as a whole. Gives the first
    /// failure.
    pub fn begin(&mut self, path: &str, content: &[u8]) -> Option<io::Error> {
        let made = create(path, content);
        self.failed = made.is_err();
        self.waiting.clear();
        match made {
            Ok(file) => {
                self.file = Some(file);
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Appends a line, which is in the file after the next [`StateFile::write`].
    pub fn append(&mut self, line: &[u8]) {
        if self.file.is_some() {
            self.waiting.extend_from_slice(line);
        }
    }

    /// Writes what waits. Gives the first failure.
    pub fn write(&mut self) -> Option<io::Error> {
        if self.waiting.is_empty() {
            return None;
        }
        let lines = std::mem::take(&mut self.waiting);
        let error = self.file.as_mut()?.write_all(&lines).err()?;
        (!std::mem::replace(&mut self.failed, true)).then_some(error)
    }

    /// Removes the file.
    pub fn end(&mut self, path: &str) {
        if self.file.take().is_some() {
            // What cannot be removed speaks of processes that are gone, which the next daemon will find out.
            let _ = fs::remove_file(path);
        }
    }
}

fn create(path: &str, content: &[u8]) -> io::Result<File> {
    let temporary = format!("{path}.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    fs::rename(&temporary, path)?;
    Ok(file)
}
