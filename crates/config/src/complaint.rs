//! What is wrong with a value, while it is not known yet where the value is written.

use std::fmt;

use crate::url_user;

/// What stands in a message in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// A complaint about a value. `Display` gives the whole message, in the original's words.
///
/// The piece of the value that those words quote is kept apart, so that it can be left out where it may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    before: String,
    quoted: Option<String>,
    after: String,
    advice: Option<String>,
}

impl Complaint {
    /// A complaint that quotes `quoted` between two texts.
    pub fn quoting(before: impl Into<String>, quoted: impl Into<String>, after: impl Into<String>) -> Complaint {
        Complaint { before: before.into(), quoted: Some(quoted.into()), after: after.into(), advice: None }
    }

    /// Adds a text at the end of the message.
    pub fn followed_by(self, text: &str) -> Complaint {
        Complaint { after: self.after + text, ..self }
    }

    /// Adds what to write instead, which must quote nothing that may be a secret.
    pub fn advise(self, advice: impl Into<Option<String>>) -> Complaint {
        Complaint { advice: advice.into().or(self.advice), ..self }
    }

    /// The piece of the value, which may be a secret.
    pub fn quoted(&self) -> Option<&str> {
        self.quoted.as_deref()
    }

    /// What to write instead, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The message without the piece of the value.
    pub fn without_value(&self) -> String {
        let quoted = self.quoted.as_ref().map_or("", |_| HIDDEN);
        format!("{}{quoted}{}", self.before, self.after)
    }
}

impl From<String> for Complaint {
    /// A complaint that quotes nothing.
    fn from(text: String) -> Complaint {
        Complaint { before: text, ..Complaint::default() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}{}{}", self.before, self.quoted.as_deref().unwrap_or_default(), self.after);
        f.write_str(&url_user::hidden(&text))
    }
}

impl std::error::Error for Complaint {}
