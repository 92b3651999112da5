//! Subjects, the bucket and the stream: the names that permissions are written for.

use crate::host_name::{HostName, PersonName};

/// The stream of events.
pub const EVENTS_STREAM: &str = "FLEET_EVENTS";
/// The subjects that the stream of events takes.
pub const ALL_EVENTS: &str = "fleet.event.>";
/// The key-value bucket of presence and inventory.
pub const BUCKET: &str = "fleet";
/// The stream behind the bucket.
pub const BUCKET_STREAM: &str = "KV_fleet";
/// All keys of the bucket.
pub const ALL_KEYS: &str = "$KV.fleet.>";

const PRESENCE: &str = "$KV.fleet.presence.";
const INVENTORY: &str = "$KV.fleet.inventory.";
const EVENT: &str = "fleet.event.";
const REQUEST: &str = "fleet.do.";

/// What somebody may do on a host, as the subject of a request says it. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetRole {
    /// Reads states, explanations and logs.
    Viewer,
    /// Starts and stops programs, too.
    Operator,
    /// Everything. The fleet has no verb yet that needs it.
    Admin,
}

/// A key of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetKey {
    /// That the agent of a host lives.
    Presence(HostName),
    /// What a host runs.
    Inventory(HostName),
}

impl FleetRole {
    /// All roles, the least first.
    pub const ALL: [FleetRole; 3] = [FleetRole::Viewer, FleetRole::Operator, FleetRole::Admin];

    /// The word in subjects, options and the daemon's configuration.
    pub const fn word(self) -> &'static str {
        match self {
            FleetRole::Viewer => "viewer",
            FleetRole::Operator => "operator",
            FleetRole::Admin => "admin",
        }
    }

    /// The role of this word.
    pub fn of_word(word: &str) -> Option<FleetRole> {
        FleetRole::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl FleetKey {
    /// The subject under which the bucket keeps it.
    pub fn subject(&self) -> String {
        match self {
            FleetKey::Presence(host) => format!("{PRESENCE}{host}"),
            FleetKey::Inventory(host) => format!("{INVENTORY}{host}"),
        }
    }

    /// The key of a subject; none for one that is not ours.
    pub fn of_subject(subject: &str) -> Option<FleetKey> {
        let host = |prefix| subject.strip_prefix(prefix).and_then(|host| HostName::parse(host).ok());
        host(PRESENCE).map(FleetKey::Presence).or_else(|| host(INVENTORY).map(FleetKey::Inventory))
    }
}

/// Where the events of a host go.
pub fn event(host: &HostName) -> String {
    format!("{EVENT}{host}")
}

/// The host whose events a subject carries.
pub fn host_of_event(subject: &str) -> Option<HostName> {
    subject.strip_prefix(EVENT).and_then(|host| HostName::parse(host).ok())
}

/// Where somebody asks a host for something. The server proves role and person: it lets nobody publish under another name.
pub fn request(role: FleetRole, person: &PersonName, host: &HostName) -> String {
    format!("{REQUEST}{}.{person}.{host}", role.word())
}

/// All requests to a host.
pub fn requests_to(host: &HostName) -> String {
    format!("{REQUEST}*.*.{host}")
}

/// Who asks, by the subject of a request; none for a subject that nobody should be able to use.
pub fn asker(subject: &str) -> Option<(FleetRole, PersonName)> {
    let mut tokens = subject.strip_prefix(REQUEST)?.splitn(3, '.');
    let role = FleetRole::of_word(tokens.next()?)?;
    let person = PersonName::parse(tokens.next()?).ok()?;
    tokens.next().map(|_| (role, person))
}

/// The beginning of the subjects on which a person gets answers.
pub fn inbox_prefix(person: &PersonName) -> String {
    format!("_INBOX.{person}")
}

/// The same for the agent of a host, which gets acknowledgements there. Dots would make more tokens of the name.
pub fn agent_inbox_prefix(host: &HostName) -> String {
    format!("_INBOX.agent.{}", host.as_str().replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_tell_what_was_put_into_them() {
        let host = HostName::parse("web1.example.com").unwrap();
        let person = PersonName::parse("ann").unwrap();
        for role in FleetRole::ALL {
            assert_eq!(asker(&request(role, &person, &host)), Some((role, person.clone())));
        }
        for key in [FleetKey::Presence(host.clone()), FleetKey::Inventory(host.clone())] {
            assert_eq!(FleetKey::of_subject(&key.subject()), Some(key));
        }
        assert_eq!(host_of_event(&event(&host)), Some(host));
    }

    #[test]
    fn foreign_subjects_are_nobodys() {
        for subject in ["fleet.do.root.ann.h", "fleet.do.viewer.a b.h", "fleet.do.viewer.ann", "fleet.do.", "x"] {
            assert_eq!(asker(subject), None, "{subject}");
        }
        for subject in ["$KV.fleet.presence.", "$KV.fleet.presence.a..b", "$KV.fleet.other.a", "$KV.x.presence.a"] {
            assert_eq!(FleetKey::of_subject(subject), None, "{subject}");
        }
    }

    #[test]
    fn an_operator_is_a_viewer_too() {
        assert!(FleetRole::Operator > FleetRole::Viewer && FleetRole::Admin > FleetRole::Operator);
    }
}
