//! The state file: begun anew in one step, then appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

/// The file, once begun.
#[derive(Default)]
pub(super) struct StateFile {
    file: Option<File>,
    /// A failure has been said; nothing more is until the file is begun anew.
    failed: bool,
}

impl StateFile {
    /// Puts a new file in the place of the old one; at every moment one of them is there as a whole. Gives the first
    /// failure.
    pub fn begin(&mut self, path: &str, content: &[u8]) -> Option<io::Error> {
        let made = create(path, content);
        self.failed = made.is_err();
        match made {
            Ok(file) => {
                self.file = Some(file);
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Appends a line. Gives the first failure.
    pub fn append(&mut self, line: &[u8]) -> Option<io::Error> {
        let error = self.file.as_mut()?.write_all(line).err()?;
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
