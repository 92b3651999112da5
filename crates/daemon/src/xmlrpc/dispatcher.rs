//! One call: from the name of a method and its arguments to the result.

use std::sync::Arc;

use supervisord_core::actor::Actor;
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::Method;
use supervisord_wire::value::Value;

use super::encode;
use super::failure::Failure;
use super::methods::{MethodRequest, Methods, SystemMethod};
use super::payload::Payload;
use crate::api::Api;
use crate::plugins::Plugins;

/// The methods of the daemon and of its plug-ins.
pub(super) struct Dispatcher {
    /// The daemon.
    pub(super) api: Arc<Api>,
    /// The namespaces that exist besides `system`; `supervisor` among them when its section is present.
    pub(super) namespaces: Vec<String>,
    /// The namespaces that are Python code; none for what a plug-in itself may call.
    pub(super) plugins: Option<Arc<Plugins>>,
}

impl Dispatcher {
    /// What this actor asks for.
    pub(super) fn parse(&self, actor: &Actor, method: &str, arguments: Vec<Value>) -> Result<MethodRequest, Failure> {
        let view = self.api.view(actor)?;
        if self.plugins.as_ref().is_some_and(|plugins| plugins.has_method(method)) {
            return Ok(MethodRequest::PlugIn { method: method.to_owned(), arguments });
        }
        Ok(self.methods().parse(method, arguments, view.mood())?)
    }

    /// Executes a request that is no multicall.
    pub(super) async fn execute(&self, actor: &Actor, request: MethodRequest) -> Result<Payload, Failure> {
        let api = &*self.api;
        let done = |answer| Payload::from(encode::value(answer));
        match request {
            MethodRequest::Read(read) => read.answer(api, actor).await,
            MethodRequest::Call(call) => Ok(done(api.call(actor, call).await?)),
            MethodRequest::Restart => Ok(done(api.restart(actor).await?)),
            MethodRequest::ReloadConfig => Ok(done(api.reload_config(actor).await?)),
            MethodRequest::Scale { program, wanted, persists } => {
                Ok(done(api.scale(actor, &program, wanted, persists).await?))
            }
            MethodRequest::System(system) => self.describe(system),
            MethodRequest::PlugIn { method, arguments } => {
                api.may_call_plug_in(actor, &method)?;
                let plugins = self.plugins.as_ref().ok_or_else(|| Fault::new(FaultCode::UnknownMethod))?;
                Ok(plugins.call(&method, &arguments).await.ok_or(Failure::Ended)??.into())
            }
            MethodRequest::Multicall { .. } => Err(Fault::new(FaultCode::IncorrectParameters).into()),
        }
    }

    fn describe(&self, question: SystemMethod) -> Result<Payload, Failure> {
        let names = |names: Vec<String>| Value::Array(names.into_iter().map(Value::from).collect()).into();
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        match question {
            SystemMethod::ListMethods => Ok(names(self.list())),
            SystemMethod::MethodHelp { method } => match self.plug_in_method(&method) {
                Some(method) => Ok(Value::Str(method.help).into()),
                None => Ok(Value::Str(self.methods().help(&method)?).into()),
            },
            SystemMethod::MethodSignature { method } => match self.plug_in_method(&method) {
                Some(method) => {
                    let unsupported = || Fault::new(FaultCode::SignatureUnsupported);
                    Ok(names(method.signature.ok_or_else(unsupported)?))
                }
                None => Ok(names(owned(self.methods().signature(&method)?))),
            },
        }
    }

    /// The methods that are built in. Those of plug-ins are looked up before them.
    fn methods(&self) -> Methods {
        let is_replaced = self.plugins.as_ref().is_some_and(|plugins| plugins.has("supervisor"));
        Methods { supervisor: !is_replaced && self.namespaces.iter().any(|name| name == "supervisor") }
    }

    /// All methods, sorted.
    fn list(&self) -> Vec<String> {
        let mut names: Vec<String> = self.methods().list().into_iter().map(str::to_owned).collect();
        names.extend(self.plugins.iter().flat_map(|plugins| plugins.list()));
        names.sort_unstable();
        names
    }

    /// A method of a plug-in by its full name.
    fn plug_in_method(&self, name: &Value) -> Option<Method> {
        self.plugins.as_ref()?.describe(name.as_str()?)
    }
}
