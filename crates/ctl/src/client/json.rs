//! The JSON API of the daemon: what XML-RPC does not tell.

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use supervisord_config::model::UpdateMode;
use supervisord_config::scale::WantedCount;

use super::Client;
use super::connection::{self, Connection};
use super::error::ClientError;
use super::event_stream::EventStream;
use super::follow::LogStream;
use super::program::{Explanation, ProgramStatus, StartResult};

const PROGRAMS: &str = "/api/v1/programs";
const ACTIONS: &str = "/api/v1/programs/actions";
const DISABLED: &str = "/api/v1/programs/disabled";
const CHANGES: &str = "/api/v1/changes";
const DAEMON: &str = "/api/v1/daemon";
const CONFIG: &str = "/api/v1/config";
const EVENTS: &str = "/api/v1/events";

/// Where a stream goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the JSON API knows of programs. A daemon without it, such as that of Supervisor 4.3.0, answers with the HTTP status 404.
impl Client {
    /// All programs of the active groups, by group and name.
    pub fn programs(&mut self) -> Result<Vec<ProgramStatus>, ClientError> {
        let listed: Value = self.get(PROGRAMS, PROGRAMS)?;
        let shape = || ClientError::Shape { method: PROGRAMS };
        let programs = listed.get("programs").and_then(Value::as_array).ok_or_else(shape)?;
        programs.iter().map(|program| ProgramStatus::from_json(program).ok_or_else(shape)).collect()
    }

