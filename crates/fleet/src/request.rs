//! What is asked of a host, and what it answers: one JSON object each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::log_place::SentLogPlace;
use crate::report::MAX_MESSAGE;
use crate::subjects::FleetRole;

/// The most selectors of programs in one request.
pub const MAX_SELECTORS: usize = 64;
/// The longest selector or name, in bytes.
const MAX_SELECTOR: usize = 512;
/// The length of an id, in hexadecimal digits.
const ID_DIGITS: usize = 32;

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetRequest {
    /// 32 hexadecimal digits that belong to this request alone. Whoever asks again sends the same.
    pub id: String,
    /// When it must not be begun any more, in milliseconds since the epoch.
    pub deadline: u64,
    /// What is asked for.
    #[serde(flatten)]
    pub verb: FleetVerb,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum FleetVerb {
    /// The programs that are selected; all without a selector.
    Status {
        /// Selectors of programs.
        #[serde(default)]
        select: Vec<String>,
    },
    /// Why programs are in their states.
    Why {
        /// Selectors of programs.
        #[serde(default)]
        select: Vec<String>,
    },
    /// The end of logs, and what follows it as long as somebody asks again.
    Logs {
        /// Selectors of programs.
        select: Vec<String>,
        /// `stdout` or `stderr`.
        channel: LogChannel,
        /// How many bytes of what there is.
        tail: u32,
        /// Whether what is appended is sent, too.
        follow: bool,
        /// How far logs have been read: these go on there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        places: BTreeMap<String, SentLogPlace>,
    },
    /// Starts programs.
    Start {
        /// Selectors of programs.
        select: Vec<String>,
    },
    /// Stops programs.
    Stop {
        /// Selectors of programs.
        select: Vec<String>,
    },
    /// Restarts programs.
    Restart {
        /// Selectors of programs.
        select: Vec<String>,
    },
    /// Stops programs, and has nothing start them.
    Disable {
        /// Selectors of programs.
        select: Vec<String>,
    },
    /// Lets programs be started again.
    Enable {
        /// Selectors of programs; what is disabled and no longer configured is among those they stand for.
        select: Vec<String>,
    },
    /// Gives a program another number of processes.
    Scale {
        /// The name of the program.
        program: String,
        /// How many processes.
        #[serde(flatten)]
        size: ProgramSize,
    },
}

/// How many processes a program is to have on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramSize {
    /// So many.
    Numprocs(i64),
    /// So many more, or fewer.
    By(i64),
}

/// What a host has its daemon do.
#[derive(Clone, Debug, PartialEq)]
pub struct DaemonAction {
    /// The path of the JSON API.
    pub path: &'static str,
    /// What is sent there.
    pub body: Value,
    /// The member of the answer that is the result.
    pub result: &'static str,
}

/// A stream of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogChannel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum FleetAnswer {
    /// It has been taken and is being done: another answer follows.
    Accepted,
    /// It was done; what that tells depends on the verb.
    Done {
        /// The result.
        result: Value,
    },
    /// It was not done, or it is not known whether it was.
    Refused {
        /// Which kind of refusal.
        reason: FleetRefusal,
        /// In words.
        detail: String,
    },
    /// A piece of a followed log.
    Log(LogPiece),
}

/// A piece of a followed log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// The program.
    pub program: String,
    /// What it wrote.
    pub text: String,
    /// How many bytes before this were left out, because the log grows faster than a host may send.
    #[serde(default)]
    pub dropped: u64,
    /// Whether more before this is gone, and nobody knows how much.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gap: bool,
    /// Where the piece before this ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SentLogPlace>,
    /// Where this one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<SentLogPlace>,
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetRefusal {
    /// The role does not include it.
    NotPermitted,
    /// Its deadline has passed.
    Expired,
    /// Its deadline is further away than a host remembers ids.
    TooFar,
    /// It was begun, and the agent ended before it knew the result.
    InDoubt,
    /// The same request is being done.
    InProgress,
    /// The host has too much to do.
    Busy,
    /// It cannot be understood.
    Malformed,
    /// The agent does not reach its daemon.
    NoDaemon,
    /// The host has no such program.
    UnknownProgram,
    /// The daemon refuses.
    Daemon,
}

