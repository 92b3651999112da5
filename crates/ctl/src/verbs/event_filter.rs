//! Which events are about the processes that a user has named.

use serde_json::Value;
use supervisord_config::selector::{Selectable, Selector, select};
use supervisord_wire::name::Namespec;
use supervisord_wire::state::ProcessState;

use crate::event_line::process_of;

/// Takes all events where nothing is named. Names of processes that are not there any more have events, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EventFilter {
    names: Vec<String>,
}

impl EventFilter {
    /// The error is the text after `Error: `.
    pub(super) fn add(&mut self, name: &str) -> Result<(), String> {
        if name.starts_with("state=") || name.starts_with('@') {
            return Err(format!(
                "events does not accept {name}: an event has no state and no tags; name processes or groups"
            ));
        }
        Selector::parse(name, &ProcessState::ALL.map(ProcessState::name))
            .map_err(|error| format!("{name}: {error}"))?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// The names that stand neither for one of these processes, given as group and name, nor for anything that events with this data
    /// are about. A pattern is no name: something that fits may still come.
    pub(super) fn unknown(&self, processes: &[(&str, &str)], past: &[&str]) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str).filter(|name| *name != "all" && is_name(name));
        let unknown = names.filter(|wanted| {
            !processes.iter().any(|(group, name)| is_named(wanted, group, name))
                && !past.iter().any(|data| is_about(wanted, &serde_json::from_str(data).unwrap_or_default()))
        });
        unknown.collect()
    }

    /// Whether all names are among these.
    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.names.iter().all(|name| names.contains(&name.as_str()))
    }

    /// Whether an event with this data is wanted.
    pub(super) fn takes(&self, data: &str) -> bool {
        if self.names.is_empty() || self.names.iter().any(|name| name == "all") {
            return true;
        }
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        self.names.iter().any(|wanted| is_about(wanted, &data))
    }
}

/// Whether the data of an event names what a name stands for.
fn is_about(wanted: &str, data: &Value) -> bool {
    match (process_of(data), data.get("group").and_then(Value::as_str)) {
        (Some((group, name)), _) => is_named(wanted, group, name),
        (None, Some(group)) => is_group(wanted, group),
        (None, None) => false,
    }
}

/// Whether it is the name of a process or of a group, rather than a pattern.
fn is_name(text: &str) -> bool {
    let selector = Selector::parse(text, &ProcessState::ALL.map(ProcessState::name));
    Namespec::parse(text).process.is_none() || selector.is_ok_and(|selector| selector.is_name())
}

fn is_named(wanted: &str, group: &str, name: &str) -> bool {
    let spec = Namespec::parse(wanted);
    if spec.group == group && spec.process.is_none_or(|process| process == name) {
        return true;
    }
    let selector = Selector::parse(wanted, &ProcessState::ALL.map(ProcessState::name));
    selector.is_ok_and(|selector| {
        let chosen = select(&[selector], vec![(group, name)], |(group, name)| Selectable {
            group,
            name,
            state: "",
            labels: &[],
        });
        chosen.is_ok_and(|chosen| !chosen.is_empty())
    })
}

/// Whether a name stands for a whole group, or for the only process of a group of the same name.
fn is_group(wanted: &str, group: &str) -> bool {
    let spec = Namespec::parse(wanted);
    spec.group == group && spec.process.is_none_or(|process| process == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nothing_that_is_or_was_there_are_unknown() {
        let mut filter = EventFilter::default();
        for name in ["web", "gone", "old:*", "nope", "nope:*", "nope*", "all"] {
            filter.add(name).unwrap();
        }
        let past = [r#"{"group":"gone","name":"gone","state":"STOPPED"}"#, r#"{"group":"old"}"#];
        assert_eq!(filter.unknown(&[("web", "web")], &past), ["nope", "nope:*"]);
        assert!(!filter.has_only(&["nope", "nope:*"]));
    }

    #[test]
    fn events_are_taken_by_names_groups_and_patterns() {
        let web = r#"{"group":"shop","name":"web_1","state":"RUNNING"}"#;
        let group = r#"{"group":"shop"}"#;
        let daemon = r#"{"state":"RUNNING"}"#;
        for (name, takes) in [
            ("shop:web_1", [true, false, false]),
            ("shop:*", [true, true, false]),
            ("web*", [true, false, false]),
            ("shop:web_2", [false, false, false]),
            ("db", [false, false, false]),
            ("all", [true, true, true]),
        ] {
            let mut filter = EventFilter::default();
            filter.add(name).unwrap();
            assert_eq!([web, group, daemon].map(|data| filter.takes(data)), takes, "{name}");
        }
        assert!(EventFilter::default().takes(daemon));
        assert!(EventFilter::default().add("state=FATAL").unwrap_err().contains("no state"));
    }
}
