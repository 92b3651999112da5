//! Programs that nobody is to start until somebody enables them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use supervisord_wire::calendar::rfc_3339_seconds;

use crate::event::ProcessName;

/// Who has disabled a program, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabling {
    /// Who asked for it, as the activity log names an actor.
    pub by: String,
    /// When, in seconds since the epoch.
    pub at: i64,
}

/// As the reason why a program does not run.
impl fmt::Display for Disabling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wall = Duration::from_secs(u64::try_from(self.at).unwrap_or(0));
        write!(f, "disabled by {} at {}", self.by, rfc_3339_seconds(wall))
    }
}

/// All disabled programs, by group and name. Some of them may not be configured: a program that is removed and comes back is
/// still disabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisabledPrograms {
    groups: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Disabling>>>,
}

impl DisabledPrograms {
    /// Who has disabled a program; none where it is not disabled.
    pub fn get(&self, group: &str, process: &str) -> Option<&Arc<Disabling>> {
        self.groups.get(group)?.get(process)
    }

    /// Disables a program. One that is disabled already stays so by whom it was disabled first. Whether anything has changed.
    pub fn disable(&mut self, name: &ProcessName, disabling: &Arc<Disabling>) -> bool {
        let members = self.groups.entry(name.group.clone()).or_default();
        let is_new = !members.contains_key(&name.process);
        members.entry(name.process.clone()).or_insert_with(|| disabling.clone());
        is_new
    }

    /// Enables a program. Whether anything has changed.
    pub fn enable(&mut self, name: &ProcessName) -> bool {
        let Some(members) = self.groups.get_mut(&name.group) else { return false };
        let was_disabled = members.remove(&name.process).is_some();
        if members.is_empty() {
            self.groups.remove(&name.group);
        }
        was_disabled
    }

    /// All of them, by group and name.
    pub fn iter(&self) -> impl Iterator<Item = (ProcessName, &Arc<Disabling>)> {
        self.groups.iter().flat_map(|(group, members)| {
            members
                .iter()
                .map(|(process, disabling)| (ProcessName { group: group.clone(), process: process.clone() }, disabling))
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(process: &str) -> ProcessName {
        ProcessName { group: "web".into(), process: process.into() }
    }

    #[test]
    fn who_disabled_a_program_first_is_remembered_until_it_is_enabled() {
        let mut disabled = DisabledPrograms::default();
        let by = |by: &str| Arc::new(Disabling { by: by.to_owned(), at: 1_780_000_000 });
        assert!(disabled.disable(&name("a"), &by("ann")) && !disabled.disable(&name("a"), &by("bob")));
        let text = disabled.get("web", "a").map(|disabling| disabling.to_string());
        assert_eq!(text.as_deref(), Some("disabled by ann at 2026-05-28T20:26:40Z"));
        assert!(disabled.get("web", "b").is_none() && disabled.get("db", "a").is_none());
        assert!(!disabled.enable(&name("b")) && disabled.enable(&name("a")) && disabled.is_empty());
    }
}
