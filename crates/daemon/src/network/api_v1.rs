//! The JSON API: what is below `/api/v1`, which the original does not have. `docs/api.md` describes it.
//!
//! Like every other interface it is an encoder over the [`Api`](crate::api::Api). All its errors are problem details (RFC 9457).

use std::pin::Pin;

use hyper::header::{ALLOW, HeaderMap};
use hyper::{Method, StatusCode};
use supervisord_core::actor::Right;

use crate::network::origin::{self, Sender};
use crate::network::reply::Reply;
use actions::Verb;
use problem::Problem;
use request::ApiRequest;
use router::{Match, Route};

mod actions;
mod changes;
mod daemon;
mod events;
mod facts;
mod logs;
mod problem;
mod programs;
mod request;
mod router;
mod selection;
mod usage;
mod why;

pub use problem::with_problem;
pub use request::{Caller, Sent};

/// Everything there is.
const ROUTES: &[Route<Endpoint>] = &[
    get("/changes", |request| Box::pin(changes::stream(request))),
    get("/daemon", |request| Box::pin(daemon::get(request))),
    get("/events", |request| Box::pin(events::stream(request))),
    get("/daemon/log", |request| Box::pin(logs::get_activity(request))),
    delete("/daemon/log", Right::Administer, |request| Box::pin(logs::clear_activity(request))),
    get("/programs", |request| Box::pin(programs::list(request))),
    operate("/programs/actions", |request| Box::pin(actions::many(request))),
    get("/programs/{group}/{name}", |request| Box::pin(programs::get(request))),
    get("/programs/{group}/{name}/why", |request| Box::pin(why::get(request))),
    get("/programs/{group}/{name}/logs/{stream}", |request| Box::pin(logs::get(request))),
    delete("/programs/{group}/{name}/logs/{stream}", Right::Operate, |request| Box::pin(logs::clear(request))),
    operate("/programs/{group}/{name}/start", |request| Box::pin(actions::one(request, Verb::Start))),
    operate("/programs/{group}/{name}/stop", |request| Box::pin(actions::one(request, Verb::Stop))),
    operate("/programs/{group}/{name}/restart", |request| Box::pin(actions::one(request, Verb::Restart))),
    operate("/programs/{group}/{name}/signal", |request| Box::pin(actions::one(request, Verb::Signal))),
    operate("/programs/{group}/{name}/reload", |request| Box::pin(actions::one(request, Verb::Reload))),
    operate("/programs/{group}/{name}/clear-logs", |request| Box::pin(actions::one(request, Verb::ClearLogs))),
    get("/usage", |request| Box::pin(usage::get(request))),
];

type Handler = for<'a> fn(ApiRequest<'a>) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + 'a>>;

/// What answers a route.
#[derive(Clone, Copy)]
struct Endpoint {
    /// The right that it asks for. The handler asks for it by what it reads and calls.
    #[cfg_attr(not(test), expect(dead_code, reason = "the table says it, a test proves it"))]
    right: Right,
    answer: Handler,
}

/// Something to read.
const fn get(path: &'static str, answer: Handler) -> Route<Endpoint> {
    Route { method: Method::GET, path, handler: Endpoint { right: Right::View, answer } }
}

/// Something to empty.
const fn delete(path: &'static str, right: Right, answer: Handler) -> Route<Endpoint> {
    Route { method: Method::DELETE, path, handler: Endpoint { right, answer } }
}

/// Something to do with programs.
const fn operate(path: &'static str, answer: Handler) -> Route<Endpoint> {
    Route { method: Method::POST, path, handler: Endpoint { right: Right::Operate, answer } }
}

/// The part of an undecoded path below `/api/v1`; `None` for all other paths.
pub fn below(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The method, the pattern of the path and the right of each route.
#[cfg(test)]
pub fn routes() -> impl Iterator<Item = (&'static Method, &'static str, Right)> {
    ROUTES.iter().map(|route| (&route.method, route.path, route.handler.right))
}

/// Whether requests with this method may change something.
pub fn acts(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Why a request that would change something is refused; none where it may.
pub fn objection(sender: Sender, method: &Method, headers: &HeaderMap) -> Option<Reply> {
    // A page of another site can send any method but POST, and a POST with JSON, only after the browser has asked for permission,
    // which it does not get.
    let is_sent_unasked = *method == Method::POST && origin::is_sent_unasked(headers);
    origin::may_be_forged(sender, is_sent_unasked).then(|| {
        forbidden(
            "Refused: the request came from a page of another site. Behind a proxy that changes the name of this server, \
             send it with the Content-Type application/json",
        )
    })
}

/// Answers a request for a path below `/api/v1`.
pub async fn respond(caller: Caller<'_>, sent: Sent<'_>) -> Reply {
    let handled = match router::find(ROUTES, sent.method, sent.path) {
        Match::Route(route, parameters) => (route.handler.answer)(ApiRequest::new(caller, sent, parameters)).await,
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
