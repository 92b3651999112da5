//! The commands that belong to a program beside its own: what each is for, and what it is to execute.

use std::fmt;
use std::time::Duration;

use supervisord_config::duration::Shown;
use supervisord_config::model::Process;

use super::last_end::LastEnd;
use crate::exit_status::ExitStatus;
use crate::texts;

/// A command of a program beside its own. At most one of a kind runs at a time for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramCommand {
    /// Runs before the child is made, which it allows.
    PreStart,
    /// Runs before the child is made, and tells what is to be in its environment.
    Environment,
    /// Runs when the program has come up.
    PostStart,
    /// Runs before the program is asked to stop.
    PreStop,
    /// Is a step of the stop.
    StopStep,
    /// Runs after the child has ended.
    PostStop,
    /// Tells the program to read its configuration again.
    Reload,
    /// Tells while the program is up how it is.
    HealthProbe,
    /// Tells whether the child is ready.
    ReadinessProbe,
}

impl ProgramCommand {
    /// All of them.
    pub const ALL: [ProgramCommand; 9] = [
        ProgramCommand::PreStart,
        ProgramCommand::Environment,
        ProgramCommand::PostStart,
        ProgramCommand::PreStop,
        ProgramCommand::StopStep,
        ProgramCommand::PostStop,
        ProgramCommand::Reload,
        ProgramCommand::HealthProbe,
        ProgramCommand::ReadinessProbe,
    ];

    /// The word for it, as states and events have it.
    pub const fn word(self) -> &'static str {
        match self {
            ProgramCommand::PreStart => "pre-start",
            ProgramCommand::Environment => "env-command",
            ProgramCommand::PostStart => "post-start",
            ProgramCommand::PreStop => "pre-stop",
            ProgramCommand::StopStep => "stop-step",
            ProgramCommand::PostStop => "post-stop",
            ProgramCommand::Reload => "reload",
            ProgramCommand::HealthProbe => "health-probe",
            ProgramCommand::ReadinessProbe => "readiness-probe",
        }
    }

    /// The command of this word.
    pub fn from_word(word: &str) -> Option<ProgramCommand> {
        ProgramCommand::ALL.into_iter().find(|command| command.word() == word)
    }

    /// What it is called in texts.
    pub const fn name(self) -> &'static str {
        match self {
            ProgramCommand::PreStart => "pre-start hook",
            ProgramCommand::Environment => "environment command",
            ProgramCommand::PostStart => "post-start hook",
            ProgramCommand::PreStop => "pre-stop hook",
            ProgramCommand::StopStep => "stop command",
            ProgramCommand::PostStop => "post-stop hook",
            ProgramCommand::Reload => "reload command",
            ProgramCommand::HealthProbe => "health check",
            ProgramCommand::ReadinessProbe => "readiness probe",
        }
    }

    /// Whether it is a hook.
    pub const fn is_hook(self) -> bool {
        match self {
            ProgramCommand::PreStart
            | ProgramCommand::PostStart
            | ProgramCommand::PreStop
            | ProgramCommand::PostStop => true,
            ProgramCommand::Environment
            | ProgramCommand::StopStep
            | ProgramCommand::Reload
            | ProgramCommand::HealthProbe
            | ProgramCommand::ReadinessProbe => false,
        }
    }

    /// Whether it asks how the program is.
    pub const fn is_probe(self) -> bool {
        matches!(self, ProgramCommand::HealthProbe | ProgramCommand::ReadinessProbe)
    }

    /// Whether it goes on when the program has ended. Every other one is ended with it.
    pub const fn outlives_program(self) -> bool {
        match self {
            ProgramCommand::PostStop => true,
            ProgramCommand::PreStart
            | ProgramCommand::Environment
            | ProgramCommand::PostStart
            | ProgramCommand::PreStop
            | ProgramCommand::StopStep
            | ProgramCommand::Reload
            | ProgramCommand::HealthProbe
            | ProgramCommand::ReadinessProbe => false,
        }
    }
}

impl fmt::Display for ProgramCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a command is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPlan {
    /// The command line.
    pub line: String,
    /// What its environment has besides that of the program.
    pub environment: Vec<(String, String)>,
    /// How long it may take; then it is killed, with its process group.
    pub timeout: Duration,
}

impl CommandPlan {
    /// The variable that tells a command the process id of its program, as systemd calls it.
    pub(super) fn about_program(pid: u32) -> Vec<(String, String)> {
        vec![("MAINPID".to_owned(), pid.to_string())]
    }
}

/// How a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// By itself, or by a signal.
    Ended(ExitStatus),
    /// It was killed because it took longer than this.
    TimedOut(Duration),
}

impl CommandEnd {
    /// Whether it has done what it was for.
    ///
    /// # Errors
    /// Why not, in words.
    /// `output` has the last lines that it wrote to stderr, of which the last one most likely says what went wrong.
    pub fn result(self, output: &str) -> Result<(), String> {
        let reason = match self {
            CommandEnd::Ended(ExitStatus::Code(0)) => return Ok(()),
            CommandEnd::Ended(status) => texts::termination(status),
            CommandEnd::TimedOut(limit) => format!("killed after {}, its time limit", Shown(limit)),
        };
        match output.lines().next_back() {
            Some(line) => Err(format!("{reason}: {line}")),
            None => Err(reason),
        }
    }
}

