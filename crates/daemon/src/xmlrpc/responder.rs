//! XML-RPC requests: from the body to the answer.
//!
//! A request runs in a task of its own, which ends when it is done and not when its client leaves.

use std::sync::Arc;

use bytes::Bytes;
use supervisord_core::actor::Actor;
use supervisord_core::call::Refusal;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{DecodeError, decode_call, encode_fault, encode_response};

use super::dispatcher::Dispatcher;
use super::failure::Failure;
use super::methods::MethodRequest;
use super::payload::{Content, Payload};
use super::process_list::ProcessList;
use super::{multicall, trace};
use crate::api::Api;
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
    pub body: Body,
    /// The memory it takes. It is to be held until the client has taken the text.
    pub reservation: Reservation,
}

/// The text of a document.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(String),
    /// Pieces that are written while the client takes them.
    Pieces(ProcessList),
}

impl Document {
    /// The whole text, with the reservation for its memory.
    pub async fn into_text(self, api: &Api) -> Result<(String, Reservation), Refusal> {
        match self.body {
            Body::Whole(text) => Ok((text, self.reservation)),
            Body::Pieces(list) => {
                let reservation = api.reserve(list.left()).await?;
                Ok((list.into_text(), reservation))
            }
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The body is no request: HTTP 400.
    BadRequest,
    /// The system has no memory for it: HTTP 503.
    NoMemory,
    /// The daemon ended before it answered; the connection is closed without an answer.
    Ended,
}

/// The daemon as XML-RPC shows it.
#[derive(Clone)]
pub struct Responder {
    /// The daemon.
    pub api: Arc<Api>,
    dispatcher: Arc<Dispatcher>,
}

impl Responder {
    /// With these namespaces besides `system`, of which those of the plug-ins are Python code.
    pub fn new(api: Arc<Api>, namespaces: Vec<String>, plugins: Arc<Plugins>) -> Responder {
        let dispatcher = Arc::new(Dispatcher { api: api.clone(), namespaces, plugins: Some(plugins) });
        Responder { api, dispatcher }
    }

    /// With the built-in namespaces only, as plug-ins see the daemon.
    pub fn built_in(api: Arc<Api>) -> Responder {
        let namespaces = vec!["supervisor".to_owned()];
        let dispatcher = Arc::new(Dispatcher { api: api.clone(), namespaces, plugins: None });
        Responder { api, dispatcher }
    }

    /// Answers the body of one request of this actor with a document, be it a result or a fault. Runs within a tokio runtime.
    pub async fn respond(&self, actor: Actor, body: Bytes) -> Result<Document, Unanswered> {
        let (method, arguments) = decode(&self.api, &body).await?.map_err(|error| {
            trace::invalid(&self.api.activity, &body, &error);
            Unanswered::BadRequest
        })?;
        let dispatcher = self.dispatcher.clone();
        // The join fails when the runtime is shut down under the task.
        let answer = tokio::spawn(async move { answer(&dispatcher, &actor, &method, arguments).await });
        answer.await.unwrap_or(Err(Unanswered::Ended))
    }
}

async fn answer(
    dispatcher: &Dispatcher,
    actor: &Actor,
    method: &str,
    arguments: Vec<Value>,
) -> Result<Document, Unanswered> {
    let Api { activity, answers, .. } = &*dispatcher.api;
    trace::called(activity, method);
    let document = match execute(dispatcher, actor, method, arguments).await {
        Ok(payload) => document(&dispatcher.api, payload).await,
        Err(failure) => Err(failure),
    };
    match document {
        Ok(document) => {
            trace::returned(activity, method);
            Ok(document)
        }
        Err(Failure::Fault(fault)) => {
            trace::refused(activity, method, &fault);
            Ok(Document { body: Body::Whole(encode_fault(&fault)), reservation: answers.nothing() })
        }
        Err(Failure::Ended) => Err(Unanswered::Ended),
    }
}

async fn execute(
    dispatcher: &Dispatcher,
    actor: &Actor,
    method: &str,
    arguments: Vec<Value>,
) -> Result<Payload, Failure> {
    match dispatcher.parse(actor, method, arguments)? {
        MethodRequest::Multicall { entries } => multicall::execute(dispatcher, actor, entries).await,
        request => dispatcher.execute(actor, request).await,
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
    api.blocking.compute(move || decode_call(&body)).await.map_err(|_| Unanswered::Ended)
}

/// Writes an answer. A long one takes a while, in which the thread must be free for other clients.
async fn document(api: &Api, payload: Payload) -> Result<Document, Failure> {
    let Payload { content, reservation } = payload;
    let mut reservation = reservation.unwrap_or_else(|| api.answers.nothing());
    let text = match content {
        Content::Processes(rows, moment) => {
            return Ok(Document { body: Body::Pieces(ProcessList::new(rows, moment)), reservation });
        }
        content if content.weight() <= MAX_INLINE => encode_response(&content),
        content => api.blocking.compute(move || encode_response(&content)).await?,
    };
    reservation.settle(text.len());
    Ok(Document { body: Body::Whole(text), reservation })
}

#[cfg(test)]
mod tests;
