//! One action on any choice of processes.

use std::collections::{HashMap, HashSet};

use super::enablement_queue::EnablementAction;
use super::job::{Goal, ReplyForm};
use super::{CallId, ProcessId, Supervisor};
use crate::call::{ProgramAction, Reason};
use crate::event::ProcessName;
use crate::last_request::RequestedAction;
use crate::output::Channel;
use crate::process::{Machine, MachineInput, Wanted};
use crate::scope::ProgramScope;
use crate::time::Now;

impl Supervisor {
    /// Opens the job of the call, with an item for each of the processes; those that do not exist are refused.
    pub(super) fn act_on(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        action: ProgramAction,
        processes: Vec<ProcessName>,
        wait: bool,
    ) {
        self.open_job(call, ReplyForm::Array);
        let (absent, processes) = match action {
            ProgramAction::Enable => processes.into_iter().partition(|name| self.is_disabled_and_absent(scope, name)),
            _ => (Vec::new(), processes),
        };
        let ids = self.named(call, scope, processes);
        match action {
            ProgramAction::Start => {
                for id in self.dependencies.in_order(ids) {
                    self.begin_start(call, id, wait);
                }
            }
            ProgramAction::Stop => {
                let (active, idle): (Vec<_>, Vec<_>) =
                    ids.into_iter().partition(|id| self.is(*id, Machine::can_be_stopped));
                for id in idle {
                    self.begin_stop(now, call, id, wait);
                }
                self.begin_stops(now, call, &active, wait);
            }
            ProgramAction::Restart => {
                for id in self.dependencies.in_order(ids) {
                    self.begin_restart(now, call, id, wait);
                }
            }
            ProgramAction::Signal(number) => ids.into_iter().for_each(|id| self.begin_signal(call, id, number)),
            ProgramAction::Reload => ids.into_iter().for_each(|id| self.begin_reload(call, id)),
            ProgramAction::Disable => {
                self.change_enablement(call, EnablementAction::Disable { wait }, ids, Vec::new());
            }
            ProgramAction::Enable => self.change_enablement(call, EnablementAction::Enable, ids, absent),
            ProgramAction::ClearLogs(only) => {
                let channels = only.map_or(vec![Channel::Stdout, Channel::Stderr], |channel| vec![channel]);
                ids.into_iter().for_each(|id| self.begin_clear(call, id, &channels));
            }
        }
    }

    /// The processes with these names that are within the scope, each once.
    pub(super) fn named(&mut self, call: CallId, scope: &ProgramScope, names: Vec<ProcessName>) -> Vec<ProcessId> {
        let members = self.members.iter();
        let by_name: HashMap<(&str, &str), ProcessId> =
            members.map(|(id, member)| ((&*member.group, &*member.config.identity.name), *id)).collect();
        let id_of = |name: &ProcessName| {
            let id = by_name.get(&(&*name.group, &*name.process)).copied();
            id.filter(|_| scope.includes(&name.group, &name.process))
        };
        let mut ids: Vec<ProcessId> = names.iter().filter_map(id_of).collect();
        let unknown: Vec<ProcessName> = names.into_iter().filter(|name| id_of(name).is_none()).collect();
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        unknown.into_iter().for_each(|name| self.add_unknown(call, name));
        ids
    }

    /// Stops a process and starts it again. What has begun goes on when another daemon takes over: the process is wanted up all
    /// the time.
    fn begin_restart(&mut self, now: Now, call: CallId, id: ProcessId, wait: bool) {
        if self.is_disabled(id) {
            // Refused.
            return self.begin_start(call, id, wait);
        }
        let Some(member) = self.members.get(&id) else { return };
        let machine = &member.machine;
        let is_replaced = machine.is_alive() || machine.can_be_stopped() && machine.is_recycled();
        let by = self.asker.clone();
        if is_replaced {
            self.cancel_listener_restart(id);
            self.log_dependents_beside(&[id]);
            self.add_item(call, id, Goal::Replace);
            self.note_request(id, RequestedAction::Restart, &by);
            self.drive_machine(now, id, MachineInput::Recycle);
            if !wait {
                self.finish_item(call, id, Ok(()));
            }
            return;
        }
        if machine.can_be_stopped() {
            // It waits for something, or for another attempt, which is made at once.
            self.cancel_listener_restart(id);
            self.drive_machine(now, id, MachineInput::Stop);
        }
        self.begin_start(call, id, wait);
    }

    /// A process of which [`Goal::Replace`] is waited for has changed.
    pub(super) fn replaced(&mut self, call: CallId, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let machine = &member.machine;
        let refusal = match machine.wanted() {
            _ if machine.has_failed() => Reason::SpawnError,
            // Somebody has stopped it meanwhile, or it cannot be signalled.
            Wanted::Down => Reason::AbnormalTermination,
            Wanted::Up if machine.is_unreachable() => Reason::Failed,
            Wanted::Up if machine.is_coming_up() => {
                return self.set_goal(call, id, Goal::Spawn { wait: true });
            }
            Wanted::Up => return,
        };
        let refusal = self.item_refusal(call, id, refusal);
        self.finish_item(call, id, Err(refusal));
    }
}
