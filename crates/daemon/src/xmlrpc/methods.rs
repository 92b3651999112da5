//! The XML-RPC methods: from a name and its arguments to what is asked.
//!
//! The order of the checks is part of the interface: the name, then the right of the caller, then the number of
//! arguments, then whether the supervisor is shutting down, and only then what the arguments are. One table says everything there is to
//! say about a method, so that the help a client reads cannot differ from what the daemon does.

mod arguments;
mod python_text;
mod table;

use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::{Call, Read};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::state::Mood;
use supervisord_wire::value::Value;

use super::encode;
use arguments::Arguments;
use table::METHODS;

/// What a client asks.
#[derive(Debug)]
pub enum Request {
    /// Something that changes nothing.
    Read(Read),
    /// Something only the supervisor itself can do.
    Call(Call),
    /// `restart`: becomes [`Call::Restart`] once the configuration has been read.
    Restart,
    /// `reloadConfig`: becomes [`Call::ReloadConfig`] once the configuration has been read.
    ReloadConfig,
    /// Something about the methods themselves.
    System(System),
}

/// A method of the `system` namespace.
#[derive(Clone, Debug, PartialEq)]
pub enum System {
    /// `listMethods`.
    ListMethods,
    /// `methodHelp`.
    MethodHelp { method: Value },
    /// `methodSignature`.
    MethodSignature { method: Value },
    /// `multicall`; each entry is read with [`multicall_entry`] when its turn comes.
    Multicall { entries: Vec<Value> },
}

/// The types a method can take and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
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
struct Method {
    /// `namespace.method`.
    name: &'static str,
    /// What it does, in a sentence or two.
    about: &'static str,
    parameters: &'static [Parameter],
    returns: Type,
    /// What the answer is called and what it means.
    result: (&'static str, &'static str),
    /// What the caller must be allowed to do.
    right: Right,
    /// Refused while the supervisor is shutting down or restarting.
    guarded: bool,
    /// Makes the request of as many arguments as there are parameters; optional ones may be missing.
    build: fn(Arguments) -> Result<Request, Fault>,
}

/// One positional parameter.
struct Parameter {
    name: &'static str,
    kind: Type,
    /// Only the last ones of a method can be optional.
    optional: bool,
    about: &'static str,
}

impl Method {
    fn accepts(&self, arguments: usize) -> bool {
        let required = self.parameters.iter().filter(|parameter| !parameter.optional).count();
        (required..=self.parameters.len()).contains(&arguments)
    }

    fn help(&self) -> String {
        let mut text = format!("{}\n\n", self.about);
        for Parameter { name, kind, about, .. } in self.parameters {
            text += &format!("@param {} {name} {about}\n", kind.name());
        }
        let (name, about) = self.result;
        text += &format!("@return {} {name} {about}\n", self.returns.name());
        text
    }

    fn signature(&self) -> Vec<&'static str> {
        std::iter::once(self.returns)
            .chain(self.parameters.iter().map(|parameter| parameter.kind))
            .map(Type::name)
            .collect()
    }
}

/// The methods a server offers.
#[derive(Clone, Copy, Debug)]
pub struct Methods {
    /// Whether the configuration has the `supervisor` namespace; `system` is always there.
    pub supervisor: bool,
}

impl Methods {
    /// What this actor asks with this method and these arguments while the daemon is in this mood.
    pub fn parse(self, actor: &Actor, method: &str, arguments: Vec<Value>, mood: Mood) -> Result<Request, Fault> {
        let method = self.find(method).ok_or_else(|| Fault::new(FaultCode::UnknownMethod))?;
        actor.check(method.right).map_err(|refusal| encode::fault(&refusal))?;
        if !method.accepts(arguments.len()) {
            return Err(Fault::new(FaultCode::IncorrectParameters));
        }
        if method.guarded && mood != Mood::Running {
            return Err(Fault::new(FaultCode::ShutdownState));
        }
        (method.build)(Arguments::new(arguments))
    }

    /// What `system.listMethods` answers: all names, sorted.
    pub fn list(self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.all().map(|method| method.name).collect();
        names.sort_unstable();
        names
    }

    /// What `system.methodHelp` answers.
    pub fn help(self, method: &Value) -> Result<String, Fault> {
        Ok(self.described(method)?.help())
    }

    /// What `system.methodSignature` answers: the type of the result, then those of the parameters.
    pub fn signature(self, method: &Value) -> Result<Vec<&'static str>, Fault> {
        Ok(self.described(method)?.signature())
    }

    fn all(self) -> impl Iterator<Item = &'static Method> {
        METHODS.iter().filter(move |method| self.supervisor || !method.name.starts_with("supervisor."))
    }

    fn find(self, name: &str) -> Option<&'static Method> {
        self.all().find(|method| method.name == name)
    }

    fn described(self, method: &Value) -> Result<&'static Method, Fault> {
        let found = method.as_str().and_then(|name| self.find(name));
        found.ok_or_else(|| Fault::new(FaultCode::SignatureUnsupported))
    }
}

/// The method and arguments of one entry of a multicall, which is a struct, or the fault that stands in for its result.
///
/// Like the original, this takes the characters of a string and the names of a struct for arguments.
pub fn multicall_entry(entry: Value) -> Result<(String, Vec<Value>), Fault> {
    let incorrect = |why| Fault::with(FaultCode::IncorrectParameters, why);
    let Value::Struct(members) = entry else { return Err(Fault::new(FaultCode::IncorrectParameters)) };
    let (mut method, mut params) = (Value::Nil, Value::Array(Vec::new()));
    for (name, value) in members {
        match name.as_str() {
            "methodName" => method = value,
            "params" => params = value,
            _ => {}
        }
    }
    let method = match method {
        Value::Nil => return Err(incorrect("No methodName")),
        Value::Str(method) if method == "system.multicall" => {
            return Err(incorrect("Recursive system.multicall forbidden"));
        }
        Value::Str(method) => method,
        _ => return Err(Fault::new(FaultCode::IncorrectParameters)),
    };
    let params = match params {
        Value::Array(params) => params,
        Value::Str(text) => text.chars().map(|c| Value::Str(c.to_string())).collect(),
        Value::Struct(members) => members.into_iter().map(|(name, _)| Value::Str(name)).collect(),
        _ => return Err(Fault::new(FaultCode::IncorrectParameters)),
    };
    Ok((method, params))
}

#[cfg(test)]
mod tests;
