//! The JSON API: what is below `/api/v1`, which the original does not have. `docs/api.md` describes it.
//!
//! Like every other interface it is an encoder over the [`Api`](crate::api::Api). All its errors are problem details (RFC 9457).

use std::pin::Pin;

use hyper::header::{ALLOW, HeaderMap};
use hyper::{Method, StatusCode};

use crate::network::reply::Reply;
use problem::Problem;
use request::ApiRequest;
use router::{Match, Route};

mod changes;
mod daemon;
mod events;
mod facts;
mod problem;
mod programs;
mod request;
mod router;
mod why;

pub use problem::with_problem;
pub use request::Caller;

/// Everything there is.
const ROUTES: &[Route<Handler>] = &[
    Route { method: Method::GET, path: "/changes", handler: |request| Box::pin(changes::stream(request)) },
    Route { method: Method::GET, path: "/daemon", handler: |request| Box::pin(daemon::get(request)) },
    Route { method: Method::GET, path: "/events", handler: |request| Box::pin(events::stream(request)) },
    Route { method: Method::GET, path: "/programs", handler: |request| Box::pin(programs::list(request)) },
    Route {
        method: Method::GET,
        path: "/programs/{group}/{name}",
        handler: |request| Box::pin(programs::get(request)),
    },
    Route { method: Method::GET, path: "/programs/{group}/{name}/why", handler: |request| Box::pin(why::get(request)) },
];

type Handler = for<'a> fn(ApiRequest<'a>) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + 'a>>;

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
            (route.handler)(ApiRequest { api, actor, streams, socket, method, headers, parameters }).await
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
