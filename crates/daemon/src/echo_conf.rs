//! `echo_supervisord_conf`: prints the sample configuration.

use std::io::Write as _;
use std::process::ExitCode;

/// Prints the sample configuration to stdout, whatever the arguments are.
pub fn main() -> ExitCode {
    match std::io::stdout().write_all(supervisord_config::sample::text().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
