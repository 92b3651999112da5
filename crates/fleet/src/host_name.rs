//! Names of hosts and of people, as they stand in subjects and keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a host, in bytes.
const MAX_HOST: usize = 128;

/// The longest name of a person, in bytes.
const MAX_PERSON: usize = 64;

/// What the programs of the fleet are called, whose inboxes a person of such a name could read.
const RESERVED: [&str; 3] = ["agent", "hub", "setup"];

/// The name of a host: letters, digits, `-` and `_`, in parts between single dots. It can be the end of a subject as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// The name of a person: letters, digits, `-` and `_`. It is one token of a subject, so that the server can say who may use it.
/// The names of the fleet's own programs, whatever their case, are taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

/// A name that cannot be used; displays what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(String);

impl HostName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<HostName, NameError> {
        let is_good = text.len() <= MAX_HOST && text.split('.').all(is_token);
        is_good.then(|| HostName(text.to_owned())).ok_or_else(|| {
            let allowed = "letters, digits, - and _, in parts between single dots";
            NameError(format!("{text:?} is no name of a host: write {allowed}, {MAX_HOST} bytes at the most"))
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PersonName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<PersonName, NameError> {
        if RESERVED.iter().any(|taken| text.eq_ignore_ascii_case(taken)) {
            let names = RESERVED.join(", ");
            return Err(NameError(format!(
                "{text:?} cannot be a person: the fleet uses {names} itself; write another name"
            )));
        }
        let is_good = text.len() <= MAX_PERSON && is_token(text);
        is_good.then(|| PersonName(text.to_owned())).ok_or_else(|| {
            NameError(format!(
                "{text:?} is no name of a person: write letters, digits, - and _, {MAX_PERSON} bytes at the most"
            ))
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text can be one token of a subject.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl TryFrom<String> for HostName {
    type Error = NameError;

    fn try_from(text: String) -> Result<HostName, NameError> {
        HostName::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> String {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_tokens_between_dots() {
        for good in ["web1", "web-1.example.com", "A_b", "0"] {
            assert_eq!(HostName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "*", "a.>", "a b", "é", "a\n", &"x".repeat(129)] {
            assert!(HostName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_person_is_one_token() {
        assert!(PersonName::parse("ann-2_x").is_ok());
        assert!(PersonName::parse("hubert").is_ok());
        for bad in ["", "a.b", "*", ">", "a b", &"x".repeat(65), "agent", "Hub", "setup"] {
            assert!(PersonName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
