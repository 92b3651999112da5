//! Names and what they stand for.

use std::collections::BTreeMap;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedValue {
    /// Text.
    Text(String),
    /// A number: `process_num` and `numprocs`.
    Number(i64),
}

impl NamedValue {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            NamedValue::Text(_) => "str",
            NamedValue::Number(_) => "int",
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            NamedValue::Text(text) => text.clone(),
            NamedValue::Number(number) => number.to_string(),
        }
    }

    /// As a Python literal, written by `literal`.
    pub(super) fn quoted(&self, literal: fn(&str) -> String) -> String {
        match self {
            NamedValue::Text(text) => literal(text),
            NamedValue::Number(number) => number.to_string(),
        }
    }
}

/// The names that can be used in one place: those added here over those of an outer place.
#[derive(Clone, Debug, Default)]
pub struct ExpansionNames<'o> {
    outer: Option<&'o ExpansionNames<'o>>,
    own: BTreeMap<String, NamedValue>,
}

impl<'o> ExpansionNames<'o> {
    /// No names.
    pub fn new() -> ExpansionNames<'static> {
        ExpansionNames::default()
    }

    /// The names of `outer`, to be added to.
    pub fn over(outer: &'o ExpansionNames<'o>) -> ExpansionNames<'o> {
        ExpansionNames { outer: Some(outer), own: BTreeMap::new() }
    }

    /// Lets a name stand for a text.
    pub fn text(mut self, name: impl Into<String>, value: impl Into<String>) -> ExpansionNames<'o> {
        self.own.insert(name.into(), NamedValue::Text(value.into()));
        self
    }

    /// Lets a name stand for a number.
    pub fn number(mut self, name: impl Into<String>, value: i64) -> ExpansionNames<'o> {
        self.own.insert(name.into(), NamedValue::Number(value));
        self
    }

    /// Adds `ENV_NAME` for each variable.
    pub fn variables(mut self, variables: &[(String, String)]) -> ExpansionNames<'o> {
        for (name, value) in variables {
            self.own.insert(format!("ENV_{name}"), NamedValue::Text(value.clone()));
        }
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&NamedValue> {
        self.own.get(name).or_else(|| self.outer?.get(name))
    }

    pub(super) fn all(&self) -> BTreeMap<&str, &NamedValue> {
        let mut all = self.outer.map(|outer| outer.all()).unwrap_or_default();
        all.extend(self.own.iter().map(|(name, value)| (name.as_str(), value)));
        all
    }

    /// All names as a Python dictionary, which is what a bare `%s` stands for.
    pub(super) fn dictionary(&self, literal: fn(&str) -> String) -> String {
        let item = |(name, value): (&str, &NamedValue)| format!("{}: {}", literal(name), value.quoted(literal));
        let items: Vec<String> = self.all().into_iter().map(item).collect();
        format!("{{{}}}", items.join(", "))
    }
}
