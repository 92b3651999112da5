//! The programs that are starting, and those that wait for their turn.
//!
//! What somebody asked for comes first. The others come in waves: who has to wait after the first of a wave has had its turn
//! belongs to the next wave. Within a wave, `priority` decides, and then who came first. A program of a high priority that crashes
//! again and again therefore never keeps another one waiting for ever.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::messages::ProcessId;

/// The programs that are starting, and those that wait for their turn.
#[derive(Default)]
pub(super) struct StartQueue {
    /// How many programs have a place.
    pub(super) starting: usize,
    waiting: BTreeSet<Turn>,
    of_process: HashMap<ProcessId, Turn>,
    /// The wave that those belong to who come now.
    wave: u64,
    next_number: u64,
    /// When the first of those that wait came, and how many have had their turn since.
    pub(super) jam: Option<(Duration, usize)>,
}

/// What decides whose turn it is: the least one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    is_automatic: bool,
    wave: u64,
    /// Of its group, and its own.
    priority: (i64, i64),
    number: u64,
    process: ProcessId,
}

impl StartQueue {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> BTreeSet<ProcessId> {
        assert_eq!(self.waiting.len(), self.of_process.len());
        self.waiting.iter().map(|turn| turn.process).collect()
    }

    /// Whether a process waits as one that somebody asked for, or not; none where it does not wait.
    pub(super) fn waits_automatically(&self, process: ProcessId) -> Option<bool> {
        self.of_process.get(&process).map(|turn| turn.is_automatic)
    }

    /// A process waits from now on. The priorities are those of its group and its own.
    pub(super) fn add(&mut self, process: ProcessId, is_automatic: bool, priority: (i64, i64)) {
        self.remove(process);
        let turn = Turn { is_automatic, wave: self.wave, priority, number: self.next_number, process };
        self.next_number += 1;
        self.waiting.insert(turn);
        self.of_process.insert(process, turn);
    }

    /// A process does not wait any more.
    pub(super) fn remove(&mut self, process: ProcessId) {
        if let Some(turn) = self.of_process.remove(&process) {
            self.waiting.remove(&turn);
        }
    }

    /// Whose turn it is.
    pub(super) fn take_next(&mut self) -> Option<ProcessId> {
        let turn = self.waiting.pop_first()?;
        self.of_process.remove(&turn.process);
        if turn.wave == self.wave {
            self.wave += 1;
        }
        Some(turn.process)
    }
}
