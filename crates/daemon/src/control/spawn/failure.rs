//! Why a program was not spawned, in the words of the original.

use supervisord_config::model::Process;
use supervisord_config::pyrepr::repr;
use supervisord_core::supervisor::SpawnFailure;
use supervisord_sys::{Errno, errno_name};

use crate::output::LogFailure;

pub(super) fn removed() -> SpawnFailure {
    SpawnFailure::Refused("the process has been removed".to_owned())
}

/// A failure of the system with this text.
pub(super) fn system_failure(error: Errno, text: String) -> SpawnFailure {
    match error {
        Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM => SpawnFailure::Exhausted(text),
        _ => SpawnFailure::Refused(text),
    }
}

pub(super) fn dispatcher_error(process: &Process, error: Errno) -> String {
    let name = repr(&process.identity.name);
    if error == Errno::EMFILE {
        return format!("too many open files to spawn {name}");
    }
    format!("unknown error making dispatchers for {name}: {}", symbol(error.number()))
}

/// Behind the words of the original stands which log it is, and who cannot open it.
pub(super) fn log_error(process: &Process, failure: &LogFailure, user: &str) -> String {
    format!("{} ({}: {}, as user {user})", dispatcher_error(process, failure.error), failure.path, failure.error)
}

pub(super) fn fork_error(process: &Process, error: Errno) -> String {
    let name = repr(&process.identity.name);
    if error == Errno::EAGAIN {
        return format!("Too many processes in process table to spawn {name}");
    }
    format!("unknown error during fork for {name}: {}", symbol(error.number()))
}

/// `ENOENT`, or the number of an error without a name.
fn symbol(number: i32) -> String {
    errno_name(number).map_or_else(|| number.to_string(), str::to_owned)
}
