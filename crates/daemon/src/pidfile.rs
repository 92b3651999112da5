//! The pid file: written when the daemon is ready, removed at its end if it is still its own.

use std::path::PathBuf;
use std::{fs, io};

/// A pid file this daemon wrote; dropping it removes the file.
pub struct PidFile {
    path: PathBuf,
    content: String,
}

impl PidFile {
    /// Writes the process id and a line feed.
    pub fn write(path: &str) -> io::Result<PidFile> {
        let content = format!("{}\n", std::process::id());
        fs::write(path, &content)?;
        Ok(PidFile { path: path.into(), content })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another daemon may have written its own id meanwhile; that file is not ours to remove.
        if fs::read_to_string(&self.path).is_ok_and(|content| content == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
