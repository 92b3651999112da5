//! What only one daemon can have at a time: the lock of its pid file, its servers, and what a killed one left behind.

use std::path::Path;
use std::time::Duration;

use supervisord_config::model::{Config, Supervisord};

use crate::clock::present;
use crate::network::listen::{self, ListenError, OpenServer, ServerError};
use crate::pidfile::{Lock, Taken};
use crate::start_error::StartError;
use crate::start_mode::{self, Findings, StartMode};

/// How long the last child of a killed daemon is waited for.
const EXEC_LIMIT: Duration = Duration::from_secs(2);

/// What only one daemon can have.
pub(super) struct Place {
    pub lock: Lock,
    pub servers: Vec<OpenServer>,
    pub findings: Findings,
}

/// Locks the pid file, finds what a killed daemon left, and opens the servers. Whoever has the servers is blamed first, as
/// in the original.
pub(super) fn take_place(config: &Config, directory: &str, serial: u64) -> Result<Place, StartError> {
    let lock = Lock::take(&config.supervisord.pidfile);
    let servers = open_servers(config, lock.is_ok()).map_err(|error| StartError(error.describe()))?;
    let lock = lock.map_err(|taken| refused(&config.supervisord, &taken))?;
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

/// Opens the servers. Where a daemon was killed a moment ago, and so the pid file is free, the child it was making may hold
/// its sockets until it executes its program, which is waited for.
fn open_servers(config: &Config, is_free: bool) -> Result<Vec<OpenServer>, ServerError> {
    let deadline = present().mono + EXEC_LIMIT;
    let was_killed = is_free
        && start_mode::paths(&config.supervisord)
            .is_some_and(|paths| Path::new(&paths.state_file).exists() || paths.keeper_socket.exists());
    loop {
        match listen::open(&config.servers) {
            Err(ServerError { reason: ListenError::InUse, .. }) if was_killed && present().mono < deadline => {
                std::thread::sleep(EXEC_LIMIT / 100);
            }
            opened => return opened,
        }
    }
}