/// The variables that tell of the end of a child. All are there, so that a script need not ask which are.
fn variables(end: Option<&LastEnd>) -> Vec<(String, String)> {
    let (code, signal) = match end.map(|end| end.status) {
        Some(ExitStatus::Code(code)) => (code.to_string(), String::new()),
        Some(ExitStatus::Signal { number, .. }) => (String::new(), texts::signal_name(number)),
        Some(ExitStatus::Unknown | ExitStatus::Other(_)) | None => (String::new(), String::new()),
    };
    let reason = end.map_or("", |end| end.judgement.word()).to_owned();
    [("SUPERVISOR_EXIT_CODE", code), ("SUPERVISOR_EXIT_SIGNAL", signal), ("SUPERVISOR_REASON", reason)]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

/// How much longer than its time limit a command is waited for, because one that cannot be killed must not hold a stop.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The hooks of a program, as its configuration has them.
#[derive(Clone, Copy, Debug)]
pub struct HookPlan<'c> {
    config: &'c Process,
}

impl<'c> HookPlan<'c> {
    /// The hooks of a program.
    pub const fn of(config: &'c Process) -> HookPlan<'c> {
        HookPlan { config }
    }

    /// The command line of a hook; none where there is none.
    fn line(self, hook: ProgramCommand) -> Option<&'c String> {
        let hooks = &self.config.hooks;
        match hook {
            ProgramCommand::PreStart => hooks.pre_start.as_ref(),
            ProgramCommand::PostStart => hooks.post_start.as_ref(),
            ProgramCommand::PreStop => hooks.pre_stop.as_ref(),
            ProgramCommand::PostStop => hooks.post_stop.as_ref(),
            // They are no hooks.
            ProgramCommand::Environment
            | ProgramCommand::StopStep
            | ProgramCommand::Reload
            | ProgramCommand::HealthProbe
            | ProgramCommand::ReadinessProbe => None,
        }
    }

    /// Whether there is such a hook.
    pub fn has(self, hook: ProgramCommand) -> bool {
        self.line(hook).is_some()
    }

    /// How long a hook may take.
    pub(super) fn timeout(self) -> Duration {
        self.config.hooks.hook_timeout
    }

    /// How long a hook is waited for at the most.
    pub fn longest_wait(self) -> Duration {
        self.timeout().saturating_add(PATIENCE)
    }

    /// How a hook is to be run. `end` is the end of the last child.
    pub fn command(self, hook: ProgramCommand, end: Option<&LastEnd>) -> Option<CommandPlan> {
        let line = self.line(hook)?.clone();
        let environment = match hook {
            ProgramCommand::PostStop => variables(end),
            ProgramCommand::PreStart
            | ProgramCommand::Environment
            | ProgramCommand::PostStart
            | ProgramCommand::PreStop
            | ProgramCommand::StopStep
            | ProgramCommand::Reload
            | ProgramCommand::HealthProbe
            | ProgramCommand::ReadinessProbe => Vec::new(),
        };
        Some(CommandPlan { line, environment, timeout: self.timeout() })
    }
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;
    use crate::process::{EndJudgement, EndTraces};

    #[test]
    fn a_command_succeeds_with_status_0_only() {
        let result = |status| CommandEnd::Ended(status).result("");
        assert_eq!(result(ExitStatus::Code(0)), Ok(()));
        assert_eq!(result(ExitStatus::Code(3)), Err("exit status 3".to_owned()));
        let killed = ExitStatus::Signal { number: 9, core_dumped: false };
        assert_eq!(result(killed), Err("terminated by SIGKILL".to_owned()));
        assert_eq!(result(ExitStatus::Unknown), Err("exit status unknown".to_owned()));
        let overdue = CommandEnd::TimedOut(Duration::from_secs(30));
        assert_eq!(overdue.result(""), Err("killed after 30s, its time limit".to_owned()));
        let told = CommandEnd::Ended(ExitStatus::Code(4)).result("connecting\nmigration 7 failed");
        assert_eq!(told, Err("exit status 4: migration 7 failed".to_owned()));
        assert_eq!(CommandEnd::Ended(ExitStatus::Code(0)).result("a warning"), Ok(()));
    }

    #[test]
    fn the_hook_after_an_end_is_told_of_it() {
        let mut config = samples::process("p");
        config.hooks.post_stop = Some("/bin/clean".to_owned());
        let told = |status, judgement| {
            let traces = EndTraces::default();
            let end = LastEnd { at: 9, status, judgement, lived: Duration::ZERO, stop_decision: None, traces };
            let plan = HookPlan::of(&config).command(ProgramCommand::PostStop, Some(&end)).unwrap();
            assert_eq!((plan.line.as_str(), plan.timeout.as_secs()), ("/bin/clean", 30));
            plan.environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            told(ExitStatus::Code(3), EndJudgement::Unexpected),
            "SUPERVISOR_EXIT_CODE=3 SUPERVISOR_EXIT_SIGNAL= SUPERVISOR_REASON=unexpected"
        );
        let signal = ExitStatus::Signal { number: 15, core_dumped: false };
        assert_eq!(
            told(signal, EndJudgement::Stopped),
            "SUPERVISOR_EXIT_CODE= SUPERVISOR_EXIT_SIGNAL=SIGTERM SUPERVISOR_REASON=stopped"
        );
        assert!(HookPlan::of(&config).command(ProgramCommand::PreStart, None).is_none());
    }
}
