//! What is worth saying about a configuration, collected while it is read.

use std::collections::HashSet;

use crate::model::{ConfigNotice, NoticeLevel};
use crate::place::{Place, in_one_line};

/// Warnings and information, each in the order in which they came up.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    warnings: Vec<String>,
    information: Vec<String>,
    said: HashSet<String>,
}

impl Notices {
    /// A warning of the original's, to the letter.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// A warning of ours about a place, which is said once, however many processes are made of it.
    pub(crate) fn warn_at(&mut self, text: impl std::fmt::Display, place: Place) {
        let text = in_one_line(&format!("{text} ({place})"));
        if self.said.insert(text.clone()) {
            self.warnings.push(text);
        }
    }

    pub(crate) fn inform(&mut self, text: impl Into<String>) {
        self.information.push(text.into());
    }

    /// All warnings, then all information.
    pub(crate) fn finish(self) -> Vec<ConfigNotice> {
        let warnings = self.warnings.into_iter().map(|text| ConfigNotice { level: NoticeLevel::Warn, text });
        let information = self.information.into_iter().map(|text| ConfigNotice { level: NoticeLevel::Info, text });
        warnings.chain(information).collect()
    }
}
