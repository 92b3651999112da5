//! What a child finds in its environment.

use std::ffi::{OsStr, OsString};

use supervisord_config::model::{Config, Process, ProgramServerUrl};
use supervisord_sys::Errno;
use supervisord_sys::spawn::Environment;
use supervisord_sys::user::current_uid;

/// Where programs are looked for when neither the configuration nor the daemon's environment says.
const DEFAULT_PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// What every child inherits, collected once at the daemon's start.
pub struct ChildEnv {
    /// The daemon's own environment.
    environment: Environment,
    /// The daemon's own address for its children; none without servers.
    server_url: Option<String>,
    /// A name by which this daemon and the next one are told from others.
    instance: String,
}

impl ChildEnv {
    /// Collects the environment of the daemon and its address.
    pub fn new(environment: Vec<(OsString, OsString)>, config: &Config) -> ChildEnv {
        let instance = format!("supervisord-{}-{:016x}", current_uid(), digest(&config.supervisord.pidfile));
        ChildEnv { environment: environment.into_iter().collect(), server_url: config.server_url(), instance }
    }
}

impl ChildEnv {
    /// A name by which this daemon, and the one that comes after it, are told from all others of the machine: those have other pid
    /// files.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// A variable of the daemon's own environment.
    pub(super) fn own(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(name).filter(|value| !value.is_empty())
    }
}

/// A number for a text, the same in each release (FNV-1a).
fn digest(text: &str) -> u64 {
    let step = |digest: u64, byte: u8| (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The directories in which the program of a process is looked for.
pub(super) fn search_path(process: &Process, child_env: &ChildEnv) -> OsString {
    let configured =
        process.spawn.environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.into());
    let inherited = || child_env.environment.get("PATH").filter(|path| !path.is_empty()).map(OsString::from);
    configured.or_else(inherited).unwrap_or_else(|| DEFAULT_PATH.into())
}

/// The environment of a child. Later settings win: the daemon's own, those of its environment files, the names of the process, the
/// configured ones.
pub(super) fn environment(
    process: &Process,
    group: &str,
    from_files: &[(String, String)],
    child_env: &ChildEnv,
) -> Result<Environment, Errno> {
    let mut environment = child_env.environment.clone();
    for (name, value) in from_files {
        environment.set(name, value)?;
    }
    environment.set("SUPERVISOR_ENABLED", "1")?;
    let url = match &process.spawn.serverurl {
        ProgramServerUrl::Auto => child_env.server_url.as_deref().unwrap_or_default(),
        ProgramServerUrl::Text(text) => text,
    };
    if !url.is_empty() {
        environment.set("SUPERVISOR_SERVER_URL", url)?;
    }
    environment.set("SUPERVISOR_PROCESS_NAME", &process.identity.name)?;
    environment.set("SUPERVISOR_GROUP_NAME", group)?;
    for (name, value) in &process.spawn.environment {
        environment.set(name, value)?;
    }
    Ok(environment)
}
