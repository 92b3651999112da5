//! What the handlers of the JSON API get, and the form of what they answer.

use std::rc::Rc;
use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use serde::Serialize;
use supervisord_core::actor::Actor;

use super::problem::Problem;
use crate::api::Api;
use crate::memory_budget::Reservation;
use crate::network::reply::Reply;
use crate::network::socket::Socket;
use crate::network::streams::Streams;

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
pub struct ApiRequest<'a> {
    pub api: &'a Arc<Api>,
    /// Who asks. The API checks the right to what is asked for.
    pub actor: &'a Actor,
    pub streams: &'a Streams,
    pub socket: &'a Rc<Socket>,
    /// `HEAD` comes to the handlers of `GET`.
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// The parameters of the path, decoded, in their order.
    pub parameters: Vec<String>,
}

/// A resource as JSON text.
pub fn encoded(resource: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(resource).map_err(|_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The reply with a JSON text, and the memory that was reserved for it.
pub fn json(body: Vec<u8>, reservation: Reservation) -> Reply {
    let reply = Reply::whole(StatusCode::OK, body)
        .text(CONTENT_TYPE, "application/json")
        .text(CACHE_CONTROL, "no-store")
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply.length().within(reservation)
}
