//! The daemon's answers, with types.

use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::value::{FromMembers, Members, Value};

/// The result for one process of a request about several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The process name.
    pub name: String,
    /// The group name.
    pub group: String,
    /// [`FaultCode::Success`] or the code of the fault.
    pub status: i64,
    /// `OK` or the text of the fault.
    pub description: String,
}

impl Outcome {
    /// A request about one process that succeeded.
    pub fn success(group: &str, name: &str) -> Outcome {
        let status = FaultCode::Success.code().into();
        Outcome { name: name.to_owned(), group: group.to_owned(), status, description: "OK".to_owned() }
    }

    /// A request about one process that was refused.
    pub fn refused(group: &str, name: &str, fault: Fault) -> Outcome {
        Outcome { name: name.to_owned(), group: group.to_owned(), status: fault.code.into(), description: fault.text }
    }

    /// The status, if it is a code that this client knows.
    pub fn code(&self) -> Option<FaultCode> {
        FaultCode::from_code(self.status)
    }
}

impl FromMembers for Outcome {
    fn from_members(members: &mut impl Members) -> Option<Outcome> {
        Some(Outcome {
            name: members.text("name")?,
            group: members.text("group")?,
            status: members.number("status")?,
            description: members.text("description")?,
        })
    }
}

/// The differences between the configuration on disk and the active one, as group names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigChanges {
    /// In the file, not active.
    pub added: Vec<String>,
    /// In both, but different.
    pub changed: Vec<String>,
    /// Active, not in the file.
    pub removed: Vec<String>,
}

impl ConfigChanges {
    pub(super) fn from_value(value: Value) -> Option<ConfigChanges> {
        let [lists] = value.as_array()? else { return None };
        let [added, changed, removed] = lists.as_array()? else { return None };
        Some(ConfigChanges { added: texts(added)?, changed: texts(changed)?, removed: texts(removed)? })
    }
}

pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Value {
        Value::Array(names.iter().map(|name| Value::from(*name)).collect())
    }

    #[test]
    fn changes_come_in_a_list_of_one() {
        let lists = Value::Array(vec![list(&["a"]), list(&[]), list(&["c", "d"])]);
        let changes = ConfigChanges::from_value(Value::Array(vec![lists.clone()])).unwrap();
        assert_eq!(changes.added, ["a"]);
        assert!(changes.changed.is_empty());
        assert_eq!(changes.removed, ["c", "d"]);
        assert_eq!(ConfigChanges::from_value(lists), None);
    }

    #[test]
    fn an_outcome_needs_all_its_members() {
        let mut members = vec![
            ("name".to_owned(), Value::from("p")),
            ("group".to_owned(), Value::from("g")),
            ("status".to_owned(), Value::Int(80)),
            ("description".to_owned(), Value::from("OK")),
        ];
        let outcome = |members: &[_]| Outcome::from_members(&mut Value::Struct(members.to_vec()).into_members()?);
        assert_eq!(outcome(&members), Some(Outcome::success("g", "p")));
        members.pop();
        assert_eq!(outcome(&members), None);
    }
}
