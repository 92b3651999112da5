//! From a command to the program that is executed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_config::words;
use supervisord_core::supervisor::CommandFailure;
use supervisord_sys::command::{self, CommandError};

use super::errands::{Errands, NoReply};
use super::surroundings::{Surroundings, search_path};
use crate::clock::present;

/// A command that can be executed.
pub(super) struct Launch {
    /// The file to execute.
    pub(super) program: PathBuf,
    /// The words, the first as written.
    pub(super) arguments: Vec<String>,
}

/// How long a program that has been found is taken to be still there, when it is started or restarted by itself.
const PRESUMED: Duration = Duration::from_secs(1);

/// How many programs that have been found are kept in mind.
const MOST_FOUND: usize = 256;

/// Finds the programs of commands.
#[derive(Default)]
pub(super) struct Finder {
    /// Where programs were, by name and search path, and when.
    found: HashMap<(String, OsString), (PathBuf, Duration)>,
}

impl Finder {
    /// Splits the command and finds its program, which need not be looked for again if it was there a moment ago.
    pub(super) fn find_lately(
        &mut self,
        process: &Process,
        surroundings: &Surroundings,
        errands: &mut Errands,
    ) -> Result<Launch, CommandFailure> {
        let (arguments, name) = split(process)?;
        let key = (name, search_path(process, surroundings));
        match self.found.get(&key) {
            Some((program, when)) if present().mono < *when + PRESUMED => {
                Ok(Launch { program: program.clone(), arguments })
            }
            _ => self.locate(key, errands).map(|program| Launch { program, arguments }),
        }
    }

    /// Splits the command and looks whether its program is there.
    pub(super) fn check(
        &mut self,
        process: &Process,
        surroundings: &Surroundings,
        errands: &mut Errands,
    ) -> Result<(), CommandFailure> {
        let (_, name) = split(process)?;
        self.locate((name, search_path(process, surroundings)), errands).map(drop)
    }

    fn locate(&mut self, key: (String, OsString), errands: &mut Errands) -> Result<PathBuf, CommandFailure> {
        let (name, search_path) = key.clone();
        let located = errands.ask(&key.0, move || command::locate(&name, &search_path));
        let located = located.map_err(|NoReply| {
            CommandFailure::Unusable(format!("the disk with command {} does not respond", repr(&key.0)))
        })?;
        match located {
            Ok(program) => {
                if self.found.len() >= MOST_FOUND {
                    self.found.clear();
                }
                self.found.insert(key, (program.clone(), present().mono));
                Ok(program)
            }
            Err(error) => {
                let failure = failure(&key.0, error);
                self.found.remove(&key);
                Err(failure)
            }
        }
    }
}

/// The words of a command, and the first of them once more.
fn split(process: &Process) -> Result<(Vec<String>, String), CommandFailure> {
    let arguments = words::split(&process.command).map_err(|error| {
        CommandFailure::Unusable(format!("can't parse command {}: {error}", repr(&process.command)))
    })?;
    let Some(name) = arguments.first().cloned() else {
        return Err(CommandFailure::Unusable("command is empty".to_owned()));
    };
    Ok((arguments, name))
}

fn failure(name: &str, error: CommandError) -> CommandFailure {
    let found = |path: &Path| repr(&path.to_string_lossy());
    match error {
        CommandError::NotFound => CommandFailure::Missing(format!("can't find command {}", repr(name))),
        CommandError::IsDirectory(path) => {
            CommandFailure::Unusable(format!("command at {} is a directory", found(&path)))
        }
        CommandError::NotExecutable(path) => {
            CommandFailure::Unusable(format!("command at {} is not executable", found(&path)))
        }
        CommandError::NoPermission(path) => {
            CommandFailure::Unusable(format!("no permission to run command {}", found(&path)))
        }
    }
}
