//! Why a configuration cannot be used.

use std::fmt;

use crate::model::Origin;
use crate::place::Place;

/// A configuration that cannot be used: the original's words, and the place as far as it is known.
///
/// `Display` gives both, `WORDS (PLACE)`; it is what follows `Error: ` at the start and `CANT_REREAD: ` after a failed
/// reread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    place: Option<Box<Place>>,
}

impl ConfigError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> ConfigError {
        ConfigError { message: message.into(), place: None }
    }

    /// An error about what is written at a place.
    pub fn at(message: impl Into<String>, place: Place) -> ConfigError {
        ConfigError { message: message.into(), place: Some(Box::new(place)) }
    }

    /// The message in the original's words, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the offending value or section is written.
    pub fn origin(&self) -> Option<&Origin> {
        self.place.as_ref().map(|place| place.origin())
    }

    /// The place, as far as it is known.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// The same error with what to write instead.
    pub(crate) fn advise(self, advice: impl Into<Option<String>>) -> ConfigError {
        ConfigError { place: self.place.map(|place| Box::new(place.advise(advice))), ..self }
    }

    /// The same error with its message changed.
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> ConfigError {
        ConfigError { message: change(self.message), ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
