//! What is worth saying about a configuration, collected while it is read.

use std::collections::HashSet;
use std::fmt;

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
        self.warnings.push(ConfigNotice { level: NoticeLevel::Warn, text: text.into(), place: None });
    }

    /// A warning of the original's about a place, which its words do not name.
    pub(crate) fn warn_about(&mut self, text: impl Into<String>, place: Place) {
        self.warnings.push(ConfigNotice { level: NoticeLevel::Warn, text: text.into(), place: Some(place) });
    }

    /// A warning of ours about a place, which is said once, however many processes are made of it.
    pub(crate) fn warn_at(&mut self, text: impl fmt::Display, place: Place) {
        self.warn_once(in_one_line(&format!("{text} ({place})")), place);
    }

    /// The same, where the text has named the section already, and the option if it is about one.
    pub(crate) fn warn_in(&mut self, text: impl fmt::Display, place: Place, section: &str, option: Option<&str>) {
        let text = in_one_line(&format!("{text} ({place})"));
        let place = place.section(section);
        self.warn_once(text, option.into_iter().fold(place, Place::option));
    }

    fn warn_once(&mut self, text: String, place: Place) {
        if self.said.insert(text.clone()) {
            self.warn_about(text, place);
        }
    }

    pub(crate) fn inform(&mut self, text: impl Into<String>) {
        self.information.push(ConfigNotice { level: NoticeLevel::Info, text: text.into(), place: None });
    }

    /// All warnings, then all information.
    pub(crate) fn finish(self) -> Vec<ConfigNotice> {
        self.warnings.into_iter().chain(self.information).collect()
    }
}
