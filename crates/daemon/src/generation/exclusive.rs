//! What only one daemon can have at a time: the lock of its pid file, its servers, and what a killed one left behind.

use std::path::Path;

use supervisord_config::model::{Config, Supervisord};

use crate::clock::present;
use crate::network::listen::{self, ListenError, OpenServer, ServerError};
use crate::pidfile::{END_LIMIT, Lock, Taken};
use crate::start_error::StartError;
use crate::start_mode::{self, Findings, StartMode};

/// What only one daemon can have.
pub(super) struct Place {
    pub lock: Lock,
    pub servers: Vec<OpenServer>,
    pub findings: Findings,
}

/// Locks the pid file, opens the servers, and finds what a killed daemon left. Without the lock nothing is touched. Whoever has
/// the servers is blamed first, as in the original.
pub(super) fn take_place(config: &Config, directory: &str, serial: u64) -> Result<Place, StartError> {
    let in_words = |error: ServerError| StartError(error.describe());
    let lock = Lock::take(&config.supervisord.pidfile).map_err(|taken| match listen::find_in_use(&config.servers) {
        Some(error) => in_words(error),
        None => refused(&config.supervisord, &taken),
    })?;
    let servers = open_servers(config, &lock).map_err(in_words)?;
    let findings = StartMode::find(config, directory, serial)?;
    Ok(Place { lock, servers, findings })
}

fn refused(settings: &Supervisord, taken: &Taken) -> StartError {
    let who = taken.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    StartError(format!(
        "Another supervisord{who} is running with the pid file {}.  Shut this program down first before starting \
         supervisord, or give each of them a file of its own: pidfile= in the section [supervisord], or --pidfile.",
        settings.pidfile
    ))
}

/// Opens the servers. Where a daemon was killed a moment ago, the system may not have taken its sockets away yet, and the child it
/// was making holds them until it executes its program; both are waited for.
fn open_servers(config: &Config, lock: &Lock) -> Result<Vec<OpenServer>, ServerError> {
    let deadline = present().mono + END_LIMIT;
    let was_killed = lock.was_left_behind()
        || start_mode::paths(&config.supervisord)
            .is_some_and(|paths| Path::new(&paths.state_file).exists() || paths.keeper_socket.exists());
    loop {
        match listen::open(&config.servers) {
            Err(ServerError { reason: ListenError::InUse, .. }) if was_killed && present().mono < deadline => {
                std::thread::sleep(END_LIMIT / 100);
            }
            opened => return opened,
        }
    }
}
