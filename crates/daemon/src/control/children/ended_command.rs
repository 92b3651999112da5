//! The end of a command of a program.

use std::time::Duration;

use supervisord_core::process::{CommandEnd, ExitStatus, ProgramCommand};
use supervisord_core::supervisor::ProcessId;

use super::role::CommandChild;
use crate::state::{CommandRun, Run};

/// A command that has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::control) struct EndedCommand {
    pub(in crate::control) process: ProcessId,
    pub(in crate::control) command: ProgramCommand,
    pub(in crate::control) end: CommandEnd,
    kill_at: Duration,
    timeout: Duration,
}

impl EndedCommand {
    /// `exceeded` tells whether it was killed at its limit.
    pub(super) fn new(child: &CommandChild, exceeded: bool, status: ExitStatus) -> EndedCommand {
        let end = match exceeded && !child.is_being_ended {
            true => CommandEnd::TimedOut(child.timeout),
            false => CommandEnd::Ended(status),
        };
        let CommandChild { command, kill_at, timeout, .. } = *child;
        EndedCommand { process: child.supervised.process, command, end, kill_at, timeout }
    }

    /// What the state says of it until the supervisor has been told of its end: it has been made, and must not be run again.
    pub(super) fn kept(&self, run: Run) -> CommandRun {
        CommandRun { command: self.command, run, kill_at: self.kill_at, timeout: self.timeout }
    }
}
