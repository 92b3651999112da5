//! From a definition to what is executed: words, program file, environment.

use std::ffi::OsString;
use std::path::PathBuf;

use supervisord_config::model::{Config, Process, ServerUrl};
use supervisord_config::pyrepr::repr;
use supervisord_config::words;
use supervisord_core::supervisor::CommandFailure;
use supervisord_sys::Errno;
use supervisord_sys::command::{self, CommandError};
use supervisord_sys::spawn::Environment;

/// Where programs are looked for when neither the configuration nor the daemon's environment says.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// What every child inherits, collected once at the daemon's start.
pub struct Surroundings {
    /// The daemon's own environment.
    environment: Environment,
    /// The daemon's own address for its children; none without servers.
    server_url: Option<String>,
}

impl Surroundings {
    /// Collects the environment of the daemon and its address.
    pub fn new(environment: Vec<(OsString, OsString)>, config: &Config) -> Surroundings {
        Surroundings { environment: environment.into_iter().collect(), server_url: config.server_url() }
    }
}

/// A command that can be executed.
pub(super) struct Launch {
    /// The file to execute.
    pub(super) program: PathBuf,
    /// The words, the first as written.
    pub(super) arguments: Vec<String>,
}

/// Splits the command and finds its program.
pub(super) fn find(process: &Process, surroundings: &Surroundings) -> Result<Launch, CommandFailure> {
    let arguments = words::split(&process.command).map_err(|error| {
        CommandFailure::Unusable(format!("can't parse command {}: {error}", repr(&process.command)))
    })?;
    let Some(name) = arguments.first() else {
        return Err(CommandFailure::Unusable("command is empty".to_owned()));
    };
    let search_path = search_path(process, surroundings);
    match command::locate(name, &search_path) {
        Ok(program) => Ok(Launch { program, arguments }),
        Err(error) => Err(failure(name, error)),
    }
}

fn failure(name: &str, error: CommandError) -> CommandFailure {
    let found = |path: &std::path::Path| repr(&path.to_string_lossy());
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

fn search_path(process: &Process, surroundings: &Surroundings) -> OsString {
    let configured = process.environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.into());
    let inherited = || surroundings.environment.get("PATH").filter(|path| !path.is_empty()).map(OsString::from);
    configured.or_else(inherited).unwrap_or_else(|| DEFAULT_PATH.into())
}

/// The environment of a child. Later settings win: the daemon's own, the names of the process, the configured ones.
pub(super) fn environment(process: &Process, group: &str, surroundings: &Surroundings) -> Result<Environment, Errno> {
    let mut environment = surroundings.environment.clone();
    environment.set("SUPERVISOR_ENABLED", "1")?;
    let url = match &process.serverurl {
        ServerUrl::Auto => surroundings.server_url.as_deref().unwrap_or_default(),
        ServerUrl::Text(text) => text,
    };
    if !url.is_empty() {
        environment.set("SUPERVISOR_SERVER_URL", url)?;
    }
    environment.set("SUPERVISOR_PROCESS_NAME", &process.name)?;
    environment.set("SUPERVISOR_GROUP_NAME", group)?;
    for (name, value) in &process.environment {
        environment.set(name, value)?;
    }
    Ok(environment)
}
