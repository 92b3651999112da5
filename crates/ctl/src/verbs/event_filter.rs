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

    /// Whether an event with this data is wanted.
    pub(super) fn takes(&self, data: &str) -> bool {
        if self.names.is_empty() || self.names.iter().any(|name| name == "all") {
            return true;
        }
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        match (process_of(&data), data.get("group").and_then(Value::as_str)) {
            (Some((group, name)), _) => self.names.iter().any(|wanted| is_named(wanted, group, name)),
            (None, Some(group)) => self.names.iter().any(|wanted| is_group(wanted, group)),
            (None, None) => false,
        }
    }
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
