//! The errors between a client and a daemon, by cause.

use std::io;
use std::time::Duration;

use supervisord_wire::fault::{Fault, FaultCode};
use supervisord_wire::xmlrpc::DecodeError;

use super::url::UrlError;

/// The reason why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The host name cannot be resolved; the resolver's text.
    #[error("{0}")]
    Resolve(String),
    /// No connection; the error carries kind and `errno`.
    #[error("{0}")]
    Connect(io::Error),
    /// No secure connection: a certificate is not trusted, or a file cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The connection broke.
    #[error("{0}")]
    Io(io::Error),
    /// There was no answer within this time.
    #[error("timed out")]
    Timeout {
        /// The time.
        limit: Duration,
        /// Whether the call waits for processes, so that a long time is no sign of trouble.
        takes_time: bool,
    },
    /// The daemon closed the connection without an answer.
    #[error("Remote end closed connection without response")]
    Closed,
    /// The peer does not speak HTTP.
    #[error("{0}")]
    Http(String),
    /// An HTTP status other than 200.
    #[error("{code} {reason}")]
    Status {
        /// The status code.
        code: u16,
        /// The reason phrase the server sent, or the usual one.
        reason: String,
    },
    /// The JSON API refuses; what its problem details say.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// Why.
        detail: String,
    },
    /// The answer is longer than a client accepts; the limit in bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The body is not an XML-RPC response.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The response is well-formed, but has the wrong type for this method.
    #[error("{method} answered something unexpected")]
    Shape {
        /// The method that was called.
        method: &'static str,
    },
    /// The daemon answered with a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ClientError {
    /// The fault, if the daemon answered with one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            ClientError::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether the daemon answered with this fault.
    pub fn is_fault(&self, code: FaultCode) -> bool {
        self.fault().is_some_and(|fault| fault.is(code))
    }

    /// Whether the answer has this HTTP status.
    pub fn is_status(&self, wanted: u16) -> bool {
        matches!(self, ClientError::Status { code, .. } if *code == wanted)
    }

    /// Whether what was asked for does not exist.
    pub fn is_missing(&self) -> bool {
        self.is_status(404) || matches!(self, ClientError::Refused { code: 404, .. })
    }

    /// Whether the daemon refused the credentials (HTTP status 401).
    pub fn is_unauthorized(&self) -> bool {
        self.is_status(401)
    }

    /// Whether a daemon that is being replaced, or started again, may answer so.
    pub fn is_passing(&self) -> bool {
        matches!(self, ClientError::Connect(_) | ClientError::Io(_) | ClientError::Closed | ClientError::Http(_))
    }

    /// The kind of a failed connection attempt.
    pub fn connect_kind(&self) -> Option<io::ErrorKind> {
        match self {
            ClientError::Connect(error) => Some(error.kind()),
            _ => None,
        }
    }
}
