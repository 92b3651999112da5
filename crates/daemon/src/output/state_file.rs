//! The state file: begun anew in one step, then appended to.

use std::fs::File;
use std::io::{self, Write};

use supervisord_sys::trusted;

use crate::file_replacement::{Durability, replace};

/// The file, once begun.
#[derive(Default)]
pub(super) struct StateFile {
    file: Option<File>,
    /// Lines that belong to it and are not written yet.
    waiting: Vec<u8>,
    /// The disk did not take it the last time.
    has_failed: bool,
}

/// What became of a change of the file.
pub(super) enum Outcome {
    /// It is as it should be.
    Written,
    /// So it is, for the first time after a failure.
    WrittenAgain,
    /// The disk did not take it. What stands there is older than it should be, or torn at its end, until it is begun anew.
    Failed {
        /// Why not.
        error: io::Error,
        /// Whether it is the first failure in a row.
        is_new: bool,
    },
}

impl StateFile {
    /// Puts a new file in the place of the old one; at every moment one of them is there as a whole.
    pub fn begin(&mut self, path: &str, content: &[u8]) -> Outcome {
        self.waiting.clear();
        match replace(path, &temporary(path), content, 0o600, Durability::Daemon) {
            Ok(file) => {
                self.file = Some(file);
                match std::mem::take(&mut self.has_failed) {
                    true => Outcome::WrittenAgain,
                    false => Outcome::Written,
                }
            }
            Err(error) => self.fail(error),
        }
    }

    /// Appends a line, which is in the file after the next [`StateFile::write`]. Without a file it is dropped: the file
    /// that is begun next has it.
    pub fn append(&mut self, line: &[u8]) {
        if self.file.is_some() {
            self.waiting.extend_from_slice(line);
        }
    }

    /// Writes what waits.
    pub fn write(&mut self) -> Outcome {
        let Some(file) = self.file.as_mut().filter(|_| !self.waiting.is_empty()) else { return Outcome::Written };
        // Its memory goes too: the lines of a whole crowd wait together when it is started.
        let waiting = std::mem::take(&mut self.waiting);
        match file.write_all(&waiting) {
            Ok(()) => Outcome::Written,
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: io::Error) -> Outcome {
        self.file = None;
        Outcome::Failed { error, is_new: !std::mem::replace(&mut self.has_failed, true) }
    }

    /// Removes the file.
    pub fn end(&mut self, path: &str) {
        self.file = None;
        // What cannot be removed speaks of processes that are gone, which the next daemon will find out.
        let _ = trusted::remove(path);
        let _ = trusted::remove(temporary(path));
    }
}

fn temporary(path: &str) -> String {
    format!("{path}.new")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_others_put_in_the_way_is_neither_followed_nor_taken_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.pid.state");
        let new = dir.path().join("s.pid.state.new");
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").expect("written");
        let begin = || match StateFile::default().begin(path.to_str().expect("text"), b"state\n") {
            Outcome::Failed { error, .. } => Some(error.kind()),
            Outcome::Written | Outcome::WrittenAgain => None,
        };

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
