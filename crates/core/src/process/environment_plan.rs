//! What commands have to tell about the environment of a program before its child is made.

use std::fmt;

use supervisord_config::model::Process;

use super::program_command::{CommandPlan, HookPlan, ProgramCommand};

/// What is asked of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentQuestion<'c> {
    /// Variables, `KEY=VALUE` in each line.
    Variables {
        /// The command line.
        line: &'c str,
    },
}

impl<'c> EnvironmentQuestion<'c> {
    const fn line(self) -> &'c str {
        match self {
            EnvironmentQuestion::Variables { line } => line,
        }
    }
}

impl fmt::Display for EnvironmentQuestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentQuestion::Variables { .. } => f.write_str(ProgramCommand::Environment.name()),
        }
    }
}

/// The commands that tell about the environment of a program, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentPlan<'c> {
    config: &'c Process,
}

impl<'c> EnvironmentPlan<'c> {
    /// Of a program.
    pub const fn of(config: &'c Process) -> EnvironmentPlan<'c> {
        EnvironmentPlan { config }
    }

    /// All questions, in their order.
    pub fn questions(self) -> impl Iterator<Item = EnvironmentQuestion<'c>> {
        self.config.spawn.env_command.iter().map(|line| EnvironmentQuestion::Variables { line })
    }

    /// The question of a step, counted from 1; none behind the last.
    pub fn question(self, step: u32) -> Option<EnvironmentQuestion<'c>> {
        self.questions().nth(usize::try_from(step.checked_sub(1)?).ok()?)
    }

    /// How the command of a step is to be run.
    pub(crate) fn command(self, step: u32) -> Option<CommandPlan> {
        let line = self.question(step)?.line().to_owned();
        Some(CommandPlan { line, environment: Vec::new(), timeout: HookPlan::of(self.config).timeout() })
    }
}
