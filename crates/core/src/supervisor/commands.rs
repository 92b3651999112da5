//! The commands of programs beside their own: which run, what their ends mean, and who waits for them.
//!
//! A command counts as running from the effect that asks for it until its end has been reported, also while it is being ended.
//! As long as one runs, its process is not started again, and not removed. What comes after the end of a program is held back until
//! those have ended that are ended with the program.

use supervisord_config::model::LogLevel;

use super::running_command::RunningCommand;
use super::{Effect, Member, ProcessId, Supervisor};
use crate::event::Event;
use crate::process::{
    CommandPlan, EnvironmentPlan, EnvironmentQuestion, HookPlan, MachineInput, ProcessPhase, ProgramCommand,
    ReloadPlan, StopPlan,
};
use crate::texts;
use crate::time::Now;

impl Supervisor {
    /// Runs a hook of a process, or the command of the present step of its stop.
    pub(super) fn run_hook(&mut self, id: ProcessId, hook: ProgramCommand) {
        let Some(member) = self.members.get(&id) else { return };
        if let Some(plan) = member.command_plan(hook) {
            self.run_command(id, hook, plan);
        }
    }

    /// Runs a command, unless one of its kind still runs. Its end is reported with
    /// [`SupervisorInput::CommandEnded`](super::SupervisorInput::CommandEnded).
    pub(super) fn run_command(&mut self, id: ProcessId, command: ProgramCommand, plan: CommandPlan) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.commands.iter().any(|running| running.command == command) {
            let text = texts::command_failed(command, "the one before still runs");
            let line = texts::command_of(&member.config.identity.name, &text);
            self.log(LogLevel::Warn, line);
            return self.hook_failed(id, command, "the one before still runs".to_owned());
        }
        member.commands.push(RunningCommand { command, is_made: false });
        if is_held_back(&member.commands, command) {
            return;
        }
        self.effects.push_back(Effect::RunCommand { process: id, command, plan });
    }

    /// Ends the commands of a process that do not outlive its program.
    pub(super) fn end_commands(&mut self, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let ended = member.commands.iter().map(|running| running.command).filter(|command| !command.outlives_program());
        self.effects.extend(ended.map(|command| Effect::EndCommand { process: id, command }));
    }

    /// A command has ended, or could not be run.
    pub(super) fn command_ended(
        &mut self,
        now: Now,
        id: ProcessId,
        command: ProgramCommand,
        result: Result<(), String>,
    ) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(position) = member.commands.iter().position(|running| running.command == command) else { return };
        member.commands.remove(position);
        let awaited_before = member.machine.awaits_pre_start();
        let name = member.config.identity.name.clone();
        if command == ProgramCommand::HealthProbe {
            self.health_command_ended(now, id, result.clone());
        }
        if command == ProgramCommand::ReadinessProbe {
            self.readiness_command_ended(now, id, result.clone());
        }
        if command == ProgramCommand::Reload {
            self.reload_ended(id, &result);
        }
        match &result {
            // The health, or the row, tells of it.
            Err(_) if command.is_probe() => {}
            Ok(()) => self.log_debug(|| texts::command_of(&name, &format!("{command} has ended"))),
            Err(reason) => {
                let line = texts::command_of(&name, &texts::command_failed(command, reason));
                self.log(LogLevel::Warn, line);
                self.hook_failed(id, command, reason.clone());
            }
        }
        self.run_held_back(id, command);
        self.drive_machine(now, id, MachineInput::CommandEnded(command, result));
        let machine = self.members.get(&id).map(|member| &member.machine);
        if awaited_before && machine.is_some_and(|machine| machine.has_failed()) {
            self.spawn_settled(id);
        }
    }

    /// Runs what was held back by another command that has ended.
    fn run_held_back(&mut self, id: ProcessId, ended: ProgramCommand) {
        let Some(member) = self.members.get(&id).filter(|_| !ended.outlives_program()) else { return };
        let [RunningCommand { command, .. }] = member.commands.as_slice() else { return };
        let command = *command;
        if command.outlives_program()
            && let Some(plan) = member.command_plan(command)
        {
            self.effects.push_back(Effect::RunCommand { process: id, command, plan });
        }
    }

    /// Tells those who follow the events.
    fn hook_failed(&mut self, id: ProcessId, hook: ProgramCommand, reason: String) {
        if let Some(process) = self.name_of(id).filter(|_| hook.is_hook()) {
            self.emit(Event::HookFailed { process, hook, reason });
        }
    }

    /// A command that a daemon was about to run when it was killed is run by the next one.
    pub(super) fn command_not_made(&mut self, now: Now, id: ProcessId, command: ProgramCommand) {
        let Some(member) = self.members.get(&id) else { return };
        let is_known = member.commands.iter().any(|running| running.command == command);
        if !is_known || is_held_back(&member.commands, command) {
            return;
        }
        let machine = &member.machine;
        let is_wanted = match command {
            ProgramCommand::PreStart | ProgramCommand::Environment => machine.awaits_pre_start(),
            ProgramCommand::PostStart | ProgramCommand::Reload => machine.is_up(),
            ProgramCommand::PreStop => machine.awaits_pre_stop(),
            ProgramCommand::StopStep => machine.phase() == ProcessPhase::Stopping,
            ProgramCommand::PostStop => true,
            // It is begun anew when it is due.
            ProgramCommand::HealthProbe | ProgramCommand::ReadinessProbe => false,
        };
        match member.command_plan(command).filter(|_| is_wanted) {
            Some(plan) => self.effects.push_back(Effect::RunCommand { process: id, command, plan }),
            None => self.command_ended(now, id, command, Err("it was not run".to_owned())),
        }
    }

    /// What the command is asked that runs before the start of a process; none where none runs.
    pub fn environment_question(&self, id: ProcessId) -> Option<EnvironmentQuestion<'_>> {
        let member = self.members.get(&id).filter(|member| member.machine.awaits_pre_start())?;
        EnvironmentPlan::of(&member.config).question(member.machine.progress().environment_step)
    }

    /// All commands that run as far as the supervisor knows.
    pub fn running_commands(&self) -> Vec<(ProcessId, RunningCommand)> {
        let each = |(id, commands): (ProcessId, &[RunningCommand])| {
            commands.iter().map(|running| (id, *running)).collect::<Vec<_>>()
        };
        self.members.iter().map(|(id, member)| (*id, member.commands.as_slice())).flat_map(each).collect()
    }

    fn log_debug(&mut self, line: impl FnOnce() -> String) {
        if self.logs(LogLevel::Debug) {
            self.log(LogLevel::Debug, line());
        }
    }
}

/// Whether a command has to wait for the end of others.
fn is_held_back(commands: &[RunningCommand], command: ProgramCommand) -> bool {
    command.outlives_program() && commands.iter().any(|other| other.command != command)
}

impl Member {
    /// How one of its commands is to be run now; none where it has no such command.
    fn command_plan(&self, command: ProgramCommand) -> Option<CommandPlan> {
        let progress = self.machine.progress();
        match command {
            ProgramCommand::Environment => EnvironmentPlan::of(&self.config).command(progress.environment_step),
            ProgramCommand::StopStep => StopPlan::of(&self.config).command(progress.stop_step, progress.pid),
            ProgramCommand::Reload => match ReloadPlan::of(&self.config, progress.pid) {
                Some(ReloadPlan::Command(plan)) => Some(plan),
                Some(ReloadPlan::Signal(_)) | None => None,
            },
            _ => HookPlan::of(&self.config).command(command, progress.last_end.as_deref()),
        }
    }
}
