//! Whom the daemon runs as and what it may use: user, threads and resource limits.

use supervisord_config::model::{LogLevel, Supervisord};
use supervisord_sys::limits::{self, Limit};
use supervisord_sys::thread::{self, Clone3Workaround};
use supervisord_sys::user::{self, User};

use crate::start_error::StartError;

const RUNNING_AS_ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is specified \
                               in the config file.  If you intend to run as root, you can set user=root in the config \
                               file to avoid this message.";

/// Sees to it that the daemon may make threads. Gives the line that tells what was done.
pub fn permit_threads() -> Result<Option<(LogLevel, String)>, StartError> {
    const REFUSED: &str = "the system call clone3 is refused (EPERM), as by the seccomp profile of an old container \
                           runtime (Docker before 20.10.10)";
    match thread::ensure_threads_work() {
        Ok(Clone3Workaround::None) => Ok(None),
        Ok(Clone3Workaround::OlderCall) => Ok(Some((LogLevel::Info, format!("{REFUSED}; clone is used instead")))),
        Ok(Clone3Workaround::NoNewPrivileges) => {
            let text = format!(
                "{REFUSED}; clone is used instead, at the price that no program gains privileges by sudo, su or \
                 set-user-id files (no_new_privs).  Update the container runtime, or permit clone3"
            );
            Ok(Some((LogLevel::Warn, text)))
        }
        Err(error) => Err(StartError(format!(
            "cannot start threads: {REFUSED}, and a filter that would make clone possible cannot be set: {error}.  \
             Update the container runtime, or permit clone3"
        ))),
    }
}

/// Becomes the configured user. Gives the line that tells what was done.
pub fn become_user(settings: &Supervisord) -> Result<Option<(LogLevel, String)>, StartError> {
    let current = user::current_uid();
    let Some(account) = &settings.user else {
        return Ok((current == 0).then(|| (LogLevel::Critical, RUNNING_AS_ROOT.to_owned())));
    };
    if account.uid != current {
        let user =
            User { name: account.name.clone(), uid: account.uid, gid: account.gid, home: account.home.clone().into() };
        user::drop_privileges(&user.ids()).map_err(|error| StartError(error.to_string()))?;
    }
    Ok(Some((LogLevel::Info, format!("Set uid to user {} succeeded", account.uid))))
}

/// Raises the limits that are too low. Gives a line for each that was raised.
pub fn raise_limits(settings: &Supervisord) -> Result<Vec<(LogLevel, String)>, StartError> {
    let mut lines = Vec::new();
    for (limit, wanted) in [(Limit::OpenFiles, settings.minfds), (Limit::Processes, settings.minprocs)] {
        match limits::ensure(limit, wanted) {
            Ok(false) => {}
            Ok(true) => lines.push((LogLevel::Info, format!("Increased {} limit to {wanted}", limit.name()))),
            Err(too_low) => return Err(StartError(too_few(limit, wanted, too_low.hard))),
        }
    }
    Ok(lines)
}

/// The original names the limit it attempted; the real one is of more use.
fn too_few(limit: Limit, wanted: u64, allowed: u64) -> String {
    match limit {
        Limit::OpenFiles => format!(
            "The minimum number of file descriptors required to run this process is {wanted} as per the \"minfds\" \
             command-line argument or config file setting. The current environment will only allow you to open \
             {allowed} file descriptors.  Either raise the number of usable file descriptors in your environment (see \
             README.rst) or lower the minfds setting in the config file to allow the process to start."
        ),
        Limit::Processes => format!(
            "The minimum number of available processes required to run this program is {wanted} as per the \
             \"minprocs\" command-line argument or config file setting. The current environment will only allow you to \
             open {allowed} processes.  Either raise the number of usable processes in your environment (see \
             README.rst) or lower the minprocs setting in the config file to allow the program to start."
        ),
    }
}