impl FleetRequest {
    /// Reads a request, or says what is wrong with it.
    pub fn read(message: &[u8]) -> Result<FleetRequest, String> {
        if message.len() > MAX_MESSAGE {
            return Err(format!("a request has {MAX_MESSAGE} bytes at the most"));
        }
        let request: FleetRequest = serde_json::from_slice(message).map_err(|error| error.to_string())?;
        if request.id.len() != ID_DIGITS || !request.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("an id has {ID_DIGITS} hexadecimal digits"));
        }
        let select = request.verb.select();
        if select.len() > MAX_SELECTORS || select.iter().any(|text| text.len() > MAX_SELECTOR) {
            return Err(format!("a request has {MAX_SELECTORS} selectors of {MAX_SELECTOR} bytes at the most"));
        }
        if let FleetVerb::Logs { places, .. } = &request.verb
            && (places.len() > MAX_SELECTORS || places.keys().any(|program| program.len() > MAX_SELECTOR))
        {
            return Err(format!("a request has {MAX_SELECTORS} places in logs at the most"));
        }
        Ok(request)
    }

    /// The message that carries it.
    pub fn message(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl FleetVerb {
    /// The role that it needs.
    pub const fn needs(&self) -> FleetRole {
        match self {
            FleetVerb::Status { .. } | FleetVerb::Why { .. } | FleetVerb::Logs { .. } => FleetRole::Viewer,
            FleetVerb::Start { .. }
            | FleetVerb::Stop { .. }
            | FleetVerb::Restart { .. }
            | FleetVerb::Disable { .. }
            | FleetVerb::Enable { .. }
            | FleetVerb::Scale { .. } => FleetRole::Operator,
        }
    }

    /// What the daemon is to do with these programs; none for what only reads.
    pub fn action(&self, select: &[String]) -> Option<DaemonAction> {
        let action = match self {
            FleetVerb::Status { .. } | FleetVerb::Why { .. } | FleetVerb::Logs { .. } => return None,
            FleetVerb::Scale { program, size } => {
                let mut body = serde_json::json!({ "program": program });
                match size {
                    ProgramSize::Numprocs(number) => body["numprocs"] = (*number).into(),
                    ProgramSize::By(change) => body["by"] = (*change).into(),
                }
                return Some(DaemonAction { path: "/api/v1/config/scale", body, result: "steps" });
            }
            FleetVerb::Start { .. } => "start",
            FleetVerb::Stop { .. } => "stop",
            FleetVerb::Restart { .. } => "restart",
            FleetVerb::Disable { .. } => "disable",
            FleetVerb::Enable { .. } => "enable",
        };
        let body = serde_json::json!({ "action": action, "select": select, "wait": true });
        Some(DaemonAction { path: "/api/v1/programs/actions", body, result: "results" })
    }

    /// The selectors of programs.
    pub fn select(&self) -> &[String] {
        match self {
            FleetVerb::Status { select }
            | FleetVerb::Why { select }
            | FleetVerb::Logs { select, .. }
            | FleetVerb::Start { select }
            | FleetVerb::Stop { select }
            | FleetVerb::Restart { select }
            | FleetVerb::Disable { select }
            | FleetVerb::Enable { select } => select,
            FleetVerb::Scale { program, .. } => std::slice::from_ref(program),
        }
    }
}

impl FleetAnswer {
    /// A refusal.
    pub fn refused(reason: FleetRefusal, detail: impl Into<String>) -> FleetAnswer {
        let mut detail = detail.into();
        crate::report::bound(&mut detail);
        FleetAnswer::Refused { reason, detail }
    }

    /// Reads an answer; what is none counts as a refusal, so that nobody waits for another.
    pub fn read(message: &[u8]) -> FleetAnswer {
        if message.len() > MAX_MESSAGE {
            return FleetAnswer::refused(FleetRefusal::Malformed, "the answer is too long");
        }
        serde_json::from_slice(message)
            .unwrap_or_else(|_| FleetAnswer::refused(FleetRefusal::Malformed, "the answer cannot be understood"))
    }

    /// The message that carries it.
    pub fn message(&self) -> Vec<u8> {
        let message = serde_json::to_vec(self).unwrap_or_default();
        if message.len() <= MAX_MESSAGE {
            return message;
        }
        let told = "the answer is longer than a message may be: ask for fewer programs";
        serde_json::to_vec(&FleetAnswer::refused(FleetRefusal::Busy, told)).unwrap_or_default()
    }

    /// Whether another answer follows.
    pub const fn is_interim(&self) -> bool {
        matches!(self, FleetAnswer::Accepted | FleetAnswer::Log(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(verb: FleetVerb) -> FleetRequest {
        FleetRequest { id: "0123456789abcdef0123456789abcdef".to_owned(), deadline: 7, verb }
    }

    #[test]
    fn a_request_is_one_flat_object() {
        let request = request(FleetVerb::Restart { select: vec!["web:*".to_owned()] });
        let text = String::from_utf8(request.message()).unwrap();
        let id = &request.id;
        assert_eq!(text, format!(r#"{{"id":"{id}","deadline":7,"verb":"restart","select":["web:*"]}}"#));
        assert_eq!(FleetRequest::read(text.as_bytes()), Ok(request));
    }

    #[test]
    fn a_scale_has_a_number_or_a_change() {
        for (size, text) in [(ProgramSize::Numprocs(4), r#""numprocs":4"#), (ProgramSize::By(-1), r#""by":-1"#)] {
            let request = request(FleetVerb::Scale { program: "web".to_owned(), size });
            let sent = String::from_utf8(request.message()).unwrap();
            assert!(sent.ends_with(&format!(r#""verb":"scale","program":"web",{text}}}"#)), "{sent}");
            assert_eq!(FleetRequest::read(sent.as_bytes()), Ok(request.clone()));
            let action = request.verb.action(&[]).unwrap();
            assert!(action.body.to_string().contains(text), "{action:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many = request(FleetVerb::Start { select: vec![String::new(); MAX_SELECTORS + 1] });
        let long = request(FleetVerb::Start { select: vec!["x".repeat(MAX_SELECTOR + 1)] });
        let id = FleetRequest { id: "../../x".to_owned(), ..request(FleetVerb::Status { select: vec![] }) };
        for bad in [many, long, id] {
            assert!(FleetRequest::read(&bad.message()).is_err());
        }
        let huge = FleetAnswer::Done { result: "x".repeat(MAX_MESSAGE).into() };
        let sent = FleetAnswer::read(&huge.message());
        assert!(matches!(sent, FleetAnswer::Refused { reason: FleetRefusal::Busy, .. }), "{sent:?}");
    }

    #[test]
    fn only_reading_needs_no_operator() {
        let select = || vec!["a".to_owned()];
        assert_eq!(FleetVerb::Why { select: select() }.needs(), FleetRole::Viewer);
        assert_eq!(FleetVerb::Why { select: select() }.action(&select()), None);
        let scale = FleetVerb::Scale { program: "a".to_owned(), size: ProgramSize::By(-1) };
        for verb in [
            FleetVerb::Start { select: select() },
            FleetVerb::Stop { select: select() },
            FleetVerb::Disable { select: select() },
            FleetVerb::Enable { select: select() },
            scale,
        ] {
            assert!(verb.needs() == FleetRole::Operator && verb.action(&select()).is_some(), "{verb:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FleetRequest::read(&bytes);
            prop_assert!(!FleetAnswer::read(&bytes).is_interim() || serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }
}
