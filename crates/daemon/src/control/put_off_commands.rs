//! Commands beside programs that could not be run because the daemon lacked something for the moment: they are tried again until their
//! time limit, because that says nothing about the program.

use std::time::Duration;

use supervisord_core::process::{CommandPlan, ProgramCommand};
use supervisord_core::supervisor::ProcessId;

/// How long a command waits for the next attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// The commands that wait. The state has them as commands that are about to be run; another daemon runs them when they are due.
#[derive(Default)]
pub(super) struct PutOffCommands(Vec<PutOffCommand>);

/// A command that waits.
pub(super) struct PutOffCommand {
    pub(super) process: ProcessId,
    pub(super) command: ProgramCommand,
    pub(super) plan: CommandPlan,
    /// When it is tried next, on the monotonic clock.
    due: Duration,
    /// Until when it may be tried.
    until: Duration,
}

impl PutOffCommands {
    /// Has a command wait that was to begin now and could not. False where its time limit does not allow it.
    pub(super) fn put_off(
        &mut self,
        process: ProcessId,
        command: ProgramCommand,
        plan: &CommandPlan,
        now: Duration,
    ) -> bool {
        let until = now.saturating_add(plan.timeout);
        let waiting = PutOffCommand { process, command, plan: plan.clone(), due: now, until };
        self.put_off_again(waiting, now)
    }

    /// The same with a command that has waited already.
    pub(super) fn put_off_again(&mut self, mut waiting: PutOffCommand, now: Duration) -> bool {
        waiting.due = now.saturating_add(PAUSE);
        let has_time = waiting.due < waiting.until;
        if has_time {
            self.0.push(waiting);
        }
        has_time
    }

    /// When the first one is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.iter().map(|waiting| waiting.due).min()
    }

    /// Takes one that is due.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<PutOffCommand> {
        let position = self.0.iter().position(|waiting| waiting.due <= now)?;
        Some(self.0.swap_remove(position))
    }

    /// Gives up a command. Whether it waited.
    pub(super) fn give_up(&mut self, process: ProcessId, command: ProgramCommand) -> bool {
        let before = self.0.len();
        self.0.retain(|waiting| (waiting.process, waiting.command) != (process, command));
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_waits_within_its_time_limit() {
        let mut commands = PutOffCommands::default();
        let (process, command) = (ProcessId(1), ProgramCommand::HealthProbe);
        let plan = |millis| CommandPlan {
            line: "true".to_owned(),
            environment: Vec::new(),
            timeout: Duration::from_millis(millis),
        };
        let at = Duration::from_secs(10);
        assert!(!commands.put_off(process, command, &plan(200), at));
        assert!(commands.put_off(process, command, &plan(600), at));
        assert_eq!(commands.deadline(), Some(at + PAUSE));
        assert!(commands.take_due(at).is_none());
        let waiting = commands.take_due(at + PAUSE).unwrap();
        assert!(commands.put_off_again(waiting, at + PAUSE));
        assert!(commands.give_up(process, command) && !commands.give_up(process, command));
        assert_eq!(commands.deadline(), None);
    }
}
