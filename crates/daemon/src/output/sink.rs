//! One open log of any kind, with the account of what it could not take.

use std::io;

use supervisord_config::model::LogLevel;
use supervisord_core::rotation::Rotation;

use super::log_file::{Appended, LogFile};

/// What a sink has to say: severity and text of entries of the activity log.
pub(super) type Said = Vec<(LogLevel, String)>;

/// An open log.
#[derive(Debug)]
pub(super) struct Sink {
    path: String,
    file: LogFile,
    /// Whether renaming, removing and truncating are out of the question.
    is_device: bool,
    lost: Option<u64>,
    has_warned_of_rotation: bool,
}

impl Sink {
    /// Opens `path` for appending, or creates it.
    pub fn open(path: &str) -> io::Result<Sink> {
        let file = LogFile::open_file(path, 0o666)?;
        let is_device = !file.metadata()?.is_file();
        Ok(Sink {
            path: path.to_owned(),
            file: LogFile::new(path, file),
            is_device,
            lost: None,
            has_warned_of_rotation: false,
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Writes one record, then rotates the log if it is long enough.
    pub fn write(&mut self, bytes: &[u8], rotation: Rotation) -> Said {
        let mut said = Said::new();
        let appended = self.file.append(bytes);
        self.account(bytes.len(), appended, &mut said);
        if self.is_device {
            if rotation.maxbytes > 0 {
                self.warn_of_rotation("it is not a regular file", &mut said);
            }
            return said;
        }
        match self.file.rotate_if_due(rotation) {
            Ok(true) => self.has_warned_of_rotation = false,
            Ok(false) => {}
            Err(error) => self.warn_of_rotation(&error.to_string(), &mut said),
        }
        said
    }

    /// Opens the path again; on an error the old file stays in use.
    pub fn reopen(&mut self) -> Said {
        if self.is_device {
            return Said::new();
        }
        match self.file.reopen() {
            Ok(()) => Said::new(),
            Err(error) => vec![(LogLevel::Warn, format!("could not reopen {}: {error}", self.path))],
        }
    }

    /// Empties a regular file; anything else stays as it is.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.is_device { Ok(()) } else { self.file.clear() }
    }

    /// The last words of a log nobody uses any more.
    pub fn close(&mut self) -> Said {
        match self.lost.take() {
            Some(lost) => vec![(LogLevel::Warn, format!("{lost} bytes for {} were lost", self.path))],
            None => Said::new(),
        }
    }

    /// Counts what could not be written: the first failure and the end of the trouble are said, not each failure.
    fn account(&mut self, wanted: usize, appended: Appended, said: &mut Said) {
        let missing = (wanted - appended.written) as u64;
        match (appended.error, self.lost) {
            (None, None) => {}
            (None, Some(lost)) => {
                self.lost = None;
                said.push((LogLevel::Warn, format!("{} can be written again, {lost} bytes were lost", self.path)));
            }
            (Some(error), lost) => {
                if lost.is_none() {
                    said.push((LogLevel::Error, format!("could not write to {}, output is lost: {error}", self.path)));
                }
                self.lost = Some(lost.unwrap_or(0) + missing);
            }
        }
    }

    fn warn_of_rotation(&mut self, reason: &str, said: &mut Said) {
        if !self.has_warned_of_rotation {
            self.has_warned_of_rotation = true;
            said.push((LogLevel::Warn, format!("{} is not rotated: {reason}", self.path)));
        }
    }
}
