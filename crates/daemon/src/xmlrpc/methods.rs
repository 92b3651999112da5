//! The XML-RPC methods: from a name and its arguments to what is asked for.
//!
//! The order of the checks is part of the interface: the name, then the number of arguments, then whether the supervisor is
//! shutting down, and only then what the arguments are. One table says everything there is to say about a method, so that
//! the help a client reads cannot differ from what the daemon does. Which right a request needs is the business of the
//! [`Api`](crate::api::Api).

mod arguments;
mod method;
mod python_text;
mod request;
mod table;

use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::state::Mood;
use supervisord_wire::value::Value;

use arguments::Arguments;
use method::Method;
pub use request::{MethodRequest, SystemMethod};
use table::METHODS;

/// The methods a server offers.
#[derive(Clone, Copy, Debug)]
pub struct Methods {
    /// Whether the configuration has the `supervisor` namespace; `system` is always there.
    pub supervisor: bool,
}

impl Methods {
    /// What is asked for with this method and these arguments while the daemon is in this mood.
    pub fn parse(self, method: &str, arguments: Vec<Value>, mood: Mood) -> Result<MethodRequest, Fault> {
        let method = self.find(method).ok_or_else(|| Fault::new(FaultCode::UnknownMethod))?;
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

#[cfg(test)]
mod tests;
