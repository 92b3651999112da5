//! What an agent says about its host. Everything comes over the network from somebody who may be broken or hostile: reading
//! checks and bounds it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use supervisord_wire::name::namespec;

use crate::host_selector::HostLabels;

/// The most programs of one host.
pub const MAX_PROGRAMS: usize = 5000;
/// The most labels of one host.
pub const MAX_LABELS: usize = 32;
/// The longest message that is read or sent, in bytes: what a server with its default settings takes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The longest inventory that is sent, in bytes.
pub const MAX_INVENTORY: usize = 900 << 10;
/// The longest text in a report, in bytes.
const MAX_TEXT: usize = 512;

/// The states of a program that there are.
const STATES: [&str; 8] = ["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"];

/// That the agent of a host lives. It is sent every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPresence {
    /// Which life of the agent this is.
    pub boot: String,
    /// Whether the agent reaches the daemon.
    pub has_daemon: bool,
    /// Whether the agent is about to end on purpose.
    #[serde(default)]
    pub is_leaving: bool,
}

/// What a host runs. It is sent when it has changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostInventory {
    /// The option `identifier` of the daemon.
    #[serde(default)]
    pub identifier: String,
    /// The version of the daemon.
    #[serde(default)]
    pub version: String,
    /// The labels of the host.
    #[serde(default)]
    pub labels: HostLabels,
    /// All programs, by group and name.
    #[serde(default)]
    pub programs: Vec<ProgramReport>,
    /// How many more there are, for which there was no room.
    #[serde(default)]
    pub omitted: usize,
}

/// One program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgramReport {
    /// Its group.
    pub group: String,
    /// Its name within the group.
    pub name: String,
    /// One of the eight states.
    pub state: String,
    /// What `supervisorctl status` shows behind the state.
    #[serde(default)]
    pub description: String,
    /// When the state last changed, in seconds since the epoch.
    #[serde(default)]
    pub since: Option<f64>,
    /// Whether it was asked to be up.
    #[serde(default)]
    pub is_wanted: bool,
    /// Whether it has done its work, or ended as it should.
    #[serde(default)]
    pub has_completed: bool,
    /// `starting`, `healthy` or `unhealthy`, where something checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// Why it is not up, or not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl HostInventory {
    /// Reads an inventory; none if it is none.
    pub fn read(message: &[u8]) -> Option<HostInventory> {
        let mut inventory: HostInventory = read(message)?;
        bound(&mut inventory.identifier);
        bound(&mut inventory.version);
        inventory.labels = bounded_labels(inventory.labels);
        inventory.omitted += inventory.programs.len().saturating_sub(MAX_PROGRAMS);
        inventory.programs.truncate(MAX_PROGRAMS);
        inventory.programs.iter_mut().for_each(ProgramReport::bound);
        Some(inventory)
    }

    /// The message that carries it: programs that have no room are left out and counted.
    pub fn message(&mut self) -> Vec<u8> {
        loop {
            let message = serde_json::to_vec(self).unwrap_or_default();
            if message.len() <= MAX_INVENTORY || self.programs.is_empty() {
                return message;
            }
            let kept = self.programs.len() * 3 / 4;
            self.omitted += self.programs.len() - kept;
            self.programs.truncate(kept);
        }
    }
}

impl HostPresence {
    /// Reads a presence; none if it is none.
    pub fn read(message: &[u8]) -> Option<HostPresence> {
        let mut presence: HostPresence = read(message)?;
        bound(&mut presence.boot);
        Some(presence)
    }
}

impl ProgramReport {
    /// Of a program as the daemon's JSON API shows it; none if that is no program.
    pub fn of_api(program: &Value) -> Option<ProgramReport> {
        let text = |member: &str| program.get(member).and_then(Value::as_str).map(str::to_owned);
        let outlook = text("outlook").unwrap_or_default();
        let judgement = program.get("last_end").and_then(|end| end.get("judgement")).and_then(Value::as_str);
        let ended_well = outlook == "not_restarted" && judgement == Some("expected");
        let mut report = ProgramReport {
            group: text("group")?,
            name: text("name")?,
            state: text("state")?,
            description: text("description").unwrap_or_default(),
            since: program.get("since").and_then(Value::as_f64),
            is_wanted: text("wanted").as_deref() == Some("up"),
            has_completed: outlook == "completed" || ended_well,
            health: program.get("health").and_then(|health| health.get("status")?.as_str()).map(str::to_owned),
            reason: text("reason"),
        };
        report.bound();
        Some(report)
    }

