//! How many programs start at once (`max_parallel_starts`), and whose turn it is next.
//!
//! A program takes a place from its spawn until it is up, has exited or is being stopped. One that finds no place free waits for
//! its turn in the [`StartQueue`](super::start_queue::StartQueue).

use supervisord_config::model::LogLevel;

use super::Supervisor;
use super::messages::ProcessId;
use crate::process::MachineInput;
use crate::texts;
use crate::time::Now;

impl Supervisor {
    /// How many programs are starting.
    pub fn starting(&self) -> usize {
        self.turns.starting
    }

    /// Whether one more program may start now. One whose turn it is does not wait for others.
    pub(super) fn has_place(&self, input: &MachineInput) -> bool {
        self.has_room() && (self.turns.is_empty() || *input == MachineInput::Turn)
    }

    fn has_room(&self) -> bool {
        let most = self.config.supervisord.max_parallel_starts;
        most == 0 || self.turns.starting < most
    }

    /// A start that somebody asks for comes before those that the daemon makes by itself.
    pub(super) fn put_first(&mut self, id: ProcessId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.is_asked_for = true;
        }
    }

    /// Notes a place that a process has taken or given back, and whether it waits for one.
    pub(super) fn note_turn(&mut self, id: ProcessId, was_starting: bool) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let is_starting = member.machine.is_starting();
        self.turns.starting = self.turns.starting + usize::from(is_starting) - usize::from(was_starting);
        if member.machine.awaits_turn() {
            let is_automatic = !member.is_asked_for;
            let before = self.turns.waits_automatically(id);
            if before.is_none_or(|before| before && !is_automatic) {
                let own = member.config.identity.priority;
                let group = self.groups.index_of(&member.group).map_or(0, |index| self.groups[index].config.priority);
                self.turns.add(id, is_automatic, (group, own));
                self.note_jam();
            }
            return;
        }
        if is_starting || member.machine.is_down() {
            member.is_asked_for = false;
        }
        self.turns.remove(id);
    }

    /// A process is removed. It is down, so that it has no place.
    pub(super) fn forget_turn(&mut self, id: ProcessId) {
        self.turns.remove(id);
    }

    fn note_jam(&mut self) {
        if self.turns.jam.is_none() {
            self.turns.jam = Some((self.now.mono, 0));
            let line = texts::starts_are_limited(self.config.supervisord.max_parallel_starts);
            self.log(LogLevel::Info, line);
        }
    }

    /// Gives the free places to those whose turn it is.
    pub(super) fn give_turns(&mut self, now: Now) {
        // Before it is known which children are left, none must be made.
        if self.turns.jam.is_none() || self.rechecks_waiting || self.is_ending() {
            return;
        }
        while self.has_room() {
            let Some(id) = self.turns.take_next() else { break };
            if let Some((_, served)) = &mut self.turns.jam {
                *served += 1;
            }
            self.drive_machine(now, id, MachineInput::Turn);
        }
        if self.turns.is_empty()
            && let Some((since, served)) = self.turns.jam.take()
        {
            self.log(LogLevel::Info, texts::starts_have_caught_up(served, now.mono.saturating_sub(since)));
        }
    }

    /// What is known of the places when another supervisor goes on.
    pub(super) fn resume_turns(&mut self) {
        let starting = self.members.values().filter(|member| member.machine.is_starting());
        self.turns.starting = starting.count();
        let waiting = self.members.iter().filter(|(_, member)| member.machine.awaits_turn());
        for id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            // It has no place, and had none.
            self.note_turn(id, false);
        }
    }

    #[cfg(test)]
    pub(super) fn check_turns(&self) {
        let starting = self.members.values().filter(|member| member.machine.is_starting());
        assert_eq!(self.turns.starting, starting.count());
        let waiting = self.members.iter().filter(|(_, member)| member.machine.awaits_turn()).map(|(id, _)| *id);
        let waiting: std::collections::BTreeSet<ProcessId> = waiting.collect();
        assert_eq!(waiting, self.turns.waiting());
        assert!(waiting.is_empty() || !self.has_room() || self.rechecks_waiting || self.is_ending());
    }
}
