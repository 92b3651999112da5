//! The JSON API: what is below `/api/v1`, which the original does not have. `docs/api.md` describes it.
//!
//! Like every other interface it is an encoder over the [`Api`]. All its errors are problem details (RFC 9457).

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use serde::Serialize;
use supervisord_core::actor::Actor;

use crate::api::Api;
use crate::memory_budget::Reservation;
use crate::network::reply::Reply;
use crate::network::socket::Socket;
use crate::network::streams::Streams;
use problem::Problem;
use router::{Match, Route};

mod daemon;
mod events;
mod problem;
mod programs;
mod router;

pub use problem::with_problem;

/// Everything there is.
const ROUTES: &[Route<Handler>] = &[
    Route { method: Method::GET, path: "/daemon", handler: |request| Box::pin(daemon::get(request)) },
    Route { method: Method::GET, path: "/events", handler: |request| Box::pin(events::stream(request)) },
    Route { method: Method::GET, path: "/programs", handler: |request| Box::pin(programs::list(request)) },
    Route {
        method: Method::GET,
        path: "/programs/{group}/{name}",
        handler: |request| Box::pin(programs::get(request)),
    },
];

type Handler = for<'a> fn(Request<'a>) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + 'a>>;

/// Who asks, and over what.
pub struct Caller<'a> {
    /// The daemon.
    pub api: &'a Arc<Api>,
    /// Whose rights the API checks.
    pub actor: &'a Actor,
    /// For answers that go on until the client leaves.
    pub streams: &'a Streams,
    /// The connection.
    pub socket: &'a Rc<Socket>,
}

/// A request as handlers see it.
struct Request<'a> {
    api: &'a Arc<Api>,
    /// Who asks. The API checks the right to what is asked for.
    actor: &'a Actor,
    streams: &'a Streams,
    socket: &'a Rc<Socket>,
    /// `HEAD` comes to the handlers of `GET`.
    method: &'a Method,
    headers: &'a HeaderMap,
    /// The parameters of the path, decoded, in their order.
    parameters: Vec<String>,
}

/// The part of an undecoded path below `/api/v1`; `None` for all other paths.
pub fn below(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The method and the pattern of the path of each route.
#[cfg(test)]
pub fn routes() -> impl Iterator<Item = (&'static Method, &'static str)> {
    ROUTES.iter().map(|route| (&route.method, route.path))
}

/// Answers a request for a path below `/api/v1`.
pub async fn respond(caller: Caller<'_>, method: &Method, path: &str, headers: &HeaderMap) -> Reply {
    let Caller { api, actor, streams, socket } = caller;
    let handled = match router::find(ROUTES, method, path) {
        Match::Route(route, parameters) => {
            (route.handler)(Request { api, actor, streams, socket, method, headers, parameters }).await
        }
        Match::Options(allowed) => Ok(Reply::whole(StatusCode::NO_CONTENT, "").text(ALLOW, allowed)),
        Match::NoSuchMethod(allowed) => {
            return Problem::of(StatusCode::METHOD_NOT_ALLOWED).into_reply().text(ALLOW, allowed);
        }
        Match::NoSuchPath => Err(Problem::of(StatusCode::NOT_FOUND)),
    };
    handled.unwrap_or_else(Problem::into_reply)
}

/// The refusal of a request before it is answered, with the reason.
pub fn forbidden(reason: &str) -> Reply {
    Problem::forbidden(reason.trim_end().to_owned()).into_reply()
}

/// A resource as JSON text.
fn encoded(resource: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(resource).map_err(|_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The reply with a JSON text, and the memory that was reserved for it.
fn json(body: Vec<u8>, reservation: Reservation) -> Reply {
    let reply = Reply::whole(StatusCode::OK, body)
        .text(CONTENT_TYPE, "application/json")
        .text(CACHE_CONTROL, "no-store")
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply.length().within(reservation)
}
