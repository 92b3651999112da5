//! What is worth saying about a configuration, collected while it is read.

use std::collections::HashSet;

use crate::model::{ConfigNotice, NoticeLevel};
use crate::place::{Place, in_one_line};

/// Warnings and information, each in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    warnings: Vec<ConfigNotice>,
    information: Vec<ConfigNotice>,
    said: HashSet<String>,
}

impl Notices {
    /// A warning of the original's, to the letter.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(ConfigNotice { level: NoticeLevel::Warn, text: text.into(), origin: None });
    }

    /// A warning of ours about a place, which is said once, however many processes are made of it.
    pub(crate) fn warn_at(&mut self, text: impl std::fmt::Display, place: Place) {
        let text = in_one_line(&format!("{text} ({place})"));
        if self.said.insert(text.clone()) {
            self.warnings.push(ConfigNotice { level: NoticeLevel::Warn, text, origin: Some(place.origin().clone()) });
        }
    }

    pub(crate) fn inform(&mut self, text: impl Into<String>) {
        self.information.push(ConfigNotice { level: NoticeLevel::Info, text: text.into(), origin: None });
    }

    /// All warnings, then all information.
    pub(crate) fn finish(self) -> Vec<ConfigNotice> {
        self.warnings.into_iter().chain(self.information).collect()
    }
}
