//! What commands have to tell about the environment of a program before its child is made.

use std::fmt;

use supervisord_config::model::Process;
use supervisord_config::secret::{PREFIX, SecretSource};

use super::program_command::{CommandPlan, HookPlan, ProgramCommand};

/// How the name begins of a command that tells a secret.
const COMMAND_OF_SECRET: &str = "command of secret ";

/// The option whose command is at fault for a failed start with this text; none where it is another one.
pub(crate) fn option_at_fault(error: &str) -> Option<String> {
    match error.strip_prefix(COMMAND_OF_SECRET) {
        Some(rest) => Some(format!("{PREFIX}{}", rest.split(' ').next()?)),
        None => error
            .starts_with(ProgramCommand::Environment.name())
            .then(|| EnvironmentQuestion::Variables { line: "" }.option()),
    }
}

/// What is asked of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentQuestion<'c> {
    /// Variables, `KEY=VALUE` in each line.
    Variables {
        /// The command line.
        line: &'c str,
    },
    /// The value of a secret.
    Secret {
        /// The name of its variable.
        name: &'c str,
        /// The command line.
        line: &'c str,
    },
}

impl<'c> EnvironmentQuestion<'c> {
    /// The command line.
    pub const fn line(self) -> &'c str {
        match self {
            EnvironmentQuestion::Variables { line } | EnvironmentQuestion::Secret { line, .. } => line,
        }
    }

    /// The option that has the command.
    pub fn option(self) -> String {
        match self {
            EnvironmentQuestion::Variables { .. } => ProgramCommand::Environment.word().replace('-', "_"),
            EnvironmentQuestion::Secret { name, .. } => format!("{PREFIX}{name}"),
        }
    }
}

impl fmt::Display for EnvironmentQuestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentQuestion::Variables { .. } => f.write_str(ProgramCommand::Environment.name()),
            EnvironmentQuestion::Secret { name, .. } => write!(f, "{COMMAND_OF_SECRET}{name}"),
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
        let variables = self.config.spawn.env_command.iter().map(|line| EnvironmentQuestion::Variables { line });
        variables.chain(self.config.places_of_secrets().iter().filter_map(|secret| match &secret.source {
            SecretSource::Exec(line) => Some(EnvironmentQuestion::Secret { name: &secret.name, line }),
            SecretSource::File(_) | SecretSource::Credential(_) => None,
        }))
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
