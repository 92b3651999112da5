//! The exit statuses, which scripts rely on. Numbers and names are those of `LSBInitExitStatuses` and
//! `LSBStatusExitStatuses` in the original's `supervisor/supervisorctl.py`.

/// All requests succeeded, or nothing had to be done.
pub const SUCCESS: u8 = 0;
/// An unspecified failure.
pub const GENERIC: u8 = 1;
/// The command line or the configuration cannot be used.
pub const INVALID_ARGUMENTS: u8 = 2;
/// The daemon does not offer the `supervisor` namespace.
pub const UNIMPLEMENTED: u8 = 3;
/// The connection was refused.
pub const INSUFFICIENT_PRIVILEGES: u8 = 4;
/// The daemon speaks another version of the interface.
pub const NOT_INSTALLED: u8 = 5;
/// There is no daemon, or the process does not run.
pub const NOT_RUNNING: u8 = 7;

/// `status` listed a process that does not run.
pub const STATUS_NOT_RUNNING: u8 = 3;
/// `status` of an unknown name, or the daemon did not answer.
pub const STATUS_UNKNOWN: u8 = 4;
