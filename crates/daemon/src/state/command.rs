//! The commands of a process that run beside its program, as the state and an upgrade have them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::process::ProgramCommand;
use supervisord_core::supervisor::RunningCommand;

use super::run::{CommandRun, Run};

/// A command that runs, or is about to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// What it is for. A reader passes over what it does not know.
    pub command: String,
    /// Its process; none where it has not been made, and in an upgrade, which passes it on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// When it is killed, in nanoseconds on the monotonic clock.
    #[serde(default)]
    pub kill_at: u64,
    /// How long it may take altogether, in nanoseconds.
    #[serde(default)]
    pub timeout: u64,
}

impl CommandRecord {
    /// A command, with what is known of its process.
    pub fn new(running: RunningCommand, run: Option<&CommandRun>) -> CommandRecord {
        let word = running.command.word().to_owned();
        match run {
            Some(run) => CommandRecord { command: word, ..CommandRecord::from(run) },
            None => CommandRecord { command: word, ..CommandRecord::default() },
        }
    }

    /// The command as the supervisor knows it; none where this reader does not know it.
    pub fn running(&self) -> Option<RunningCommand> {
        let command = ProgramCommand::from_word(&self.command)?;
        Some(RunningCommand { command, is_made: self.run.as_ref().is_some_and(|run| run.pid != 0) })
    }

    /// What identifies its process; none where it has none, or where this reader does not know the command.
    pub fn command_run(&self) -> Option<CommandRun> {
        Some(CommandRun {
            command: ProgramCommand::from_word(&self.command)?,
            run: self.run.clone()?,
            kill_at: Duration::from_nanos(self.kill_at),
            timeout: Duration::from_nanos(self.timeout),
        })
    }
}

impl From<&CommandRun> for CommandRecord {
    fn from(CommandRun { command, run, kill_at, timeout }: &CommandRun) -> CommandRecord {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        CommandRecord {
            command: command.word().to_owned(),
            run: Some(run.clone()),
            kill_at: nanos(kill_at),
            timeout: nanos(timeout),
        }
    }
}
