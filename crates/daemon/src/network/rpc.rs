//! XML-RPC requests: from the body to the answer.
//!
//! What only reads is answered here, from the published view and the log files; everything else is handed to
//! control. A request runs in a task of its own, which ends when it is done and not when its client leaves.

mod logs;
mod multicall;
mod payload;
mod read;
mod trace;

use std::sync::Arc;

use bytes::Bytes;
use supervisord_config::Purpose;
use supervisord_config::model::Config;
use supervisord_core::call::{Call, Outcome};
use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::plugin::Method;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{DecodeError, decode_call, encode_fault, encode_response};
use tokio::sync::oneshot;

use crate::network::memory_budget::{Reservation, is_possible};
use crate::network::{Context, NotDone};
use crate::plugins::Plugins;
use crate::xmlrpc::{self, Methods, Request, System};
use payload::Payload;

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
enum Failure {
    Fault(Fault),
    Ending,
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Failure {
        match why {
            NotDone::NoThread => Failure::Fault(Fault::with(FaultCode::Failed, why)),
            NotDone::Ended => Failure::Ending,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

/// Answers the body of one request with a document, be it a result or a fault. Runs within a tokio runtime.
pub async fn respond(context: &Arc<Context>, body: Bytes) -> Result<Document, Unanswered> {
    let (method, arguments) = decode(context, &body).await?.map_err(|error| {
        trace::invalid(&context.activity, &body, &error);
        Unanswered::BadRequest
    })?;
    let context = context.clone();
    // The join fails when the runtime is shut down under the task.
    tokio::spawn(async move { answer(&context, &method, arguments).await }).await.unwrap_or(Err(Unanswered::Ending))
}

/// Reads a body. A long one takes a while, in which the thread must be free for other clients.
async fn decode(context: &Context, body: &Bytes) -> Result<Decoded, Unanswered> {
    if body.len() <= MAX_INLINE {
        return Ok(decode_call(body));
    }
    if !is_possible(body.len().saturating_mul(GROWTH)) {
        return Err(Unanswered::NoMemory);
    }
    let body = body.clone();
    context.blocking.compute(move || decode_call(&body)).await.map_err(|_| Unanswered::Ending)
}

async fn answer(context: &Context, method: &str, arguments: Vec<Value>) -> Result<Document, Unanswered> {
    trace::called(&context.activity, method);
    let document = match execute(context, method, arguments).await {
        Ok(answer) => document(context, answer).await,
        Err(failure) => Err(failure),
    };
    match document {
        Ok(document) => {
            trace::returned(&context.activity, method);
            Ok(document)
        }
        Err(Failure::Fault(fault)) => {
            trace::refused(&context.activity, method, &fault);
            Ok(Document { text: encode_fault(&fault), reservation: context.answers.nothing() })
        }
        Err(Failure::Ending) => Err(Unanswered::Ending),
    }
}

/// Writes an answer. A long one takes a while, in which the thread must be free for other clients.
async fn document(context: &Context, answer: Payload) -> Result<Document, Failure> {
    let Payload { content, reservation } = answer;
    let mut reservation = reservation.unwrap_or_else(|| context.answers.nothing());
    let text = match content.weight() {
        ..=MAX_INLINE => encode_response(&content),
        _ => context.blocking.compute(move || encode_response(&content)).await?,
    };
    reservation.settle(text.len());
    Ok(Document { text, reservation })
}

/// There are too many long answers that nobody takes.
fn crowded() -> Fault {
    Fault::with(
        FaultCode::Failed,
        "there is no memory for so long an answer, or too many are waiting for their clients",
    )
}

/// Reserves memory for an answer of about so many bytes, before it is made.
async fn reserve(context: &Context, bytes: usize) -> Result<Reservation, Fault> {
    context.answers.reserve_soon(bytes).await.ok_or_else(crowded)
}

async fn execute(context: &Context, method: &str, arguments: Vec<Value>) -> Result<Payload, Failure> {
    if let Some(plugins) = plugins(context, method) {
        return plugged(plugins, method, &arguments).await;
    }
    let methods = methods(context);
    match methods.parse(method, arguments, context.view.mood())? {
        Request::System(System::Multicall { entries }) => multicall::execute(context, entries).await,
        request => single(context, methods, request).await,
    }
}

/// The plug-ins, where the method is in a namespace of theirs.
fn plugins<'a>(context: &'a Context, method: &str) -> Option<&'a Plugins> {
    context.plugins.as_deref().filter(|plugins| plugins.has_method(method))
}

/// Forwards a call to a plug-in.
async fn plugged(plugins: &Plugins, method: &str, arguments: &[Value]) -> Result<Payload, Failure> {
    let outcome = plugins.call(method, arguments).await.ok_or(Failure::Ending)?;
    Ok(outcome?.into())
}

/// Executes a request that is not a multicall.
async fn single(context: &Context, methods: Methods, request: Request) -> Result<Payload, Failure> {
    let names = |names: Vec<String>| Value::Array(names.into_iter().map(Value::from).collect()).into();
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    match request {
        Request::Read(request) => read::answer(context, request).await,
        Request::Call(call) => ask(context, call).await,
        Request::Restart => with_config(context, Purpose::Start, |config| Call::Restart { config }).await,
        Request::ReloadConfig => with_config(context, Purpose::Reread, |config| Call::ReloadConfig { config }).await,
        Request::System(System::ListMethods) => Ok(names(list(context, methods))),
        Request::System(System::MethodHelp { method }) => match described(context, &method) {
            Some(method) => Ok(Value::Str(method.help).into()),
            None => Ok(Value::Str(methods.help(&method)?).into()),
        },
        Request::System(System::MethodSignature { method }) => match described(context, &method) {
            Some(method) => {
                let unsupported = || Fault::new(FaultCode::SignatureUnsupported);
                Ok(names(method.signature.ok_or_else(unsupported)?))
            }
            None => Ok(names(owned(methods.signature(&method)?))),
        },
        // Entries of a multicall are never multicalls.
        Request::System(System::Multicall { .. }) => Err(Fault::new(FaultCode::IncorrectParameters).into()),
    }
}

/// The methods that are built in. Those of plug-ins are looked up before them.
fn methods(context: &Context) -> Methods {
    let is_replaced = context.plugins.as_ref().is_some_and(|plugins| plugins.has("supervisor"));
    Methods { supervisor: !is_replaced && context.namespaces.iter().any(|name| name == "supervisor") }
}

/// All methods, sorted.
fn list(context: &Context, methods: Methods) -> Vec<String> {
    let mut names: Vec<String> = methods.list().into_iter().map(str::to_owned).collect();
    names.extend(context.plugins.iter().flat_map(|plugins| plugins.list()));
    names.sort_unstable();
    names
}

/// A method of a plug-in by its full name.
fn described(context: &Context, method: &Value) -> Option<Method> {
    context.plugins.as_ref()?.describe(method.as_str()?)
}

/// Hands a call to control and waits for its outcome, however long that takes.
async fn ask(context: &Context, call: Call) -> Result<Payload, Failure> {
    outcome(send(context, call)).await
}

fn send(context: &Context, call: Call) -> oneshot::Receiver<Outcome> {
    let (reply, outcome) = oneshot::channel();
    context.calls.send(call, move |outcome| {
        // Nobody waits any more when the runtime ended first.
        let _ = reply.send(outcome);
    });
    outcome
}

async fn outcome(reply: oneshot::Receiver<Outcome>) -> Result<Payload, Failure> {
    match reply.await {
        Ok(outcome) => Ok(xmlrpc::result(outcome)?.into()),
        Err(_) => Err(Failure::Ending),
    }
}

/// Makes a call of the configuration as it is now. One that cannot be read changes nothing.
async fn with_config(context: &Context, purpose: Purpose, call: fn(Box<Config>) -> Call) -> Result<Payload, Failure> {
    let turn = context.loading.lock().await;
    let load = context.load_config.clone();
    let config =
        context.blocking.run(move || load(purpose)).await?.map_err(|text| Fault::with(FaultCode::CantReread, text))?;
    let reply = send(context, call(Box::new(config)));
    drop(turn);
    outcome(reply).await
}

#[cfg(test)]
mod tests;
