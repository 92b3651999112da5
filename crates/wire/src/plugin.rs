//! The private line between our programs and the Python process that runs plug-ins: one JSON object per line.
//!
//! The first line carries the Python package itself, so that nothing need be installed. After that, a question has an
//! `id`, chosen by who asks, and exactly one answer of the same `id`; both sides may have many questions open. Values
//! of XML-RPC travel as XML-RPC documents within a string.

mod package;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use package::{BOOTSTRAP, SOURCES};

/// The longest line that is accepted from the plug-in process, in bytes.
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

/// How `supervisorctl` reaches the daemon at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// `unix://PATH` or `http://HOST:PORT`.
    pub serverurl: String,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Whether there is somebody to ask.
    pub interactive: bool,
    /// What the prompt of the shell begins with.
    pub prompt: String,
}

/// What we tell the plug-in process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum ToPlugins {
    /// Answered by `Resolved`: which of these specifications can be imported?
    Resolve { id: u64, specs: Vec<String> },
    /// Answered by `Serving`: make these RPC interfaces.
    Serve { id: u64, interfaces: Vec<Section> },
    /// Answered by `Answer`: the document of a method call.
    Call { id: u64, xml: String },
    /// Answered by `Judged`: what does the result handler say to this result (base64)?
    Judge { id: u64, handler: String, event: &'static str, payload: String, result: String },
    /// Something happened that somebody subscribed to.
    Event { name: &'static str, payload: String },
    /// Answered by `Controlling`: make these plug-ins of `supervisorctl`.
    Control { id: u64, plugins: Vec<Section>, settings: Settings },
    /// Answered by `Acted`: run an action; `status` is the exit status so far.
    Act { id: u64, name: String, argument: String, status: u8, settings: Settings },
    /// Answered by `Acted`: print the help of an action.
    Explain { id: u64, topic: String },
    /// Answer to `Rpc`, and to an `Enlist` or `Discharge` that was carried out: the document of a response.
    Answer { id: u64, xml: String },
    /// Answer to `Snapshot`.
    State { id: u64, state: serde_json::Value },
    /// Answer to `Define`: the definitions, as in the state.
    Defined { id: u64, processes: Vec<serde_json::Value> },
    /// Answer to `Define` and `Enlist` where the options are no definition.
    Refused { id: u64, text: String },
    /// Answer to `Perform` (`yes`: leave the shell) and `Upcheck` (`yes`: it is up).
    Performed { id: u64, status: u8, yes: bool },
}

/// What the plug-in process tells us.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum FromPlugins {
    /// For each specification why it cannot be imported; none where it can.
    Resolved { id: u64, reasons: Vec<Option<String>> },
    /// The interfaces that were to be made.
    Serving { id: u64, interfaces: Vec<Interface> },
    /// The document of a response, be it a result or a fault.
    Answer { id: u64, xml: String },
    /// The answer to this call will take its time.
    Deferred { id: u64 },
    /// What a result handler said.
    Judged { id: u64, verdict: Verdict, text: String },
    /// The plug-ins that were made, or why they could not be.
    Controlling { id: u64, plugins: Vec<Controller>, error: Option<String> },
    /// An action is done.
    Acted { id: u64, status: u8, leave: bool, error: Option<String>, unauthorized: bool },
    /// Answered by `Answer`: a call of a method of the daemon.
    Rpc { id: u64, xml: String },
    /// Answered by `State`.
    Snapshot { id: u64 },
    /// Answered by `Defined` or `Refused`: what would this section define?
    Define { id: u64, group: String, section: String, options: BTreeMap<String, String> },
    /// Answered by `Answer` or `Refused`: add the process `name` of this section to a group.
    Enlist { id: u64, group: String, name: String, section: String, options: BTreeMap<String, String> },
    /// Answered by `Answer`: take a stopped process out of its group.
    Discharge { id: u64, group: String, name: String },
    /// Answered by `Performed`: run this line as an action.
    Perform { id: u64, line: String },
    /// Answered by `Performed`: is there a daemon?
    Upcheck { id: u64 },
    /// Write to the activity log; levels have the numbers of the original, 50 for the most severe.
    Log { level: i64, text: String },
    /// Names of the events that are wanted from now on.
    Subscribe { events: Vec<String> },
}

/// What became of one RPC interface.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Interface {
    /// The namespace.
    pub name: String,
    /// The methods that are listed; there may be others that can be called.
    pub methods: Vec<Method>,
    /// Why it could not be made.
    pub error: Option<String>,
}

/// A listed method of a plug-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Method {
    /// Without its namespace.
    pub name: String,
    /// Its documentation.
    pub help: String,
    /// The types of its result and its parameters, where the documentation has them.
    pub signature: Option<Vec<String>>,
}

/// What a result handler said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The event was processed.
    Accepted,
    /// The event is to be offered again.
    Rejected,
    /// The handler itself failed.
    Failed,
}

/// A plug-in of `supervisorctl`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Controller {
    /// The name of its section.
    pub name: String,
    /// Its actions, sorted by name.
    pub actions: Vec<Action>,
}

/// An action of a plug-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Action {
    /// What people type.
    pub name: String,
    /// Whether there is help.
    pub documented: bool,
}

/// The line that carries the package, with its line feed.
pub fn package_line() -> String {
    let sources: BTreeMap<&str, &str> = SOURCES.into_iter().collect();
    format!("{}\n", serde_json::json!({ "sources": sources }))
}

impl ToPlugins {
    /// The message as a line, with its line feed.
    pub fn line(&self) -> String {
        // Only maps whose keys are no strings, and failing sinks, can fail; there is neither.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl FromPlugins {
    /// The message of a line; the error says what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<FromPlugins, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_once_whatever_they_carry() {
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
        let expected = FromPlugins::Judged { id: 3, verdict: Verdict::Rejected, text: String::new() };
        assert_eq!(FromPlugins::parse(line), Ok(expected));
        let line = br#"{"op":"serving","id":1,"interfaces":[{"name":"x","methods":[],"error":null}]}"#;
        assert!(matches!(FromPlugins::parse(line), Ok(FromPlugins::Serving { id: 1, .. })));
    }

    #[test]
    fn nonsense_is_refused() {
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
