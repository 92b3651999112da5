//! Problem details (RFC 9457): how the API tells an error.

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;
use supervisord_core::call::{Reason, Refusal};

use crate::network::reply::Reply;

const MEDIA_TYPE: &str = "application/problem+json";

/// An error of the API.
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
}

/// The members of RFC 9457. Without `type` it is `about:blank`: the status tells the kind.
#[derive(Serialize)]
struct ProblemDetails {
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Problem {
    /// An error of which the status tells everything.
    pub fn of(status: StatusCode) -> Problem {
        Problem { status, detail: None }
    }

    /// Something that does not exist.
    pub fn not_found(detail: String) -> Problem {
        Problem { status: StatusCode::NOT_FOUND, detail: Some(detail) }
    }

    /// Something that is refused.
    pub fn forbidden(detail: String) -> Problem {
        Problem { status: StatusCode::FORBIDDEN, detail: Some(detail) }
    }

    /// The error as a reply.
    pub fn into_reply(self) -> Reply {
        let Problem { status, detail } = self;
        let title = status.canonical_reason().unwrap_or("Unknown");
        let body = serde_json::to_vec(&ProblemDetails { title, status: status.as_u16(), detail }).unwrap_or_default();
        Reply::whole(status, body).text(CONTENT_TYPE, MEDIA_TYPE).length()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal.reason {
            Reason::NotPermitted => StatusCode::FORBIDDEN,
            Reason::UnknownName => StatusCode::NOT_FOUND,
            Reason::Failed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem { status, detail: refusal.detail }
    }
}

/// The same reply, with problem details instead of the page that errors have on other paths.
pub fn with_problem(reply: Reply) -> Reply {
    let has_details = reply.headers.iter().any(|(name, value)| name == CONTENT_TYPE && value == MEDIA_TYPE);
    if has_details || !(reply.status.is_client_error() || reply.status.is_server_error()) {
        return reply;
    }
    let mut problem = Problem::of(reply.status).into_reply();
    let others = reply.headers.into_iter().filter(|(name, _)| ![CONTENT_TYPE, CONTENT_LENGTH].contains(name));
    problem.headers.splice(0..0, others);
    problem
}
