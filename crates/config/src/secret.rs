//! Secrets of programs: where their values are. The values themselves are no part of a configuration.

use std::fmt;

use crate::complaint::Complaint;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::words;

/// A variable whose value is looked up at each start, and kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The name of the variable.
    pub name: String,
    /// Where its value is.
    pub source: SecretSource,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In this file, absolute.
    File(String),
    /// In the file of this name in the directory of the daemon's own credentials.
    Credential(String),
    /// What this command writes to its stdout.
    Exec(String),
}

/// Before the name of a secret in an option.
pub const PREFIX: &str = "secret.";

impl SecretSource {
    /// Reads `file:PATH`, `credential:NAME` or `exec:COMMAND`.
    pub fn parse(text: &str) -> Result<SecretSource, Complaint> {
        let complaint =
            |advice: &str| Complaint::quoting("not a place of a secret: ", repr(text), "").advise(advice.to_owned());
        if let Some((missing, advice)) = missing(text) {
            return Err(Complaint::from(format!("not a place of a secret: {missing}")).advise(advice.to_owned()));
        }
        match text.split_once(':') {
            Some(("file", path)) if path.starts_with('/') => Ok(SecretSource::File(path.to_owned())),
            Some(("file", _)) => Err(complaint("write an absolute path, file:/run/secrets/NAME")),
            Some(("credential", name)) if is_file_name(name) => Ok(SecretSource::Credential(name.to_owned())),
            Some(("credential", _)) => Err(complaint("write the name of a credential, without a slash")),
            Some(("exec", command)) => match words::split(command) {
                Ok(words) if words.first().is_some_and(|program| !program.is_empty()) => {
                    Ok(SecretSource::Exec(strip(command).to_owned()))
                }
                Ok(_) => Err(complaint("write a program with its arguments")),
                Err(error) => Err(complaint("commands are split like in a shell, but are not run by one")
                    .followed_by(&format!(" ({error})"))),
            },
            _ => Err(complaint(
                "the value itself does not belong here: write file:/PATH, credential:NAME or exec:COMMAND",
            )),
        }
    }
}

/// What a text lacks that says no more than where a secret could be, and what to write.
fn missing(text: &str) -> Option<(&'static str, &'static str)> {
    match strip(text).split_once(':').map(|(kind, rest)| (kind, strip(rest))) {
        None if strip(text).is_empty() => {
            Some(("nothing is written", "write file:/PATH, credential:NAME or exec:COMMAND"))
        }
        Some(("exec", "")) => Some((
            "the command behind exec: is missing",
            "write a program with its arguments, such as exec:/usr/bin/vault kv get -field=password db",
        )),
        Some(("file", "")) => {
            Some(("the path behind file: is missing", "write an absolute path, file:/run/secrets/NAME"))
        }
        Some(("credential", "")) => {
            Some(("the name behind credential: is missing", "write the name of a credential, without a slash"))
        }
        _ => None,
    }
}

/// Whether a value has nothing in it that could be a secret.
pub(crate) fn is_nothing(value: &str) -> bool {
    missing(value).is_some()
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && ![".", ".."].contains(&name)
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "file:{path}"),
            SecretSource::Credential(name) => write!(f, "credential:{name}"),
            SecretSource::Exec(command) => write!(f, "exec:{command}"),
        }
    }
}

impl Secret {
    /// The secret of a text of the form that [`Display`](fmt::Display) gives, `NAME=file:PATH`; none for any other.
    pub fn from_text(text: &str) -> Option<Secret> {
        let (name, source) = text.split_once('=')?;
        Some(Secret { name: variable(name)?, source: SecretSource::parse(source).ok()? })
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.source)
    }
}

/// The name, if it can be that of a variable.
pub fn variable(name: &str) -> Option<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    (is_name && name.chars().all(is_part)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_from_its_text() {
        for text in ["DB_PASSWORD=file:/run/secrets/db", "key=credential:api.key", "K=exec:vault read -field=k 'a b'"] {
            assert_eq!(Secret::from_text(text).unwrap().to_string(), text);
        }
        for text in ["A", "1A=file:/x", "A=hunter2", "A-B=file:/x", "A=exec:"] {
            assert_eq!(Secret::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, expected) in [
            ("exec:", "not a place of a secret: the command behind exec: is missing"),
            (" exec: ", "not a place of a secret: the command behind exec: is missing"),
            ("file:", "not a place of a secret: the path behind file: is missing"),
            ("credential:", "not a place of a secret: the name behind credential: is missing"),
            ("", "not a place of a secret: nothing is written"),
        ] {
            let complaint = SecretSource::parse(text).unwrap_err();
            assert_eq!((complaint.to_string().as_str(), complaint.quoted()), (expected, None));
            assert!(is_nothing(text) && complaint.advice().is_some_and(|advice| advice.starts_with("write ")));
        }
        for text in ["hunter2", "exec:x", "vault:", ":", "file:x"] {
            assert!(!is_nothing(text), "{text}");
        }
    }

    #[test]
    fn a_place_is_told_from_a_value() {
        for (text, advice) in [
            ("hunter2", "the value itself does not belong here"),
            ("file:secret", "write an absolute path"),
            ("credential:a/b", "write the name of a credential"),
            ("credential:..", "write the name of a credential"),
            ("exec:''", "write a program with its arguments"),
            ("exec:vault 'read", "commands are split like in a shell"),
            ("vault:/bin/x", "the value itself does not belong here"),
        ] {
            let complaint = SecretSource::parse(text).unwrap_err();
            assert!(complaint.advice().unwrap().starts_with(advice), "{text}");
        }
    }
}
