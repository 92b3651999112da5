//! What is worth saying about a configuration.

use super::LogLevel;
use crate::place::Place;

/// The severity of a [`ConfigNotice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeLevel {
    /// Logged at WARN.
    Warn,
    /// Logged at INFO.
    Info,
}

impl From<NoticeLevel> for LogLevel {
    fn from(level: NoticeLevel) -> LogLevel {
        match level {
            NoticeLevel::Warn => LogLevel::Warn,
            NoticeLevel::Info => LogLevel::Info,
        }
    }
}

/// Something worth saying about a configuration that is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigNotice {
    /// How loud.
    pub level: NoticeLevel,
    /// The text, with the place at its end where one is known.
    pub text: String,
    /// Where that is; none where it is not known.
    pub place: Option<Place>,
}
