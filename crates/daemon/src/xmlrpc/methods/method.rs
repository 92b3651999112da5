//! A row of the table of methods, and what clients read about it.

use supervisord_wire::fault::Fault;

use super::arguments::Arguments;
use super::request::MethodRequest;

/// The types a method can take and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Int,
    Boolean,
    Array,
    Struct,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::Int => "int",
            Type::Boolean => "boolean",
            Type::Array => "array",
            Type::Struct => "struct",
        }
    }
}

/// One row of the table.
pub(super) struct Method {
    /// `namespace.method`.
    pub(super) name: &'static str,
    /// What it does, in a sentence or two.
    pub(super) about: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) returns: Type,
    /// What the answer is called and what it means.
    pub(super) result: (&'static str, &'static str),
    /// Refused while the supervisor is shutting down or restarting.
    pub(super) guarded: bool,
    /// Makes the request of as many arguments as there are parameters; optional ones may be missing.
    pub(super) build: fn(Arguments) -> Result<MethodRequest, Fault>,
}

/// One positional parameter.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    /// Only the last ones of a method can be optional.
    pub(super) optional: bool,
    pub(super) about: &'static str,
}

impl Method {
    pub(super) fn accepts(&self, arguments: usize) -> bool {
        let required = self.parameters.iter().filter(|parameter| !parameter.optional).count();
        (required..=self.parameters.len()).contains(&arguments)
    }

    pub(super) fn help(&self) -> String {
        let mut text = format!("{}\n\n", self.about);
        for Parameter { name, kind, about, .. } in self.parameters {
            text += &format!("@param {} {name} {about}\n", kind.name());
        }
        let (name, about) = self.result;
        text += &format!("@return {} {name} {about}\n", self.returns.name());
        text
    }

    pub(super) fn signature(&self) -> Vec<&'static str> {
        std::iter::once(self.returns)
            .chain(self.parameters.iter().map(|parameter| parameter.kind))
            .map(Type::name)
            .collect()
    }
}
