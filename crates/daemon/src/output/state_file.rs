//! The state file: begun anew in one step, then appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
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

    /// Writes what waits. Gives the first failure; what could not be written is tried again with the next line.
    pub fn write(&mut self) -> Option<io::Error> {
        let file = self.file.as_mut().filter(|_| !self.waiting.is_empty())?;
        match append_whole(file, &self.waiting) {
            Ok(()) => {
                // Its memory goes too: the lines of a whole crowd wait together when it is started.
                self.waiting = Vec::new();
                self.failed = false;
                None
            }
            Err(error) => (!std::mem::replace(&mut self.failed, true)).then_some(error),
        }
    }

    /// Removes the file.
    pub fn end(&mut self, path: &str) {
        if self.file.take().is_some() {
            // What cannot be removed speaks of processes that are gone, which the next daemon will find out.
            let _ = fs::remove_file(path);
        }
    }
}

/// Adds lines to the file, all or none: nothing could be read behind half a line.
fn append_whole(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(lines).inspect_err(|_| {
        // If this fails too, the next reader takes what stands before the half line.
        let _ = file.set_len(before);
        let _ = file.seek(SeekFrom::Start(before));
    })
}

fn create(path: &str, content: &[u8]) -> io::Result<File> {
    let temporary = format!("{path}.new");
    // Whatever somebody may have put there: it is neither followed nor taken over.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    fs::rename(&temporary, path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_others_put_in_the_way_is_neither_followed_nor_taken_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.pid.state");
        let new = dir.path().join("s.pid.state.new");
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").expect("written");
        let begin = || StateFile::default().begin(path.to_str().expect("text"), b"state\n").map(|error| error.kind());

        symlink(&victim, &new).expect("linked");
        assert_eq!(begin(), None);

        // A file that somebody has open, or may read.
        fs::write(&new, "planted").expect("written");
        fs::set_permissions(&new, PermissionsExt::from_mode(0o666)).expect("ours");
        let mut planted = File::options().append(true).open(&new).expect("opened");
        assert_eq!(begin(), None);
        planted.write_all(b"more").expect("written");

        symlink(&victim, dir.path().join("link")).expect("linked");
        fs::rename(dir.path().join("link"), &path).expect("in its place");
        assert_eq!(begin(), None);

        assert_eq!(fs::read_to_string(&path).expect("read"), "state\n");
        let found = fs::symlink_metadata(&path).expect("there");
        assert!(found.is_file() && found.permissions().mode() & 0o777 == 0o600, "{found:?}");
        assert_eq!(fs::read_to_string(&victim).expect("read"), "precious");

        fs::create_dir(&new).expect("made");
        assert!(begin().is_some(), "what cannot be put away is a failure");
        assert_eq!(fs::read_to_string(&path).expect("read"), "state\n");
    }
}
