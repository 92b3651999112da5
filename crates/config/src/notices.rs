//! What is worth saying about a configuration, collected while it is read.

use crate::model::{Notice, NoticeLevel};

/// Warnings and information, each in the order in which they came up.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    warnings: Vec<String>,
    information: Vec<String>,
}

impl Notices {
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    pub(crate) fn inform(&mut self, text: impl Into<String>) {
        self.information.push(text.into());
    }

    /// All warnings, then all information.
    pub(crate) fn finish(self) -> Vec<Notice> {
        let warnings = self.warnings.into_iter().map(|text| Notice { level: NoticeLevel::Warn, text });
        let information = self.information.into_iter().map(|text| Notice { level: NoticeLevel::Info, text });
        warnings.chain(information).collect()
    }
}
