//! From a command to the program that is executed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_config::words;
use supervisord_core::supervisor::CommandFailure;
use supervisord_sys::command::{self, CommandError};

use super::offload::{NoReply, Offload};
use super::surroundings::{Surroundings, search_path};

/// A command that can be executed.
pub(super) struct Launch {
    /// The file to execute.
    pub(super) program: PathBuf,
    /// The words, the first as written.
    pub(super) arguments: Vec<String>,
}

/// Why there is no launch.
pub(super) enum Unfound {
    /// The command cannot be executed.
    Failed(CommandFailure),
    /// The disk with the program has not answered; the text for clients and logs.
    Unanswered(String),
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
    /// Splits the command and finds its program, which is not looked for again if it was there a moment ago.
    pub(super) fn find_lately(
        &mut self,
        process: &Process,
        surroundings: &Surroundings,
        offload: &mut Offload,
        now: Duration,
    ) -> Result<Launch, Unfound> {
        let (arguments, name) = split(process)?;
        let key = (name, search_path(process, surroundings));
        let program = match self.found.get(&key) {
            Some((program, when)) if now < *when + PRESUMED => program.clone(),
            _ => self.locate(key, offload, now)?,
        };
        Ok(Launch { program, arguments })
    }

    /// Splits the command and looks whether its program is there.
    pub(super) fn check(
        &mut self,
        process: &Process,
        surroundings: &Surroundings,
        offload: &mut Offload,
        now: Duration,
    ) -> Result<(), Unfound> {
        let (_, name) = split(process)?;
        self.locate((name, search_path(process, surroundings)), offload, now).map(drop)
    }

    fn locate(&mut self, key: (String, OsString), offload: &mut Offload, now: Duration) -> Result<PathBuf, Unfound> {
        let (name, search_path) = key.clone();
        self.found.remove(&key);
        let located = offload.ask(&places(&key.0, &key.1), move || command::locate(&name, &search_path));
        let located = located.map_err(|NoReply| {
            Unfound::Unanswered(format!("the disk with command {} does not respond", repr(&key.0)))
        })?;
        let program = located.map_err(|error| failure(&key.0, error))?;
        if self.found.len() >= MOST_FOUND {
            self.found.clear();
        }
        self.found.insert(key, (program.clone(), now));
        Ok(program)
    }
}

impl From<CommandFailure> for Unfound {
    fn from(failure: CommandFailure) -> Unfound {
        Unfound::Failed(failure)
    }
}

/// Where a program is looked for: what hangs if one of its disks does.
fn places(name: &str, search_path: &OsStr) -> String {
    match Path::new(name).parent() {
        Some(directory) if name.contains('/') => directory.display().to_string(),
        _ => search_path.to_string_lossy().into_owned(),
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use supervisord_config::samples;

    use super::*;

    #[test]
    fn a_program_that_was_there_a_moment_ago_is_presumed_to_be_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let process = Process { command: format!("{} now", path.display()), ..samples::process("p") };
        let surroundings = Surroundings::new(Vec::new(), &samples::config([]));
        let (mut finder, mut offload) = (Finder::default(), Offload::default());
        let start = Duration::from_secs(100);
        assert!(finder.find_lately(&process, &surroundings, &mut offload, start).is_ok());
        fs::remove_file(&path).expect("removed");
        let just = start + PRESUMED - Duration::from_millis(1);
        let launch = finder.find_lately(&process, &surroundings, &mut offload, just);
        let (program, arguments) = launch.map(|launch| (launch.program, launch.arguments)).ok().expect("presumed");
        assert_eq!((program, arguments[1].as_str()), (path, "now"));
        let missing = |result| matches!(result, Err(Unfound::Failed(CommandFailure::Missing(_))));
        assert!(missing(finder.find_lately(&process, &surroundings, &mut offload, start + PRESUMED).map(drop)));
        assert!(missing(finder.check(&process, &surroundings, &mut offload, just)), "whoever asks is told the truth");
    }
}
