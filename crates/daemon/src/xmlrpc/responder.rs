//! XML-RPC requests: from the body to the answer.
//!
//! What is asked goes to the [`Api`], or to a plug-in where the method is one of its own. A request runs in a task of its own, which ends when it is done and not when its client leaves.

use std::sync::Arc;

use bytes::Bytes;
use supervisord_config::Purpose;
use supervisord_core::actor::{Actor, Right};
use supervisord_core::call::{Call, Outcome, Refusal};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::Method;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{DecodeError, decode_call, encode_fault, encode_response};

use super::methods::{Methods, Request, System};
use super::payload::Payload;
use super::{encode, multicall, read, trace};
use crate::api::{self, Api};
use crate::blocking::NotDone;
use crate::memory_budget::{Reservation, is_possible};
use crate::plugins::Plugins;

/// The longest body that is read where it arrives, and the longest answer that is written there, in bytes; that takes
/// about a millisecond.
const MAX_INLINE: usize = 256 << 10;

/// How many times as much memory as a body what is read from it may take, in all parts of the daemon.
const GROWTH: usize = 4;

type Decoded = Result<(String, Vec<Value>), DecodeError>;

/// What a request is answered with.
#[derive(Debug)]
pub struct Document {
    /// The XML.
    pub text: String,
    /// The memory it takes. It is to be held until the client has taken the text.
    pub reservation: Reservation,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The body is no request: HTTP 400.
    BadRequest,
    /// The system has no memory for it: HTTP 503.
    NoMemory,
    /// The daemon is ending; close the connection without a word.
    Ending,
}

/// Why a request has no result.
pub(super) enum Failure {
    Fault(Fault),
    Ending,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Fault(encode::fault(&refusal))
    }
}

impl From<api::Failure> for Failure {
    fn from(failure: api::Failure) -> Failure {
        match failure {
            api::Failure::Refused(refusal) => refusal.into(),
            api::Failure::Ended => Failure::Ending,
        }
    }
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Failure {
        api::Failure::from(why).into()
    }
}

/// The daemon as XML-RPC shows it. Clones show the same.
#[derive(Clone)]
pub struct Responder {
    /// What it is shown of.
    pub api: Arc<Api>,
    /// The namespaces that exist besides `system`; `supervisor` among them when its section is present.
    pub namespaces: Vec<String>,
    /// The namespaces that are Python code; none for what a plug-in itself may call.
    pub plugins: Option<Arc<Plugins>>,
}

impl Responder {
    /// With the built-in namespaces only, as plug-ins see the daemon.
    pub fn built_in(api: Arc<Api>) -> Responder {
        Responder { api, namespaces: vec!["supervisor".to_owned()], plugins: None }
    }

    /// Answers the body of one request of this actor with a document, be it a result or a fault. Runs within a tokio runtime.
    pub async fn respond(&self, actor: Arc<Actor>, body: Bytes) -> Result<Document, Unanswered> {
        let (method, arguments) = decode(&self.api, &body).await?.map_err(|error| {
            trace::invalid(&self.api.activity, &body, &error);
            Unanswered::BadRequest
        })?;
        let responder = self.clone();
        // The join fails when the runtime is shut down under the task.
        let answer = tokio::spawn(async move { responder.answer(&actor, &method, arguments).await });
        answer.await.unwrap_or(Err(Unanswered::Ending))
    }

    async fn answer(&self, actor: &Actor, method: &str, arguments: Vec<Value>) -> Result<Document, Unanswered> {
        let Api { activity, answers, .. } = &*self.api;
        trace::called(activity, method);
        let document = match self.execute(actor, method, arguments).await {
            Ok(payload) => document(&self.api, payload).await,
            Err(failure) => Err(failure),
        };
        match document {
            Ok(document) => {
                trace::returned(activity, method);
                Ok(document)
            }
            Err(Failure::Fault(fault)) => {
                trace::refused(activity, method, &fault);
                Ok(Document { text: encode_fault(&fault), reservation: answers.nothing() })
            }
            Err(Failure::Ending) => Err(Unanswered::Ending),
        }
    }

