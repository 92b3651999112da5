//! What the page says where something is refused.

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use supervisord_core::call::{Reason, Refusal};
use supervisord_wire::fault::Fault;

use crate::network::reply::Reply;
use crate::refusal_fault::fault;

/// What stands on the page. The original shows the faults of its remote procedure calls.
pub fn text(refusal: &Refusal) -> String {
    match (refusal.reason, &refusal.detail) {
        (Reason::NotPermitted, Some(detail)) => format!("Refused: {detail}"),
        _ => {
            let Fault { code, text } = fault(refusal);
            format!("unexpected rpc fault [{code}] {text}")
        }
    }
}

/// What a client gets who may not see the page.
pub fn reply(refusal: &Refusal) -> Reply {
    forbidden(text(refusal) + "\n")
}

/// A reply that says why there is no page.
pub fn forbidden(text: impl Into<bytes::Bytes>) -> Reply {
    Reply::whole(StatusCode::FORBIDDEN, text).text(CONTENT_TYPE, "text/plain;charset=utf-8").length()
}
