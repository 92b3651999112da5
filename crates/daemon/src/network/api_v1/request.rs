//! What the handlers of the JSON API get, and the form of what they answer.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use supervisord_core::actor::Actor;
use supervisord_core::row::Row;

use super::parameters::{QueryKind, QueryParameter, is_on};
use super::problem::Problem;
use super::program_texts::ProgramTexts;
use crate::api::Api;
use crate::memory_budget::Reservation;
use crate::network::logs::LogStreams;
use crate::network::query::pairs;
use crate::network::reply::Reply;
use crate::network::socket::Socket;
use crate::network::streams::Streams;

/// What a client sends that has been here before.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The parameter that says the same: scripts of a browser can set no headers of a stream.
pub(super) const LAST_EVENT_ID_PARAMETER: QueryParameter = QueryParameter {
    name: "last_event_id",
    about: "The same as the header Last-Event-ID, which counts where both are there",
    kind: QueryKind::Text,
};

/// The name of whoever a client asks for.
const ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");

/// The longest such name, in bytes.
const MAX_ON_BEHALF_OF: usize = 64;

/// Tells reverse proxies not to hold back what has come so far.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The body of a request that has nothing to say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

/// Who asks, and over what.
pub struct Caller<'a> {
    /// The daemon, and what answers need that go on until the client leaves.
    pub logs: &'a LogStreams,
    /// Whose rights the API checks.
    pub actor: &'a Actor,
    /// The connection.
    pub socket: &'a Rc<Socket>,
    /// The programs as they were listed last.
    pub program_texts: &'a ProgramTexts,
}

/// What was sent.
pub struct Sent<'a> {
    /// The method.
    pub method: &'a Method,
    /// The undecoded path below `/api/v1`.
    pub path: &'a str,
    /// The undecoded parameters behind the path; empty where there are none.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole body; empty where it is not read, as that of a GET.
    pub body: Bytes,
}

/// A request as handlers see it.
pub struct ApiRequest<'a> {
    pub api: &'a Arc<Api>,
    /// Who asks. The API checks the right to what is asked for.
    pub actor: &'a Actor,
    pub logs: &'a LogStreams,
    pub streams: &'a Streams,
    pub socket: &'a Rc<Socket>,
    pub program_texts: &'a ProgramTexts,
    /// `HEAD` comes to the handlers of `GET`.
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    query: &'a str,
    body: Bytes,
    /// The parameters of the path, decoded, in their order.
    pub parameters: Vec<String>,
}

impl<'a> ApiRequest<'a> {
    pub fn new(caller: Caller<'a>, sent: Sent<'a>, parameters: Vec<String>) -> ApiRequest<'a> {
        let Caller { logs, actor, socket, program_texts } = caller;
        let Sent { method, query, headers, body, .. } = sent;
        let (api, streams) = (&logs.api, &*logs.streams);
        ApiRequest { api, actor, logs, streams, socket, program_texts, method, headers, query, body, parameters }
    }

    /// The id of the last event that a client has got which has been here before; the header is newer than the parameter,
    /// because a browser that comes back by itself keeps the address. Nobody knows what is no text.
    pub fn last_event_id(&self) -> Option<String> {
        match self.headers.get(LAST_EVENT_ID) {
            Some(id) => Some(id.to_str().unwrap_or_default().to_owned()),
            None => self.values(LAST_EVENT_ID_PARAMETER.name).next(),
        }
    }

    /// The values of a parameter behind the path.
    pub fn values(&self, name: &str) -> impl Iterator<Item = String> {
        pairs(self.query).filter(move |(other, _)| other == name).map(|(_, value)| value)
    }

    /// The number behind the path; none where the parameter is not there. The table of routes has its range.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.values(name).next().and_then(|text| text.parse().ok())
    }

    /// Whether a flag is there and not switched off.
    pub fn has_flag(&self, name: &str) -> bool {
        self.values(name).next().is_some_and(|value| is_on(&value))
    }

    /// What the body says, which is an object; an empty body is an empty object.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        if !self.body.is_empty() && !is_json(self.headers) {
            let detail = "the body of a request must have the Content-Type application/json";
            return Err(Problem::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bad = |detail: String| Problem::with(StatusCode::BAD_REQUEST, detail);
        // The library takes an array for an object, too.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(bad("the body must be a JSON object: write for example {}".to_owned()));
        }
        serde_json::from_slice(body).map_err(|error| bad(format!("the body: {error}")))
    }

    /// The program that the path names.
    pub fn program(&self) -> Result<Arc<Row>, Problem> {
        let view = self.api.view(self.actor)?;
        let row = match self.parameters.as_slice() {
            [group, name, ..] => view.row(group, name),
            _ => None,
        };
        row.ok_or_else(|| {
            let name = self.parameters.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(":");
            Problem::not_found(format!("no program is named {name}"))
        })
    }
}

/// For whom a client says to ask: printable ASCII in the header `On-Behalf-Of`.
pub fn on_behalf_of(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    let Some(name) = headers.get(ON_BEHALF_OF) else { return Ok(None) };
    let is_good =
        |name: &&str| (1..=MAX_ON_BEHALF_OF).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    name.to_str().ok().filter(is_good).map(|name| Some(name.into())).ok_or_else(|| {
        let detail =
            format!("On-Behalf-Of: write a name of 1 to {MAX_ON_BEHALF_OF} printable ASCII characters without blanks");
        Problem::with(StatusCode::BAD_REQUEST, detail)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// A resource as JSON text.
pub fn encoded(resource: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(resource).map_err(|_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The reply with a JSON text, and the memory that was reserved for it.
pub fn json(body: Vec<u8>, reservation: Reservation) -> Reply {
    with_json_headers(Reply::whole(StatusCode::OK, body)).within(reservation)
}

/// The reply with a JSON text of so many bytes, in pieces that are made when they are sent.
pub fn json_pieces(length: usize, pieces: impl Iterator<Item = String> + 'static) -> Reply {
    with_json_headers(Reply::written(StatusCode::OK, length, pieces.map(Bytes::from)))
}

fn with_json_headers(reply: Reply) -> Reply {
    reply
        .text(CONTENT_TYPE, "application/json")
        .text(CACHE_CONTROL, "no-store")
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .length()
}

/// The headers of a stream of server-sent events.
pub fn event_stream(reply: Reply) -> Reply {
    reply
        .text(CONTENT_TYPE, "text/event-stream")
        .text(CACHE_CONTROL, "no-store")
        .text(ACCEL_BUFFERING, "no")
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_for_the_audit_log_is_short_and_printable() {
        let read = |value: &[u8]| {
            let value = hyper::header::HeaderValue::from_bytes(value).expect("a value");
            on_behalf_of(&HeaderMap::from_iter([(ON_BEHALF_OF, value)]))
        };
        assert_eq!(read(b"ann").ok().flatten().as_deref(), Some("ann"));
        for bad in [&b""[..], b"ann smith", b"\xff", &[b'x'; MAX_ON_BEHALF_OF + 1]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(on_behalf_of(&HeaderMap::new()).is_ok_and(|name| name.is_none()));
    }
}
