//! The pid file: written when the daemon is ready, removed at its end if it is still its own.

use std::io::Write;
use std::path::PathBuf;
use std::{fs, io};

use supervisord_sys::trusted;

/// Permission bits before the mask of the daemon.
const MODE: u32 = 0o666;

/// A pid file this daemon wrote; dropping it removes the file.
pub struct PidFile {
    path: PathBuf,
    content: String,
}

impl PidFile {
    /// Writes the process id and a line feed.
    pub fn write(path: &str) -> io::Result<PidFile> {
        let content = format!("{}\n", std::process::id());
        // Others may be able to put a link where it is to be: in `/tmp`, for instance.
        let mut file = trusted::open_write(path, MODE)?;
        // A device has no length.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        file.write_all(content.as_bytes())?;
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
