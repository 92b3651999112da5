//! A file beside the configuration that says how many processes a program has.

use std::fs;
use std::io::{self, ErrorKind};

use supervisord_config::drop_in::drop_in_path;
use supervisord_config::model::Config;
use supervisord_sys::{Errno, trusted};

use crate::file_replacement::{Durability, replace};
use crate::host::SystemHost;

/// The first line of each, by which the daemon knows its own.
const HEADER: &str = "; Written by supervisorctl scale --persist. Without this file, the number that the section has elsewhere counts.\n";

/// One that has been written, and can be taken back.
pub struct DropIn {
    path: String,
    /// What was there before.
    before: Option<Vec<u8>>,
}

impl DropIn {
    /// Writes one for a section, in one step. It may wait for a disk.
    ///
    /// # Errors
    /// Why it cannot be done, and what to write or do.
    pub fn write(config: &Config, section: &str, numprocs: i64) -> Result<DropIn, String> {
        let (_, program) = section.split_once(':').unwrap_or(("", section));
        let host = SystemHost::in_directory(config.here.clone());
        let path = drop_in_path(&config.file, &format!("scale-{program}"), &host)?;
        let before = match fs::read(&path) {
            Ok(text) if text.starts_with(HEADER.as_bytes()) => Some(text),
            Ok(_) => return Err(format!("{path} is there, and was not written by the daemon: rename it")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{path} cannot be read ({})", Errno::from(error))),
        };
        let text = format!("{HEADER}[{section}]\nnumprocs={numprocs}\n");
        write(&path, text.as_bytes()).map_err(|error| format!("{path} cannot be written ({})", Errno::from(error)))?;
        Ok(DropIn { path, before })
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes it back.
    pub fn undo(self) {
        // What cannot be taken back is there for the next update to find.
        let _ = match self.before {
            Some(text) => write(&self.path, &text),
            None => trusted::remove(&self.path),
        };
    }
}

/// Writes the file. The name that it has meanwhile is matched by no pattern.
fn write(path: &str, text: &[u8]) -> io::Result<()> {
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    replace(path, &format!("{directory}/.{name}.new"), text, 0o644, Durability::System).map(drop)
}