    /// All programs of a list of the JSON API.
    pub fn list_of_api(listed: &Value) -> Vec<ProgramReport> {
        let programs = listed.get("programs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        programs.iter().take(MAX_PROGRAMS).filter_map(ProgramReport::of_api).collect()
    }

    /// Programs that somebody has sent.
    pub fn list_sent(programs: &Value) -> Vec<ProgramReport> {
        let programs = programs.as_array().map(Vec::as_slice).unwrap_or_default();
        let read = |program: &Value| {
            let mut program: ProgramReport = serde_json::from_value(program.clone()).ok()?;
            program.bound();
            Some(program)
        };
        programs.iter().take(MAX_PROGRAMS).filter_map(read).collect()
    }

    /// The name as `supervisorctl` shows it.
    pub fn namespec(&self) -> String {
        namespec(&self.group, &self.name)
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state == "RUNNING"
    }

    /// What is the matter with a program that should be up; none where nothing is.
    pub fn problem(&self) -> Option<Cow<'_, str>> {
        if !self.is_wanted || self.has_completed {
            return None;
        }
        if !self.is_running() {
            return Some(match &self.reason {
                Some(reason) => Cow::Owned(format!("{}: {reason}", self.state)),
                None => Cow::Borrowed(&self.state),
            });
        }
        let health = self.health.as_deref().filter(|health| *health == "unhealthy")?;
        Some(Cow::Borrowed(self.reason.as_deref().unwrap_or(health)))
    }

    fn bound(&mut self) {
        let texts = [&mut self.group, &mut self.name, &mut self.description];
        texts.into_iter().chain(self.health.as_mut()).chain(self.reason.as_mut()).for_each(bound);
        if !STATES.contains(&self.state.as_str()) {
            self.state = "UNKNOWN".to_owned();
        }
    }
}

/// Labels that somebody has written, as many as a host may have.
pub fn bounded_labels(labels: HostLabels) -> HostLabels {
    let bounded = |mut text: String| {
        bound(&mut text);
        text
    };
    labels.into_iter().take(MAX_LABELS).map(|(name, value)| (bounded(name), bounded(value))).collect()
}

/// Reads a message of a bounded size.
fn read<T: serde::de::DeserializeOwned>(message: &[u8]) -> Option<T> {
    if message.len() > MAX_MESSAGE { None } else { serde_json::from_slice(message).ok() }
}

/// Cuts a text that is too long.
pub fn bound(text: &mut String) {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn program(state: &str, wanted: &str) -> ProgramReport {
        let api = json!({"group": "web", "name": "web_1", "state": state, "wanted": wanted, "reason": "exit status 3"});
        ProgramReport::of_api(&api).unwrap()
    }

    #[test]
    fn what_should_be_up_and_is_not_is_a_problem() {
        assert_eq!(program("FATAL", "up").problem().unwrap(), "FATAL: exit status 3");
        assert!(program("STOPPED", "down").problem().is_none() && program("RUNNING", "up").problem().is_none());
        let sick = ProgramReport { health: Some("unhealthy".to_owned()), ..program("RUNNING", "up") };
        assert_eq!(sick.problem().unwrap(), "exit status 3");
        let ended = json!({"group": "a", "name": "a", "state": "EXITED", "wanted": "up", "outlook": "completed"});
        assert!(ProgramReport::of_api(&ended).unwrap().problem().is_none());
    }

    #[test]
    fn what_is_sent_is_bounded() {
        let many: Vec<Value> = (0..MAX_PROGRAMS + 7)
            .map(|number| json!({"group": "g", "name": format!("p{number}"), "state": "<b>"}))
            .collect();
        let labels: HostLabels = (0..100).map(|number| (number.to_string(), "é".repeat(2000))).collect();
        let sent = json!({"programs": many, "labels": labels, "version": "v".repeat(9999)});
        let read = HostInventory::read(sent.to_string().as_bytes()).unwrap();
        assert_eq!((read.programs.len(), read.omitted, read.labels.len()), (MAX_PROGRAMS, 7, MAX_LABELS));
        assert!(read.programs.iter().all(|program| program.state == "UNKNOWN"));
        assert!(read.version.len() <= MAX_TEXT && read.labels.values().all(|value| value.len() <= MAX_TEXT));
        assert!(HostInventory::read(&vec![b' '; MAX_MESSAGE + 1]).is_none());
    }

    #[test]
    fn an_inventory_that_is_too_long_says_how_much_is_missing() {
        let long = ProgramReport { description: "d".repeat(MAX_TEXT), ..program("RUNNING", "up") };
        let mut inventory = HostInventory { programs: vec![long; MAX_PROGRAMS], ..HostInventory::default() };
        let message = inventory.message();
        assert!(message.len() <= MAX_INVENTORY);
        let read = HostInventory::read(&message).unwrap();
        assert!(read.omitted > 0 && read.omitted + read.programs.len() == MAX_PROGRAMS);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_fail_badly(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
            let _ = (HostInventory::read(&bytes), HostPresence::read(&bytes));
            let mut text = text.repeat(30);
            bound(&mut text);
            prop_assert!(text.len() <= MAX_TEXT);
        }
    }
}
