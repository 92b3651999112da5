//! Reloads: programs are told to read their configurations again.

use supervisord_config::model::LogLevel;

use super::job::Goal;
use super::{CallId, Effect, ProcessId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::last_request::RequestedAction;
use crate::process::{KillScope, ProgramCommand, ReloadPlan};
use crate::texts;

impl Supervisor {
    /// Tells a process to read its configuration again, for an item of a call. One that is not RUNNING may not be able to
    /// yet: many signals end a program that has not prepared for them.
    pub(super) fn begin_reload(&mut self, call: CallId, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let name = member.config.identity.name.clone();
        let pid = member.machine.pid();
        let run = member.run.filter(|_| member.machine.is_up());
        let plan = ReloadPlan::of(&member.config, pid);
        let advice = ReloadPlan::advice(&member.config);
        let is_under_way = member.commands.iter().any(|running| running.command == ProgramCommand::Reload);
        self.add_item(call, id, Goal::Reload);
        let refusal = match (plan, run) {
            (None, _) => Refusal::with(Reason::NotConfigured, advice),
            (Some(_), None) => self.item_refusal(call, id, Reason::NotRunning),
            (Some(_), Some(_)) if is_under_way => {
                Refusal::with(Reason::UnderWay, "the reload before is still under way")
            }
            (Some(plan), Some(run)) => {
                let by = self.asker_of(call);
                self.note_request(id, RequestedAction::Reload, &by);
                self.effects.push_back(Effect::PublishRow(id));
                match plan {
                    ReloadPlan::Signal(signal) => {
                        self.log(LogLevel::Info, texts::reloading(&name, Some(signal)));
                        let scope = KillScope::Process;
                        self.effects.push_back(Effect::Kill { process: id, run, signal, scope, call: Some(call) });
                    }
                    ReloadPlan::Command(plan) => {
                        self.log(LogLevel::Info, texts::reloading(&name, None));
                        self.run_command(id, ProgramCommand::Reload, plan);
                    }
                }
                return;
            }
        };
        self.finish_item(call, id, Err(refusal));
    }

    /// The command that reloads a process has ended.
    pub(super) fn reload_ended(&mut self, id: ProcessId, result: &Result<(), String>) {
        let failed = |reason: &String| {
            Refusal::with(Reason::CommandFailed, texts::command_failed(ProgramCommand::Reload, reason))
        };
        for call in self.calls_with(id, |goal| *goal == Goal::Reload) {
            self.finish_item(call, id, result.as_ref().copied().map_err(failed));
        }
    }
}
