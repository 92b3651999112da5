//! The end of a command of a program.

use supervisord_core::process::{CommandEnd, ExitStatus, ProgramCommand};
use supervisord_core::supervisor::ProcessId;

use super::role::CommandChild;

/// A command that has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct EndedCommand {
    pub(in crate::control) process: ProcessId,
    pub(in crate::control) command: ProgramCommand,
    pub(in crate::control) end: CommandEnd,
}

impl EndedCommand {
    /// `exceeded` tells whether it was killed at its limit.
    pub(super) fn new(child: &CommandChild, exceeded: bool, status: ExitStatus) -> EndedCommand {
        let end = match exceeded && !child.is_being_ended {
            true => CommandEnd::TimedOut(child.timeout),
            false => CommandEnd::Ended(status),
        };
        EndedCommand { process: child.supervised.process, command: child.command, end }
    }
}
