//! Why a command of `supervisor-fleet` could not be carried out.

use thiserror::Error;

/// Exit statuses, as `supervisorctl` has them.
pub mod exit_status {
    /// All requests succeeded.
    pub const SUCCESS: u8 = 0;
    /// An unspecified failure.
    pub const GENERIC: u8 = 1;
    /// The command line cannot be used.
    pub const INVALID_ARGUMENTS: u8 = 2;
    /// The server refuses the user, or what the user asks for.
    pub const INSUFFICIENT_PRIVILEGES: u8 = 4;
    /// There is no server.
    pub const NOT_RUNNING: u8 = 7;
    /// `status` listed a program that does not run.
    pub const STATUS_NOT_RUNNING: u8 = 3;
    /// `status` of an unknown program, or a host did not answer.
    pub const STATUS_UNKNOWN: u8 = 4;
}

/// A failure.
#[derive(Debug, Error)]
pub enum FleetError {
    /// An option or argument is wrong.
    #[error("{0}")]
    Usage(String),
    /// The server cannot be reached.
    #[error("{0}")]
    NoServer(String),
    /// The server refuses.
    #[error("{0}")]
    Denied(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl FleetError {
    /// The exit status of the program.
    pub const fn exit_status(&self) -> u8 {
        match self {
            FleetError::Usage(_) => exit_status::INVALID_ARGUMENTS,
            FleetError::NoServer(_) => exit_status::NOT_RUNNING,
            FleetError::Denied(_) => exit_status::INSUFFICIENT_PRIVILEGES,
            FleetError::Other(_) => exit_status::GENERIC,
        }
    }
}