    /// One program; none where there is no such program.
    pub fn program(&mut self, group: &str, name: &str) -> Result<Option<ProgramStatus>, ClientError> {
        match self.get::<Value>(&path_of(group, name), PROGRAMS) {
            Ok(program) => ProgramStatus::from_json(&program).map(Some).ok_or(ClientError::Shape { method: PROGRAMS }),
            Err(error) if error.is_status(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why a program is in its state.
    pub fn why(&mut self, group: &str, name: &str) -> Result<Explanation, ClientError> {
        self.get(&format!("{}/why", path_of(group, name)), PROGRAMS)
    }

    /// Starts the programs with these names, each as soon as what it depends on allows it, and answers when all run or cannot.
    pub fn start_programs(&mut self, names: &[String]) -> Result<Vec<StartResult>, ClientError> {
        let body = json!({ "action": "start", "select": names }).to_string();
        let credentials = self.credentials.as_ref();
        let mut request = connection::request(&self.url, credentials, Method::POST, ACTIONS, body.into())?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut document = Vec::new();
        self.send(request, true, |piece| document.extend_from_slice(piece))?;
        let shape = || ClientError::Shape { method: ACTIONS };
        let mut answer: Value = serde_json::from_slice(&document).map_err(|_| shape())?;
        serde_json::from_value(answer["results"].take()).map_err(|_| shape())
    }

    /// The daemon.
    pub fn daemon(&mut self) -> Result<Value, ClientError> {
        self.get(DAEMON, DAEMON)
    }

    /// A stream with an event at its beginning and whenever something has changed.
    pub fn changes(&self) -> Result<EventStream, ClientError> {
        self.stream(CHANGES, None)
    }

    /// What happens from now on, or what has happened since the event with this id and goes on. The stream begins with an event
    /// that has no name, and says where it begins, or with one that is named `gap`: then events are missing.
    pub fn events(&self, after: Option<&str>) -> Result<EventStream, ClientError> {
        self.stream(EVENTS, after)
    }

    /// Like [`Client::events`], with an event `usage` every so many seconds: what programs use of the machine.
    pub fn usage(&self, every: u32) -> Result<EventStream, ClientError> {
        self.stream(&format!("{EVENTS}?usage={every}"), None)
    }

    pub(super) fn stream(&self, path: &str, after: Option<&str>) -> Result<EventStream, ClientError> {
        let credentials = self.credentials.as_ref();
        let mut request = connection::request(&self.url, credentials, Method::GET, path, Bytes::new())?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = after.and_then(|id| HeaderValue::try_from(id).ok()) {
            request.headers_mut().insert(LAST_EVENT_ID, id);
        }
        let mut wait = self.wait_policy.wait(false);
        let answer = Connection::open(&self.url, &self.tls, &mut wait)?.open_body(request, &mut wait)?;
        Ok(EventStream::new(LogStream::new(answer)))
    }

    pub(super) fn get<T: DeserializeOwned>(&mut self, path: &str, method: &'static str) -> Result<T, ClientError> {
        let request = connection::request(&self.url, self.credentials.as_ref(), Method::GET, path, Bytes::new())?;
        let mut document = Vec::new();
        self.send(request, false, |piece| document.extend_from_slice(piece))?;
        serde_json::from_slice(&document).map_err(|_| ClientError::Shape { method })
    }
}

/// Several programs at once.
impl Client {
    /// Does something with the programs that selectors stand for.
    pub fn act_on(&mut self, action: &str, select: &[&str]) -> Result<Value, ClientError> {
        self.post(ACTIONS, &json!({ "action": action, "select": select }))
    }

    /// The disabled programs, those among them that no active group has.
    pub fn disabled(&mut self) -> Result<Value, ClientError> {
        self.get(DISABLED, DISABLED)
    }

    /// Restarts the programs that selectors stand for, so many at a time (`2` or `25%`), until the first fails.
    pub fn restart_rolling(&mut self, select: &[&str], rolling: &str) -> Result<Value, ClientError> {
        let body = json!({ "action": "restart", "select": select, "rolling": rolling });
        self.post(&format!("{PROGRAMS}/actions"), &body)
    }
}

/// The configuration.
impl Client {
    /// What an update to the configuration on disk would do, of all groups or of those that are named. Without a mode it is that
    /// of the file.
    pub fn plan_update(&mut self, mode: Option<UpdateMode>, groups: &[&str]) -> Result<Value, ClientError> {
        self.post(&format!("{CONFIG}/plan"), &update_options(mode, groups))
    }

    /// Gives a program another number of processes.
    pub fn scale(&mut self, program: &str, wanted: WantedCount, persists: bool) -> Result<Value, ClientError> {
        let mut body = json!({ "program": program, "persist": persists });
        match wanted {
            WantedCount::Exactly(number) => body["numprocs"] = number.into(),
            WantedCount::Change(change) => body["by"] = change.into(),
        }
        self.post(&format!("{CONFIG}/scale"), &body)
    }

    /// Makes the configuration on disk active.
    pub fn update(&mut self, mode: UpdateMode, groups: &[&str]) -> Result<Value, ClientError> {
        self.post(&format!("{CONFIG}/update"), &update_options(Some(mode), groups))
    }

    /// Sends an object, and gives the one that is answered, however long that takes.
    fn post(&mut self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let body = Bytes::from(body.to_string());
        let mut request = connection::request(&self.url, self.credentials.as_ref(), Method::POST, path, body)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut document = Vec::new();
        self.send(request, true, |piece| document.extend_from_slice(piece))?;
        serde_json::from_slice(&document).map_err(|_| ClientError::Shape { method: CONFIG })
    }
}

fn update_options(mode: Option<UpdateMode>, groups: &[&str]) -> Value {
    match mode {
        Some(mode) => json!({ "mode": mode.word(), "groups": groups }),
        None => json!({ "groups": groups }),
    }
}

pub(super) fn path_of(group: &str, name: &str) -> String {
    format!("{PROGRAMS}/{}/{}", segment(group), segment(name))
}

/// A name as a segment of a path.
pub(super) fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'a'..=b'z' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_segments() {
        assert_eq!(path_of("web", "web_1"), "/api/v1/programs/web/web_1");
        assert_eq!(path_of("a/b", "ü %"), "/api/v1/programs/a%2Fb/%C3%BC%20%25");
    }
}
