//! Programs are disabled and enabled: first the list of them is stored where the next boot finds it, then the change counts.
//!
//! Changes are made one after the other, each from the list that was stored before, so that a list that cannot be stored takes
//! back its own change and no other.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_wire::name::{Namespec, namespec};

use super::enablement_queue::{EnablementAction, EnablementChange};
use super::job::Goal;
use super::{CallId, Effect, ProcessId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::disabled::{DisabledPrograms, Disabling};
use crate::event::ProcessName;
use crate::last_request::RequestedAction;
use crate::process::{Machine, MachineInput};
use crate::scope::ProgramScope;
use crate::time::Now;

/// Who has a process stopped that somebody disabled while no daemon could stop it.
const LEFT_RUNNING: &str = "the daemon, because it is disabled";

impl Supervisor {
    /// The programs that are not to be started until somebody enables them.
    pub fn disabled_programs(&self) -> &Arc<DisabledPrograms> {
        &self.enablement.disabled
    }

    /// Says which programs are disabled, before anything is started.
    pub fn set_disabled_programs(&mut self, disabled: Arc<DisabledPrograms>) {
        self.enablement.disabled = disabled;
        self.effects.push_back(Effect::PublishDisabled(self.enablement.disabled.clone()));
        for (id, member) in &mut self.members {
            let known = self.enablement.disabling(&member.group, &member.config.identity.name);
            if member.disabled != known {
                member.disabled = known;
                self.effects.push_back(Effect::PublishRow(*id));
            }
        }
    }

    /// Stops what is disabled and runs: the daemon before was killed when it had stored that, and before it could stop it.
    pub fn stop_disabled(&mut self, now: Now) {
        let disabled = self.members.iter().filter(|(_, member)| member.disabled.is_some());
        let disabled: Vec<ProcessId> = disabled.map(|(id, _)| *id).collect();
        for id in disabled.into_iter().filter(|id| self.is(*id, Machine::can_be_stopped)).collect::<Vec<_>>() {
            self.cancel_listener_restart(id);
            self.note_request(id, RequestedAction::Stop, LEFT_RUNNING);
            self.drive_machine(now, id, MachineInput::Stop);
        }
    }

    pub(super) fn is_disabled(&self, id: ProcessId) -> bool {
        self.members.get(&id).is_some_and(|member| member.disabled.is_some())
    }

    /// Whether it is on the list, and no active group has it: it was removed from the configuration, and may come back.
    pub(super) fn is_disabled_and_absent(&self, scope: &ProgramScope, name: &ProcessName) -> bool {
        let ProcessName { group, process } = name;
        scope.includes(group, process)
            && self.enablement.is_disabled(group, process)
            && self.find(group, process).is_none()
    }

    /// What a name stands for of those.
    pub(super) fn absent_named(&self, scope: &ProgramScope, spec: &Namespec) -> Vec<ProcessName> {
        let is_meant = |name: &ProcessName| {
            *name.group == *spec.group && spec.process.as_ref().is_none_or(|process| *name.process == **process)
        };
        let names = self.enablement.disabled.iter().map(|(name, _)| name).filter(is_meant);
        names.filter(|name| self.is_disabled_and_absent(scope, name)).collect()
    }

    /// Why a process is not started, where somebody has disabled it.
    pub(super) fn refusal_of_disabled(&self, id: ProcessId) -> Option<Refusal> {
        let disabling = self.members.get(&id)?.disabled.as_ref()?;
        let name = self.member_name(id);
        let text = format!("{name}: {disabling}; to let it be started again: supervisorctl enable {name}");
        Some(Refusal::with(Reason::Disabled, text))
    }

    /// Begins to disable or enable processes, and what is on the list alone, for items of an open job.
    pub(super) fn change_enablement(
        &mut self,
        call: CallId,
        action: EnablementAction,
        ids: Vec<ProcessId>,
        absent: Vec<ProcessName>,
    ) {
        for id in &ids {
            self.add_item(call, *id, Goal::Store);
        }
        self.set_absent(call, absent.clone());
        let name = |id: &ProcessId| {
            let member = self.members.get(id)?;
            let process = member.config.identity.name.as_str().into();
            Some(ProcessName { group: member.group.clone(), process })
        };
        let names = ids.iter().filter_map(name).chain(absent).collect();
        let disabling = Arc::new(Disabling { by: self.asker.to_string(), at: self.now.epoch() });
        self.enablement.waiting.push_back(EnablementChange { call, action, names, disabling });
        self.store_next();
    }

    /// Has the next change stored, if none is being stored. So is one that changes nothing: the answer says what the next boot
    /// finds, and somebody may have removed the list, or it could not be read.
    fn store_next(&mut self) {
        if self.enablement.under_way.is_some() {
            return;
        }
        let Some(change) = self.enablement.waiting.pop_front() else { return };
        let mut disabled = DisabledPrograms::clone(&self.enablement.disabled);
        for name in &change.names {
            match change.action {
                EnablementAction::Disable { .. } => disabled.disable(name, &change.disabling),
                EnablementAction::Enable => disabled.enable(name),
            };
        }
        let disabled = Arc::new(disabled);
        self.effects.push_back(Effect::StoreDisabled(disabled.clone()));
        self.enablement.under_way = Some((change, disabled));
    }

    /// The list has been stored, or could not be, for this reason.
    pub(super) fn disabled_stored(&mut self, now: Now, result: Result<(), String>) {
        let Some((change, disabled)) = self.enablement.under_way.take() else { return };
        match result {
            Ok(()) => {
                self.enablement.disabled = disabled;
                self.effects.push_back(Effect::PublishDisabled(self.enablement.disabled.clone()));
                self.carry_out(now, &change);
            }
            Err(reason) => self.refuse_change(&change, &reason),
        }
        self.store_next();
    }

    fn ids_of(&self, change: &EnablementChange) -> Vec<ProcessId> {
        change.names.iter().filter_map(|name| self.find(&name.group, &name.process)).collect()
    }

    fn carry_out(&mut self, now: Now, change: &EnablementChange) {
        let ids = self.ids_of(change);
        for id in &ids {
            let Some(member) = self.members.get_mut(id) else { continue };
            let known = self.enablement.disabling(&member.group, &member.config.identity.name);
            if member.disabled == known {
                continue;
            }
            let word = if known.is_some() { "disabled" } else { "enabled" };
            member.disabled = known;
            let line = format!("{} is {word} by {}", self.member_name(*id), change.disabling.by);
            self.log(LogLevel::Info, line);
            self.effects.push_back(Effect::PublishRow(*id));
        }
        for ProcessName { group, process } in self.take_absent(change.call, &Ok(())) {
            let line = format!("{} is enabled by {}", namespec(&group, &process), change.disabling.by);
            self.log(LogLevel::Info, line);
        }
        let EnablementAction::Disable { wait } = change.action else {
            return ids.into_iter().for_each(|id| self.finish_item(change.call, id, Ok(())));
        };
        for id in &ids {
            self.drop_from_rollout(*id);
            self.cancel_listener_restart(*id);
        }
        let (active, idle): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.is(*id, Machine::can_be_stopped));
        self.begin_stops(now, change.call, &active, wait);
        for id in idle {
            // Another request may be stopping it.
            let waits = wait && !self.is_down(id);
            match waits {
                true => self.set_goal(change.call, id, Goal::Stop),
                false => self.finish_item(change.call, id, Ok(())),
            }
        }
    }

    fn refuse_change(&mut self, change: &EnablementChange, reason: &str) {
        let word = match change.action {
            EnablementAction::Disable { .. } => "disabled",
            EnablementAction::Enable => "enabled",
        };
        for id in self.ids_of(change) {
            let text = format!("{}: not {word}, because {reason}", self.member_name(id));
            self.finish_item(change.call, id, Err(Refusal::with(Reason::Failed, text)));
        }
        let text = format!("not {word}, because {reason}");
        self.take_absent(change.call, &Err(Refusal::with(Reason::Failed, text)));
    }
}
