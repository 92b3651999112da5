//! Where something is written, and what to write instead: what a message says behind the words of the original.

use std::fmt;

use crate::complaint::HIDDEN;
use crate::origin::Origin;
use crate::url_user;

/// How many characters of a value are shown.
const LONGEST: usize = 100;

/// A place in a configuration file. It displays as `FILE:LINE, [SECTION] OPTION=VALUE, used by [SECTION]: ADVICE`, as
/// far as it knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    origin: Origin,
    section: Option<String>,
    option: Option<(String, Shown)>,
    used_by: Option<String>,
    advice: Option<String>,
}

/// What is shown of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    NotSet,
    Hidden,
    Text(String),
}

impl Place {
    /// A line of a file.
    pub fn new(origin: &Origin) -> Place {
        Place { origin: origin.clone(), section: None, option: None, used_by: None, advice: None }
    }

    /// It is in this section.
    pub fn section(self, name: &str) -> Place {
        Place { section: Some(name.to_owned()), ..self }
    }

    /// It is about this option.
    pub fn option(self, name: &str) -> Place {
        Place { option: Some((name.to_owned(), Shown::Nothing)), ..self }
    }

    /// It is about an option that is not written.
    pub fn not_set(self, name: &str) -> Place {
        Place { option: Some((name.to_owned(), Shown::NotSet)), ..self }
    }

    /// It is about this option, whose value may be a secret.
    pub fn hidden(self, name: &str) -> Place {
        Place { option: Some((name.to_owned(), Shown::Hidden)), ..self }
    }

    /// It is about this value of an option.
    pub fn value(self, name: &str, value: &str) -> Place {
        Place { option: Some((name.to_owned(), Shown::Text(url_user::hidden(value).into_owned()))), ..self }
    }

    /// It counts for this section, which inherits it.
    pub fn used_by(self, section: &str) -> Place {
        Place { used_by: Some(section.to_owned()), ..self }
    }

    /// What to write instead, or what was probably meant.
    pub fn advise(self, advice: impl Into<Option<String>>) -> Place {
        Place { advice: advice.into().or(self.advice), ..self }
    }

    /// The section that it is in.
    pub fn section_name(&self) -> Option<&str> {
        self.section.as_deref()
    }

    /// The option that it is about.
    pub fn option_name(&self) -> Option<&str> {
        self.option.as_ref().map(|(name, _)| name.as_str())
    }

    /// What to write instead, or what was probably meant.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// File and line.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Some(section) = &self.section {
            write!(f, ", [{section}]")?;
        }
        if let Some((option, shown)) = &self.option {
            write!(f, " {option}")?;
            match shown {
                Shown::Nothing => {}
                Shown::NotSet => f.write_str(" is not set")?,
                Shown::Hidden => write!(f, "={HIDDEN}")?,
                Shown::Text(value) => write!(f, "={}", beginning(value))?,
            }
        }
        if let Some(section) = &self.used_by {
            write!(f, ", used by [{section}]")?;
        }
        match &self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

/// The beginning of a value, in one line.
fn beginning(value: &str) -> String {
    let shown: String = value.chars().take(LONGEST).collect();
    in_one_line(&if shown.len() < value.len() { shown + "..." } else { shown })
}

/// The text with everything escaped that would end the line or steer a terminal.
pub(crate) fn in_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_it_knows() {
        let place = Place::new(&Origin { file: "c.conf".into(), line: 7 });
        assert_eq!(place.to_string(), "c.conf:7");
        let place = place.section("program:a");
        assert_eq!(place.clone().option("user").to_string(), "c.conf:7, [program:a] user");
        assert_eq!(place.clone().not_set("command").to_string(), "c.conf:7, [program:a] command is not set");
        assert_eq!(
            place.clone().value("user", "x").used_by("program:b").to_string(),
            "c.conf:7, [program:a] user=x, used by [program:b]"
        );
        assert_eq!(place.clone().hidden("environment").to_string(), "c.conf:7, [program:a] environment=***");
        let advised = place.value("startsecs", "30s").advise("write 30".to_owned()).advise(None);
        assert_eq!(advised.to_string(), "c.conf:7, [program:a] startsecs=30s: write 30");
    }

    #[test]
    fn a_value_stays_in_its_line() {
        assert_eq!(in_one_line("a\nb\x1b[0m\u{9b}c"), "a\\nb\\u{1b}[0m\\u{9b}c");
        assert_eq!(beginning(&"é".repeat(LONGEST)), "é".repeat(LONGEST));
        assert_eq!(beginning(&"x".repeat(LONGEST + 1)), "x".repeat(LONGEST) + "...");
    }
}