    async fn execute(&self, actor: &Actor, method: &str, arguments: Vec<Value>) -> Result<Payload, Failure> {
        if let Some(plugins) = self.plugins(method) {
            // Which right a method of a plug-in needs is not known.
            actor.check(Right::Administer)?;
            return plugged(plugins, method, &arguments).await;
        }
        match self.methods().parse(actor, method, arguments, self.api.view.mood())? {
            Request::System(System::Multicall { entries }) => multicall::execute(self, actor, entries).await,
            request => self.single(actor, request).await,
        }
    }

    /// Executes one call of a multicall.
    pub(super) async fn execute_entry(
        &self,
        actor: &Actor,
        method: &str,
        arguments: Vec<Value>,
    ) -> Result<Payload, Failure> {
        if let Some(plugins) = self.plugins(method) {
            // Which right a method of a plug-in needs is not known.
            actor.check(Right::Administer)?;
            return plugged(plugins, method, &arguments).await;
        }
        self.single(actor, self.methods().parse(actor, method, arguments, self.api.view.mood())?).await
    }

    /// Executes a request that is not a multicall.
    async fn single(&self, actor: &Actor, request: Request) -> Result<Payload, Failure> {
        let names = |names: Vec<String>| Value::Array(names.into_iter().map(Value::from).collect()).into();
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        let reread = |config| Call::ReloadConfig { config };
        let restart = |config| Call::Restart { config };
        match request {
            Request::Read(request) => read::answer(&self.api, request).await,
            Request::Call(call) => payload(self.api.call(actor, call).await.map_err(api::Failure::from)?),
            Request::Restart => payload(self.api.call_with_config(actor, Purpose::Start, restart).await?),
            Request::ReloadConfig => payload(self.api.call_with_config(actor, Purpose::Reread, reread).await?),
            Request::System(System::ListMethods) => Ok(names(self.list())),
            Request::System(System::MethodHelp { method }) => match self.described(&method) {
                Some(method) => Ok(Value::Str(method.help).into()),
                None => Ok(Value::Str(self.methods().help(&method)?).into()),
            },
            Request::System(System::MethodSignature { method }) => match self.described(&method) {
                Some(method) => {
                    let unsupported = || Fault::new(FaultCode::SignatureUnsupported);
                    Ok(names(method.signature.ok_or_else(unsupported)?))
                }
                None => Ok(names(owned(self.methods().signature(&method)?))),
            },
            // Entries of a multicall are never multicalls.
            Request::System(System::Multicall { .. }) => Err(Fault::new(FaultCode::IncorrectParameters).into()),
        }
    }

    /// The plug-ins, where the method is in a namespace of theirs.
    fn plugins(&self, method: &str) -> Option<&Plugins> {
        self.plugins.as_deref().filter(|plugins| plugins.has_method(method))
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
    fn described(&self, method: &Value) -> Option<Method> {
        self.plugins.as_ref()?.describe(method.as_str()?)
    }
}

/// Reads a body. A long one takes a while, in which the thread must be free for other clients.
async fn decode(api: &Api, body: &Bytes) -> Result<Decoded, Unanswered> {
    if body.len() <= MAX_INLINE {
        return Ok(decode_call(body));
    }
    if !is_possible(body.len().saturating_mul(GROWTH)) {
        return Err(Unanswered::NoMemory);
    }
    let body = body.clone();
    api.blocking.compute(move || decode_call(&body)).await.map_err(|_| Unanswered::Ending)
}

/// Writes an answer. A long one takes a while, in which the thread must be free for other clients.
async fn document(api: &Api, payload: Payload) -> Result<Document, Failure> {
    let Payload { content, reservation } = payload;
    let mut reservation = reservation.unwrap_or_else(|| api.answers.nothing());
    let text = match content.weight() {
        ..=MAX_INLINE => encode_response(&content),
        _ => api.blocking.compute(move || encode_response(&content)).await?,
    };
    reservation.settle(text.len());
    Ok(Document { text, reservation })
}

/// Forwards a call to a plug-in.
async fn plugged(plugins: &Plugins, method: &str, arguments: &[Value]) -> Result<Payload, Failure> {
    let outcome = plugins.call(method, arguments).await.ok_or(Failure::Ending)?;
    Ok(outcome?.into())
}

fn payload(outcome: Outcome) -> Result<Payload, Failure> {
    Ok(encode::result(outcome)?.into())
}

#[cfg(test)]
mod tests;
