//! From a command to the program that is executed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_config::shell_syntax::is_for_shell;
use supervisord_config::words;
use supervisord_core::supervisor::CommandFailure;
use supervisord_sys::command::{self, CommandError};

use super::child_env::{ChildEnv, search_path};
use super::offload::{NoReply, Offload};

/// A command that can be executed.
pub(super) struct Launch {
    /// The file to execute.
    pub(super) program: PathBuf,
    /// The words, the first as written.
    pub(super) arguments: Vec<String>,
}

/// Why a command was not resolved.
pub(super) enum Unresolved {
    /// The command cannot be executed.
    Failed(CommandFailure),
    /// The disk with the program has not answered; the text for clients and logs.
    Unanswered(String),
}

/// How long an automatic start or restart trusts the cache.
const CACHED_FOR: Duration = Duration::from_secs(1);

/// How many programs the cache holds.
const MOST_CACHED: usize = 256;

/// Resolves commands to the files of their programs.
#[derive(Default)]
pub(super) struct CommandResolver {
    /// Where programs were, and when, by name and search path.
    cache: HashMap<(String, OsString), (PathBuf, Duration)>,
}

impl CommandResolver {
    /// Splits a command of a process and resolves its program, from the cache if it was there a moment ago.
    pub(super) fn resolve_cached(
        &mut self,
        line: &str,
        process: &Process,
        child_env: &ChildEnv,
        offload: &mut Offload,
        now: Duration,
    ) -> Result<Launch, Unresolved> {
        let (arguments, name) = split(line)?;
        let key = (name, search_path(process, child_env));
        let program = match self.cache.get(&key) {
            Some((program, when)) if now < *when + CACHED_FOR => program.clone(),
            _ => self.locate(key, offload, now).map_err(|why| why.for_command(line, process))?,
        };
        Ok(Launch { program, arguments })
    }

    /// Splits the command and looks whether its program is there.
    pub(super) fn check(
        &mut self,
        process: &Process,
        child_env: &ChildEnv,
        offload: &mut Offload,
        now: Duration,
    ) -> Result<(), Unresolved> {
        let line = &process.spawn.command;
        let (_, name) = split(line)?;
        let located = self.locate((name, search_path(process, child_env)), offload, now);
        located.map(drop).map_err(|why| why.for_command(line, process))
    }

    fn locate(&mut self, key: (String, OsString), offload: &mut Offload, now: Duration) -> Result<PathBuf, Unresolved> {
        let (name, search_path) = key.clone();
        self.cache.remove(&key);
        let located = offload.ask(&places(&key.0, &key.1), move || command::locate(&name, &search_path));
        let located = located.map_err(|NoReply| {
            Unresolved::Unanswered(format!("the disk with command {} does not respond", repr(&key.0)))
        })?;
        let program = located.map_err(|error| failure(&key.0, error))?;
        if self.cache.len() >= MOST_CACHED {
            self.cache.clear();
        }
        self.cache.insert(key, (program.clone(), now));
        Ok(program)
    }
}

/// Where the program of a command of a process is. It may block.
///
/// # Errors
/// Why it cannot be executed, in the original's words.
pub fn locate_command(line: &str, process: &Process, child_env: &ChildEnv) -> Result<PathBuf, String> {
    let located = split(line).and_then(|(_, name)| {
        let located = command::locate(&name, &search_path(process, child_env));
        located.map_err(|error| with_shell_hint(failure(&name, error), line, process))
    });
    located.map_err(|(CommandFailure::Missing(text) | CommandFailure::Unusable(text))| text)
}

/// What to write in the place of a command that is for a shell.
pub fn shell_hint(line: &str, process: &Process) -> String {
    let option = if *line == *process.spawn.command { "command=" } else { "" };
    format!("supervisord runs no shell; write {option}/bin/sh -c '...'")
}

/// The words of the original are followed by what to write, where a program is missing because a shell was meant.
fn with_shell_hint(failure: CommandFailure, line: &str, process: &Process) -> CommandFailure {
    match failure {
        CommandFailure::Missing(text) if is_for_shell(line) => {
            CommandFailure::Missing(format!("{text} ({})", shell_hint(line, process)))
        }
        other => other,
    }
}

impl Unresolved {
    fn for_command(self, line: &str, process: &Process) -> Unresolved {
        match self {
            Unresolved::Failed(failure) => Unresolved::Failed(with_shell_hint(failure, line, process)),
            other => other,
        }
    }
}

impl From<CommandFailure> for Unresolved {
    fn from(failure: CommandFailure) -> Unresolved {
        Unresolved::Failed(failure)
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
fn split(line: &str) -> Result<(Vec<String>, String), CommandFailure> {
    let arguments = words::split(line)
        .map_err(|error| CommandFailure::Unusable(format!("can't parse command {}: {error}", repr(line))))?;
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
    use crate::output::OutputHandle;

    #[test]
    fn a_program_that_was_there_a_moment_ago_comes_from_the_cache() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("program");
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let mut process = samples::process("p");
        process.spawn.command = format!("{} now", path.display());
        let child_env = ChildEnv::new(Vec::new(), &samples::config([]));
        let (mut resolver, mut offload) = (CommandResolver::default(), Offload::new(OutputHandle::new()));
        let start = Duration::from_secs(100);
        assert!(resolver.resolve_cached(&process.spawn.command, &process, &child_env, &mut offload, start).is_ok());
        fs::remove_file(&path).expect("removed");
        let just = start + CACHED_FOR - Duration::from_millis(1);
        let launch = resolver.resolve_cached(&process.spawn.command, &process, &child_env, &mut offload, just);
        let (program, arguments) = launch.map(|launch| (launch.program, launch.arguments)).ok().expect("cached");
        assert_eq!((program, arguments[1].as_str()), (path, "now"));
        let missing = |result| matches!(result, Err(Unresolved::Failed(CommandFailure::Missing(_))));
        assert!(missing(
            resolver
                .resolve_cached(&process.spawn.command, &process, &child_env, &mut offload, start + CACHED_FOR)
                .map(drop)
        ));
        assert!(missing(resolver.check(&process, &child_env, &mut offload, just)), "whoever asks is told the truth");
    }
}
