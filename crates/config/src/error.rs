//! Why a configuration cannot be used.

use std::fmt;

use crate::model::Origin;

/// A configuration that cannot be used, with the place where known.
///
/// `Display` gives the message alone, in the original's words: it is what follows `Error: ` at start and
/// `CANT_REREAD: ` after a failed reread. The place is data, because those words mostly do not name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    origin: Option<Origin>,
}

impl ConfigError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> ConfigError {
        ConfigError { message: message.into(), origin: None }
    }

    /// An error about what was written at `origin`.
    pub fn at(message: impl Into<String>, origin: Option<&Origin>) -> ConfigError {
        ConfigError { message: message.into(), origin: origin.cloned() }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the offending value or section was written.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The same error with its message changed.
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> ConfigError {
        ConfigError { message: change(self.message), origin: self.origin }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
