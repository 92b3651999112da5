//! The lines of earlier sessions: one per line, oldest first, in the original's format.
//!
//! Errors are ignored: the shell works without a history.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use supervisord_sys::small_file;

/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The most lines to keep.
pub const MAX_LINES: usize = 10_000;

/// A history file.
pub struct HistoryFile {
    path: PathBuf,
}

impl HistoryFile {
    /// The file at this path, which need not exist.
    pub fn new(path: String) -> HistoryFile {
        HistoryFile { path: path.into() }
    }

    /// The newest lines, oldest first; truncates a file that has grown too long.
    pub fn load(&self) -> Vec<String> {
        let content =
            String::from_utf8_lossy(&small_file::read(&self.path, MOST_BYTES).unwrap_or_default()).into_owned();
        let count = content.lines().count();
        let lines: Vec<String> = content.lines().skip(count.saturating_sub(MAX_LINES)).map(str::to_owned).collect();
        if count > lines.len() {
            drop(self.replace(&lines));
        }
        lines
    }

    /// Creates an empty file if there is none. Every shell does so, also one that reads a pipe and records no lines.
    pub fn make(&self) {
        drop(self.open());
    }

    /// Appends a line immediately, so that neither other shells nor a crash lose it.
    pub fn append(&self, line: &str) {
        if let Ok(mut file) = self.open() {
            drop(file.write_all(format!("{line}\n").as_bytes()));
        }
    }

    /// Opens the file for appending; a new one is readable only for its owner.
    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    fn replace(&self, lines: &[String]) -> std::io::Result<()> {
        let new = beside(&self.path);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all((lines.join("\n") + "\n").as_bytes())?;
        fs::rename(&new, &self.path)
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, HistoryFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = HistoryFile { path: directory.path().join("history") };
        (directory, file)
    }

    #[test]
    fn history_lines_are_loaded_in_order() {
        let (_directory, file) = file();
        assert!(file.load().is_empty());
        file.append("status");
        file.append("pid");
        assert_eq!(file.load(), ["status", "pid"]);
    }

    #[test]
    fn a_long_file_is_cut_at_its_beginning() {
        let (_directory, file) = file();
        let all: String = (0..MAX_LINES + 3).map(|n| format!("{n}\n")).collect();
        fs::write(&file.path, all).unwrap();
        assert_eq!(file.load().first().map(String::as_str), Some("3"));
        assert_eq!(fs::read_to_string(&file.path).unwrap().lines().count(), MAX_LINES);
    }

    #[test]
    fn an_unwritable_history_file_is_ignored() {
        let file = HistoryFile::new("/nonexistent/history".into());
        file.append("status");
        assert!(file.load().is_empty());
    }
}
