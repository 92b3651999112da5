//! Problem details (RFC 9457): how the API tells an error.

use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use supervisord_core::call::{Reason, Refusal};

use crate::calls::CallFailure;
use crate::network::reply::Reply;

const MEDIA_TYPE: &str = "application/problem+json";

/// An error of the API.
pub struct Problem {
    status: StatusCode,
    kind: Option<ProblemKind>,
    detail: Option<String>,
}

/// What programs tell errors apart by that have the same status.
#[derive(Clone, Copy)]
struct ProblemKind {
    /// The member `type`.
    uri: &'static str,
    title: &'static str,
}

/// The members of RFC 9457. Without `type` it is `about:blank`: the status tells the kind.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct ProblemDetails {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    uri: Option<&'static str>,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The schema of an error.
pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<ProblemDetails>()
}

impl Problem {
    /// An error of which the status tells everything.
    pub fn of(status: StatusCode) -> Problem {
        Problem { status, kind: None, detail: None }
    }

    /// An error with what there is to say about it.
    pub fn with(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, kind: None, detail: Some(detail.into()) }
    }

    /// Something that does not exist.
    pub fn not_found(detail: String) -> Problem {
        Problem::with(StatusCode::NOT_FOUND, detail)
    }

    /// There are as many streams as there may be.
    pub fn too_many_streams() -> Problem {
        let detail =
            "as many streams are open as there may be: half of the connections of a server, which `minfds` limits";
        Problem::with(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Something that is refused.
    pub fn forbidden(detail: String) -> Problem {
        Problem::with(StatusCode::FORBIDDEN, detail)
    }

    /// The same, with more to say.
    pub fn and(self, more: &str) -> Problem {
        let detail = Some(self.detail.map_or_else(|| more.to_owned(), |detail| format!("{detail}: {more}")));
        Problem { detail, ..self }
    }

    /// What there is to say about it.
    pub fn into_detail(self) -> Option<String> {
        self.detail
    }

    /// The error as a reply.
    pub fn into_reply(self) -> Reply {
        let Problem { status, kind, detail } = self;
        let title = kind.map_or_else(|| status.canonical_reason().unwrap_or("Unknown"), |kind| kind.title);
        let details = ProblemDetails { uri: kind.map(|kind| kind.uri), title, status: status.as_u16(), detail };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        Reply::whole(status, body).text(CONTENT_TYPE, MEDIA_TYPE).length()
    }
}

/// The status, the type and the title of each reason.
const fn kind(reason: Reason) -> (StatusCode, ProblemKind) {
    let (status, uri, title) = match reason {
        Reason::BadArguments => (StatusCode::BAD_REQUEST, "urn:supervisord:bad-arguments", "Bad arguments"),
        Reason::ShuttingDown => {
            (StatusCode::SERVICE_UNAVAILABLE, "urn:supervisord:shutting-down", "The daemon is shutting down")
        }
        Reason::NotPermitted => (StatusCode::FORBIDDEN, "urn:supervisord:not-permitted", "Not permitted"),
        Reason::UnknownName => (StatusCode::NOT_FOUND, "urn:supervisord:unknown-name", "Unknown name"),
        Reason::UnknownSignal => (StatusCode::BAD_REQUEST, "urn:supervisord:unknown-signal", "Unknown signal"),
        Reason::NoFile => (StatusCode::CONFLICT, "urn:supervisord:no-file", "A file does not exist"),
        Reason::NotExecutable => {
            (StatusCode::CONFLICT, "urn:supervisord:not-executable", "The program cannot be executed")
        }
        Reason::NotConfigured => (StatusCode::CONFLICT, "urn:supervisord:not-configured", "Not configured"),
        Reason::UnderWay => (StatusCode::CONFLICT, "urn:supervisord:under-way", "Still under way"),
        Reason::CommandFailed => (StatusCode::CONFLICT, "urn:supervisord:command-failed", "A command failed"),
        Reason::Failed => (StatusCode::SERVICE_UNAVAILABLE, "urn:supervisord:failed", "Failed"),
        Reason::AbnormalTermination => {
            (StatusCode::CONFLICT, "urn:supervisord:abnormal-termination", "The program did not become RUNNING")
        }
        Reason::DependencyFailed => {
            (StatusCode::CONFLICT, "urn:supervisord:dependency-failed", "The program waits in vain")
        }
        Reason::Disabled => (StatusCode::CONFLICT, "urn:supervisord:disabled", "The program is disabled"),
        Reason::SpawnError => (StatusCode::CONFLICT, "urn:supervisord:spawn-error", "The program could not be started"),
        Reason::AlreadyStarted => (StatusCode::CONFLICT, "urn:supervisord:already-started", "Already started"),
        Reason::NotRunning => (StatusCode::CONFLICT, "urn:supervisord:not-running", "Not running"),
        Reason::AlreadyAdded => (StatusCode::CONFLICT, "urn:supervisord:already-added", "Already added"),
        Reason::StillRunning => (StatusCode::CONFLICT, "urn:supervisord:still-running", "Still running"),
        Reason::CannotReread => {
            (StatusCode::CONFLICT, "urn:supervisord:cannot-reread", "The configuration cannot be read")
        }
    };
    (status, ProblemKind { uri, title })
}

/// What has become of a program, whose name may stand before the reason.
fn about(detail: &str, outcome: &str) -> String {
    match detail.split_once(": ") {
        Some((name, reason)) => format!("{name} {outcome}: {reason}"),
        None => format!("{detail} {outcome}"),
    }
}

/// What is said for people, of a refusal whose detail is often no more than a name.
fn sentence(refusal: Refusal) -> Option<String> {
    let Refusal { reason, detail } = refusal;
    let detail = detail.filter(|detail| !detail.is_empty())?;
    Some(match reason {
        Reason::UnknownName => format!("nothing is named {detail}"),
        Reason::UnknownSignal => format!("no signal is named {detail}"),
        Reason::AbnormalTermination => about(&detail, "did not become RUNNING"),
        Reason::SpawnError => about(&detail, "could not be started"),
        Reason::AlreadyStarted => format!("{detail} is already started"),
        Reason::NotRunning => format!("{detail} is not running"),
        Reason::AlreadyAdded => format!("the group {detail} is already active"),
        Reason::StillRunning => format!("processes of {detail} are still running"),
        Reason::BadArguments
        | Reason::ShuttingDown
        | Reason::NotPermitted
        | Reason::NoFile
        | Reason::NotExecutable
        | Reason::NotConfigured
        | Reason::UnderWay
        | Reason::CommandFailed
        | Reason::Failed
        | Reason::DependencyFailed
        | Reason::Disabled
        | Reason::CannotReread => detail,
    })
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let (status, kind) = kind(refusal.reason);
        Problem { status, kind: Some(kind), detail: sentence(refusal) }
    }
}

impl From<CallFailure> for Problem {
    fn from(failure: CallFailure) -> Problem {
        match failure {
            CallFailure::Refused(refusal) => refusal.into(),
            CallFailure::Ended => Problem::with(StatusCode::SERVICE_UNAVAILABLE, "the daemon ended before it answered"),
        }
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
