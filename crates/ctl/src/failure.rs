//! Failures that end an action, with the messages that scripts expect.
//!
//! Standard output has the beginning of the original's line, including Python class names; [`crate::diagnosis`]
//! explains the reason on standard error.

use std::io;

use supervisord_config::host::reason;
use supervisord_config::pyrepr::repr;
use supervisord_wire::fault::Fault;

use crate::client::ClientError;

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The daemon did not answer, or answered with a fault for which the action has no message.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A result code for which the action has no message.
    #[error("Unknown result code {code} for {name}")]
    UnknownResult {
        /// The code.
        code: i64,
        /// The process.
        name: String,
    },
    /// Standard input ended while a question was open.
    #[error("EOF when reading a line")]
    EndOfInput,
    /// Input or output of this program itself failed.
    #[error("{0}")]
    Local(#[from] io::Error),
}

impl Failure {
    /// The line for standard output.
    pub fn line(&self) -> String {
        let (class, text) = self.class_and_text();
        format!("error: <class '{class}'>, {text}")
    }

    /// The class the original names and its rendering of the failure.
    fn class_and_text(&self) -> (&'static str, String) {
        match self {
            Failure::Client(error) => client_error(error),
            Failure::UnknownResult { .. } => ("ValueError", self.to_string()),
            Failure::EndOfInput => ("EOFError", self.to_string()),
            Failure::Local(error) => system_error(error),
        }
    }
}

/// The description of a failed log stream after `Cannot connect, error: `.
pub fn stream_error(error: &ClientError) -> String {
    let (class, text) = client_error(error);
    format!("<class '{class}'> ({text})")
}

/// A fault as the original shows it: `<Fault 10: 'BAD_NAME: x'>`.
pub fn fault(fault: &Fault) -> String {
    format!("<Fault {}: {}>", fault.code, repr(&fault.text))
}

fn client_error(error: &ClientError) -> (&'static str, String) {
    match error {
        ClientError::Url(_) => ("ValueError", error.to_string()),
        ClientError::Resolve(text) => ("socket.gaierror", format!("[Errno {}] {text}", resolver_number(text))),
        ClientError::Connect(error) | ClientError::Io(error) => system_error(error),
        ClientError::Tls(text) => ("ssl.SSLError", text.clone()),
        ClientError::Timeout { .. } => ("TimeoutError", error.to_string()),
        ClientError::Closed => ("http.client.RemoteDisconnected", error.to_string()),
        ClientError::Http(text) => ("http.client.BadStatusLine", text.clone()),
        ClientError::Status { code, reason } => {
            let text = format!("<ProtocolError for 127.0.0.1/RPC2: {code} {reason}>");
            ("xmlrpc.client.ProtocolError", text)
        }
        ClientError::Refused { .. } => ("xmlrpc.client.ProtocolError", error.to_string()),
        ClientError::TooLong(_) => ("MemoryError", error.to_string()),
        ClientError::Decode(_) => ("xml.parsers.expat.ExpatError", error.to_string()),
        ClientError::Shape { .. } => ("xmlrpc.client.ResponseError", error.to_string()),
        ClientError::Fault(refusal) => ("xmlrpc.client.Fault", fault(refusal)),
    }
}

fn system_error(error: &io::Error) -> (&'static str, String) {
    let class = match error.kind() {
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::NotADirectory => "NotADirectoryError",
        io::ErrorKind::IsADirectory => "IsADirectoryError",
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::ConnectionAborted => "ConnectionAbortedError",
        io::ErrorKind::BrokenPipe => "BrokenPipeError",
        io::ErrorKind::TimedOut => "TimeoutError",
        io::ErrorKind::Interrupted => "InterruptedError",
        io::ErrorKind::UnexpectedEof => "http.client.IncompleteRead",
        _ => "OSError",
    };
    (class, system_text(error))
}

/// `[Errno 2] No such file or directory`.
fn system_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("[Errno {number}] {}", reason(error)),
        None => error.to_string(),
    }
}

/// The resolver's error number for its most common texts; std passes on only the text.
fn resolver_number(text: &str) -> i32 {
    match text {
        "Temporary failure in name resolution" => -3,
        "Non-recoverable failure in name resolution" => -4,
        "No address associated with hostname" => -5,
        _ => -2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ServerUrl;

    fn line(error: ClientError) -> String {
        Failure::from(error).line()
    }

    #[test]
    fn faults_show_code_and_quoted_text() {
        let shutdown = Fault { code: 6, text: "SHUTDOWN_STATE".into() };
        assert_eq!(
            line(ClientError::Fault(shutdown)),
            "error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>"
        );
        let reread = Fault { code: 92, text: "CANT_REREAD: can't read".into() };
        assert_eq!(fault(&reread), "<Fault 92: \"CANT_REREAD: can't read\">");
    }

    #[test]
    fn system_errors_show_number_and_text() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(line(ClientError::Connect(refused)).starts_with("error: <class 'ConnectionRefusedError'>, "));
        assert_eq!(
            line(ClientError::Connect(io::Error::from_raw_os_error(2))),
            "error: <class 'FileNotFoundError'>, [Errno 2] No such file or directory"
        );
    }

    #[test]
    fn other_failures_have_their_classes() {
        let url = ServerUrl::parse("ftp://x").unwrap_err();
        assert_eq!(line(url.into()), "error: <class 'ValueError'>, Unknown protocol for serverurl ftp://x");
        assert_eq!(
            line(ClientError::Status { code: 500, reason: "Internal Server Error".into() }),
            "error: <class 'xmlrpc.client.ProtocolError'>, <ProtocolError for 127.0.0.1/RPC2: 500 Internal Server Error>"
        );
        assert_eq!(
            line(ClientError::Resolve("Name or service not known".into())),
            "error: <class 'socket.gaierror'>, [Errno -2] Name or service not known"
        );
        let unknown = Failure::UnknownResult { code: 30, name: "cat".into() };
        assert_eq!(unknown.line(), "error: <class 'ValueError'>, Unknown result code 30 for cat");
    }
}
