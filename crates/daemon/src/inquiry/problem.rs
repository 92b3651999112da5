//! Something that is wrong with a configuration.

use serde_json::{Value, json};
use supervisord_config::Place;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// It works, but perhaps not as it is meant.
    Warning,
    /// The daemon would refuse the file, or a program could not be started.
    Error,
}

impl Severity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    pub(super) fn status(self) -> u8 {
        match self {
            Severity::Warning => 1,
            Severity::Error => 2,
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    /// With its place at the end.
    pub(super) text: String,
    pub(super) file: Option<String>,
    /// Counted from 1.
    pub(super) line: Option<u32>,
    pub(super) section: Option<String>,
    pub(super) option: Option<String>,
    pub(super) advice: Option<String>,
}

impl Problem {
    pub(super) fn at(severity: Severity, message: &str, place: Option<&Place>) -> Problem {
        let text = place.map_or_else(|| message.to_owned(), |place| format!("{message} ({place})"));
        let owned = |text: &str| text.to_owned();
        Problem {
            severity,
            text,
            file: place.map(|place| place.origin().file.to_string()),
            line: place.map(|place| place.origin().line).filter(|line| *line > 0),
            section: place.and_then(Place::section_name).map(owned),
            option: place.and_then(Place::option_name).map(owned),
            advice: place.and_then(Place::advice).map(owned),
        }
    }

    /// A warning whose text may have its place at the end already.
    pub(super) fn noticed(text: &str, place: Option<&Place>) -> Problem {
        let problem = Problem::at(Severity::Warning, text, place);
        match place.is_some_and(|place| text.contains(&place.origin().to_string())) {
            true => Problem { text: text.to_owned(), ..problem },
            false => problem,
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "severity": self.severity.word(),
            "message": self.text,
            "file": self.file,
            "line": self.line,
            "section": self.section,
            "option": self.option,
            "advice": self.advice,
        })
    }
}
