//! What is noted in the state file, and when.

use supervisord_core::supervisor::ProcessId;

use super::Control;
use crate::clock::present;

impl Control {
    pub(super) fn begin_journal(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.begin(&self.supervisor, |process| self.children.kept_or_expected(process));
        }
    }

    /// Has the state of a process kept for a daemon that may have to take it over, when this turn of the loop is done:
    /// a process changes several times in one turn.
    pub(super) fn note(&mut self, process: ProcessId) {
        if self.journal.is_some() {
            self.unnoted.insert(process);
        }
    }

    /// Keeps what has changed in this turn.
    pub(super) fn write_notes(&mut self) {
        let listeners = self.chatter.take_due(present().mono);
        if listeners.is_some() {
            self.tools.output.ring();
        }
        let Some(journal) = &mut self.journal else { return };
        self.unnoted.extend(listeners.into_iter().flatten());
        for process in std::mem::take(&mut self.unnoted) {
            journal.note(&self.supervisor, process, self.children.kept_or_expected(process));
        }
        if journal.is_long() {
            self.begin_journal();
        }
    }

    pub(super) fn note_waiting_events(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        for listener in journal.news_of_events(&self.supervisor) {
            self.note(listener);
        }
    }
}
