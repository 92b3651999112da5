//! What is noted in the state file, and when.

use supervisord_core::supervisor::ProcessId;

use super::Control;

impl Control {
    pub(super) fn begin_journal(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.begin(&self.supervisor, |process| self.children.kept_or_expected(process));
        }
    }

    /// Keeps the state of a process for a daemon that may have to take it over.
    pub(super) fn note(&mut self, process: ProcessId) {
        let Some(journal) = &mut self.journal else { return };
        journal.note(&self.supervisor, process, self.children.kept_or_expected(process));
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
