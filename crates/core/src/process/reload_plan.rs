//! How a program is told to read its configuration again.

use supervisord_config::model::Process;

use super::program_command::{CommandPlan, HookPlan};

/// What a reload of a program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadPlan {
    /// It is sent this signal.
    Signal(i32),
    /// This command is run.
    Command(CommandPlan),
}

impl ReloadPlan {
    /// The plan of a program with this process id; none where it cannot be told.
    pub fn of(config: &Process, pid: u32) -> Option<ReloadPlan> {
        let reload = &config.reload;
        match (&reload.reload_command, reload.reload_signal) {
            (Some(line), _) => Some(ReloadPlan::Command(CommandPlan {
                line: line.clone(),
                environment: CommandPlan::about_program(pid),
                timeout: HookPlan::of(config).timeout(),
            })),
            (None, Some(signal)) => Some(ReloadPlan::Signal(signal)),
            (None, None) => None,
        }
    }

    /// What to write where there is none.
    pub fn advice(config: &Process) -> String {
        format!("no reload is configured: write reload_signal or reload_command in [{}]", config.identity.section)
    }
}
