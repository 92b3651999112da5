//! Passes what happens to the machines of processes, and carries out what they decide.

use supervisord_wire::state::Mood;

use super::{Effect, ProcessId, Supervisor, counts};
use crate::dependencies;
use crate::process::{Finish, Machine, MachineAction, MachineContext, MachineInput};
use crate::time::Now;

impl Supervisor {
    /// Passes an input to the machine of a process, and carries out the actions that it returns.
    pub(super) fn drive_machine(&mut self, now: Now, id: ProcessId, input: MachineInput) {
        if matches!(input, MachineInput::Start | MachineInput::Recycle) && self.is_disabled(id) {
            return;
        }
        let supervising = self.mood == Mood::Running;
        let dependencies_met = !input.may_spawn() || self.are_dependencies_met(id);
        let has_place = self.has_place(&input);
        let Some(member) = self.members.get_mut(&id) else { return };
        let config = member.config.clone();
        let died = match input {
            MachineInput::Ended(_) => member.died.take().unwrap_or(now),
            _ => now,
        };
        let (had_finished, was_up) = (member.machine.finish().is_some(), member.machine.is_up());
        let (was_starting, was_recycling) = (member.machine.is_starting(), member.machine.recycling());
        let random = self.random.next();
        let trouble = member.probes.as_ref().and_then(|probes| probes.trouble());
        let owes_probe = member.probes.as_ref().is_some_and(|probes| probes.is_owed(now.mono));
        let context = MachineContext {
            now,
            died,
            config: &config,
            supervising,
            random,
            dependencies_met,
            has_place,
            trouble,
            owes_probe,
        };
        let actions = member.machine.handle(input, context);
        let finish = member.machine.finish().filter(|_| !had_finished);
        if !was_up && let Some(after) = member.machine.time_up_after_start(now.mono) {
            counts(member).came_up(after);
        }
        let run = member.run;
        self.follow_readiness(now, id);
        self.refile(id, now);
        self.note_turn(id, was_starting);
        self.note_recycling(id, was_recycling);
        let mut failure = finish.as_ref().and_then(Finish::defeat);
        for action in actions {
            match action {
                MachineAction::Changed { from, to, detail } => {
                    failure = dependencies::failure(to, detail).map(str::to_owned).or(failure);
                    self.state_changed(id, from, to, detail);
                }
                MachineAction::Log(level, line) => self.log(level, line),
                MachineAction::Spawn => self.effects.push_back(Effect::Spawn { process: id }),
                MachineAction::Run(hook) => self.run_hook(id, hook),
                MachineAction::EndCommands => self.end_commands(id),
                MachineAction::Signal { signal, scope } => {
                    let kill = run.map(|run| Effect::Kill { process: id, run, signal, scope, call: None });
                    self.effects.extend(kill);
                }
            }
        }
        self.effects.push_back(Effect::PublishRow(id));
        self.note_moved(id);
        self.process_changed(id);
        if let Some(failure) = failure.filter(|_| !self.dependencies.is_empty()) {
            self.dependency_failed(now, id, &failure, None);
        }
        self.process_moved(now, id);
        if self.is(id, Machine::awaits_turn) {
            self.answer_waiting(id);
        }
        if finish.is_some() {
            self.finished_for_good(id);
        }
    }

    /// Updates the entry of a process in the deadlines. A deadline that has passed is due at once.
    pub(super) fn refile(&mut self, id: ProcessId, now: Now) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let machine = member.machine.next_deadline();
        let probe = member.probes.as_ref().and_then(|probes| probes.deadline());
        let next = [machine, probe].into_iter().flatten().min().filter(|_| member.died.is_none());
        let wanted = next.map(|deadline| deadline.max(now.mono));
        if member.filed != wanted {
            if let Some(old) = member.filed {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = wanted {
                self.deadlines.insert((new, id));
            }
            member.filed = wanted;
        }
    }

    pub(super) fn unfile(&mut self, id: ProcessId) {
        if let Some(deadline) = self.members.get_mut(&id).and_then(|member| member.filed.take()) {
            self.deadlines.remove(&(deadline, id));
        }
    }
}
