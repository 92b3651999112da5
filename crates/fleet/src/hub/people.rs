//! Who may use the hub, without input and output.
//!
//! A file with a line for each: name, role, `{SHA256}` of a token, and which hosts there are for them (all without).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::host_name::PersonName;
use crate::host_selector::{HostLabels, HostSelector, is_selected};
use crate::subjects::FleetRole;

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq)]
pub struct HubPerson {
    /// The name, under which hosts are asked.
    pub name: PersonName,
    /// What they may do.
    pub role: FleetRole,
    hosts: Vec<HostSelector>,
}

/// Everybody.
pub(super) struct HubPeople {
    known: Vec<(HubPerson, String)>,
    /// Who reads where nobody has to log in.
    everybody: Option<HubPerson>,
}

impl HubPerson {
    /// Whether a host exists for this person.
    pub fn sees(&self, host: &str, labels: &HostLabels) -> bool {
        is_selected(&self.hosts, host, labels)
    }
}

impl HubPeople {
    /// Reads the file, or says which line is wrong.
    pub(super) fn read(text: Option<&str>) -> Result<HubPeople, String> {
        let Some(text) = text else {
            let name = PersonName::parse("everybody").map_err(|error| error.to_string())?;
            let everybody = Some(HubPerson { name, role: FleetRole::Viewer, hosts: Vec::new() });
            return Ok(HubPeople { known: Vec::new(), everybody });
        };
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let known = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| person(line).map_err(|problem| format!("--people, line {number}: {problem}")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(HubPeople { known, everybody: None })
    }

    /// Whether people have to log in.
    pub(super) fn ask_for_a_token(&self) -> bool {
        self.everybody.is_none()
    }

    /// Whoever has this token; under this name, if one is given.
    pub(super) fn identify(&self, name: Option<&str>, token: Option<&str>) -> Option<HubPerson> {
        let Some(token) = token else { return self.everybody.clone() };
        let hash: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let is_named = |person: &HubPerson| name.is_none_or(|name| name == person.name.as_str());
        // Each is compared in full, so that the time tells nothing about the tokens.
        let found = self.known.iter().filter(|(_, known)| known.as_bytes().ct_eq(hash.as_bytes()).into());
        found.map(|(person, _)| person).find(|person| is_named(person)).cloned()
    }
}

fn person(line: &str) -> Result<(HubPerson, String), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let form = "write NAME ROLE {SHA256}HASH [HOSTS]";
    let (name, role, token, hosts) = match words.as_slice() {
        [name, role, token] => (name, role, token, None),
        [name, role, token, hosts] => (name, role, token, Some(hosts)),
        _ => return Err(form.to_owned()),
    };
    let name = PersonName::parse(name).map_err(|error| error.to_string())?;
    let role =
        FleetRole::of_word(role).ok_or_else(|| format!("{role:?} is no role: write viewer, operator or admin"))?;
    let hash = token.strip_prefix("{SHA256}").filter(|hash| hash.len() == 64).ok_or_else(|| {
        format!("the token of {name} is no hash: {form}; supervisord hash-password --scheme sha256-token makes one")
    })?;
    let hosts = hosts.map(|text| text.parse()).transpose()?.into_iter().collect();
    Ok((HubPerson { name, role, hosts }, hash.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "foo".
    const HASH: &str = "{SHA256}2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    #[test]
    fn people_are_known_by_their_tokens() {
        let file = format!("# name role token\n\nann operator {HASH} role=web\n");
        let people = HubPeople::read(Some(&file)).unwrap();
        let ann = people.identify(Some("ann"), Some("foo")).unwrap();
        assert_eq!(ann.role, FleetRole::Operator);
        assert!(people.identify(None, Some("foo")).is_some());
        assert!(!ann.sees("db1", &HostLabels::new()));
        assert!(ann.sees("x", &[("role".to_owned(), "web".to_owned())].into()));
        for (name, token) in [(Some("eve"), Some("foo")), (Some("ann"), Some("bar")), (None, None)] {
            assert_eq!(people.identify(name, token), None);
        }
    }

    #[test]
    fn without_a_file_everybody_reads_and_nobody_operates() {
        let everybody = HubPeople::read(None).unwrap().identify(None, None).unwrap();
        assert_eq!(everybody.role, FleetRole::Viewer);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (line, hint) in [
            ("ann".to_owned(), "write NAME ROLE"),
            (format!("ann root {HASH}"), "write viewer, operator or admin"),
            (format!("a.b viewer {HASH}"), "no name of a person"),
            ("ann viewer secret".to_owned(), "is no hash"),
            (format!("ann viewer {HASH} ,"), "empty part"),
        ] {
            let problem = HubPeople::read(Some(&format!("\n{line}\n"))).err().unwrap();
            assert!(problem.starts_with("--people, line 2: ") && problem.contains(hint), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
