//! The private protocol between our programs and the Python process for plug-ins: one JSON object per line.
//!
//! The first line carries the Python package itself, so that it need not be installed. After that, a request has an
//! `id`, chosen by its sender, and exactly one answer with the same `id`; both sides may have many requests open.
//! XML-RPC values travel as XML-RPC documents in strings.

mod package;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use package::{BOOTSTRAP, SOURCES};

/// The longest accepted line of the plug-in process, in bytes.
pub const MAX_LINE: usize = 64 << 20;

/// A section that names Python code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The text after the colon.
    pub name: String,
    /// `package.module:callable`.
    pub factory: String,
    /// All other options: keyword arguments of the factory.
    pub options: Vec<(String, String)>,
}

/// The connection settings of `supervisorctl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CtlSettings {
    /// `unix://PATH` or `http://HOST:PORT`.
    pub serverurl: String,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Whether questions may be asked.
    pub interactive: bool,
    /// The prompt of the shell.
    pub prompt: String,
}

/// A message to the plug-in process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum ToPlugins {
    /// Answered by `Resolved`: can these specifications be imported?
    Resolve { id: u64, specs: Vec<String> },
    /// Answered by `Serving`: create these RPC interfaces.
    Serve { id: u64, interfaces: Vec<Section> },
    /// Answered by `Answer`: call a method, given as a document.
    Call { id: u64, xml: String },
    /// Answered by `Judged`: call the result handler with this result (base64).
    Judge { id: u64, handler: String, event: &'static str, payload: String, result: String },
    /// An event to which a plug-in has subscribed.
    Event { name: &'static str, payload: String },
    /// Answered by `Controlling`: create these plug-ins of `supervisorctl`.
    Control { id: u64, plugins: Vec<Section>, settings: CtlSettings },
    /// Answered by `Acted`: run an action; `status` is the current exit status.
    Act { id: u64, name: String, argument: String, status: u8, settings: CtlSettings },
    /// Answered by `Acted`: print the help of an action.
    Explain { id: u64, topic: String },
    /// Answer to `Rpc`, and to a successful `Enlist` or `Discharge`: the document of a response.
    Answer { id: u64, xml: String },
    /// Answer to `Snapshot`.
    State { id: u64, state: serde_json::Value },
    /// Answer to `Define`: the definitions, in the format of the state.
    Defined { id: u64, processes: Vec<serde_json::Value> },
    /// Answer to `Define` and `Enlist` with invalid options.
    Refused { id: u64, text: String },
    /// Answer to `Perform` (`yes`: leave the shell) and `Upcheck` (`yes`: the daemon answers).
    Performed { id: u64, status: u8, yes: bool },
}

/// A message from the plug-in process.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum FromPlugins {
    /// For each specification the import error, or none.
    Resolved { id: u64, reasons: Vec<Option<String>> },
    /// The created interfaces.
    Serving { id: u64, interfaces: Vec<PluginInterface> },
    /// The document of a response: a result or a fault.
    Answer { id: u64, xml: String },
    /// The answer to this call will take long.
    Deferred { id: u64 },
    /// The result of a result handler.
    Judged { id: u64, verdict: HandlerResult, text: String },
    /// The created plug-ins, or the error.
    Controlling { id: u64, plugins: Vec<CtlPlugin>, error: Option<String> },
    /// The end of an action.
    Acted { id: u64, status: u8, leave: bool, error: Option<String>, unauthorized: bool },
    /// Answered by `Answer`: call a method of the daemon.
    Rpc { id: u64, xml: String },
    /// Answered by `State`.
    Snapshot { id: u64 },
    /// Answered by `Defined` or `Refused`: which processes does this section define?
    Define { id: u64, group: String, section: String, options: BTreeMap<String, String> },
    /// Answered by `Answer` or `Refused`: add the process `name` of this section to a group.
    Enlist { id: u64, group: String, name: String, section: String, options: BTreeMap<String, String> },
    /// Answered by `Answer`: remove a stopped process from its group.
    Discharge { id: u64, group: String, name: String },
    /// Answered by `Performed`: run this line as an action.
    Perform { id: u64, line: String },
    /// Answered by `Performed`: does the daemon answer?
    Upcheck { id: u64 },
    /// Write to the activity log; levels have the original's numbers, 50 for the most severe.
    Log { level: i64, text: String },
    /// The names of the events to which plug-ins subscribe from now on.
    Subscribe { events: Vec<String> },
}

/// The result of creating one RPC interface.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PluginInterface {
    /// The namespace.
    pub name: String,
    /// The listed methods; other methods may be callable, too.
    pub methods: Vec<Method>,
    /// The error, if it could not be created.
    pub error: Option<String>,
}

/// A listed method of a plug-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Method {
    /// Without its namespace.
    pub name: String,
    /// Its documentation.
    pub help: String,
    /// The types of its result and its parameters, if documented.
    pub signature: Option<Vec<String>>,
}

/// The result of a result handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandlerResult {
    /// The event was processed.
    Accepted,
    /// The event is to be sent again.
    Rejected,
    /// The handler itself failed.
    Failed,
}

/// A plug-in of `supervisorctl`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CtlPlugin {
    /// The name of its section.
    pub name: String,
    /// Its actions, sorted by name.
    pub actions: Vec<CtlAction>,
}

/// An action of a plug-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CtlAction {
    /// The name that users type.
    pub name: String,
    /// Whether it has a help text.
    pub documented: bool,
}

/// The line with the package, including its line feed.
pub fn package_line() -> String {
    let sources: BTreeMap<&str, &str> = SOURCES.into_iter().collect();
    format!("{}\n", serde_json::json!({ "sources": sources }))
}

impl ToPlugins {
    /// The message as a line, including its line feed.
    pub fn line(&self) -> String {
        // Serialization fails only for maps with non-string keys and failing writers; there are neither.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl FromPlugins {
    /// Parses the message of a line; the error describes the mistake.
    pub fn parse(line: &[u8]) -> Result<FromPlugins, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_exactly_one_line() {
        let message = ToPlugins::Call { id: 7, xml: "<a>\n\"\u{1}é</a>".into() };
        let line = message.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, serde_json::json!({"op": "call", "id": 7, "xml": "<a>\n\"\u{1}é</a>"}));
    }

    #[test]
    fn the_package_is_one_line_and_has_its_parts() {
        let line = package_line();
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        for module in ["supervisor", "supervisor.plugin_process", "supervisor.childutils"] {
            assert!(read["sources"][module].is_string(), "{module}");
        }
    }

    #[test]
    fn answers_are_read() {
        let line = br#"{"op":"judged","id":3,"verdict":"rejected","text":"","more":1}"#;
        let expected = FromPlugins::Judged { id: 3, verdict: HandlerResult::Rejected, text: String::new() };
        assert_eq!(FromPlugins::parse(line), Ok(expected));
        let line = br#"{"op":"serving","id":1,"interfaces":[{"name":"x","methods":[],"error":null}]}"#;
        assert!(matches!(FromPlugins::parse(line), Ok(FromPlugins::Serving { id: 1, .. })));
    }

    #[test]
    fn invalid_lines_are_refused() {
        for line in [&b""[..], b"\xff", b"{}", b"[]", b"{\"op\":\"nope\"}", b"{\"op\":\"rpc\",\"id\":-1,\"xml\":\"\"}"]
        {
            assert!(FromPlugins::parse(line).is_err(), "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_a_panic(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = FromPlugins::parse(&line);
        }
    }
}
