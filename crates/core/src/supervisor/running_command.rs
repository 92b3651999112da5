//! A command of a program that runs beside it.

use crate::process::ProgramCommand;

/// A command that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningCommand {
    /// What it is for.
    pub command: ProgramCommand,
    /// Whether its process was made, as far as a daemon knows that takes over. The supervisor itself does not ask.
    pub is_made: bool,
}
