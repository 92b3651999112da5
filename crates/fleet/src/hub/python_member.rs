//! Daemons of the original as members: the hub asks them by XML-RPC, because they tell nothing by themselves.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use supervisord_wire::info::ProcessInfo;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{decode_response, encode_call};

use crate::daemon_link::exchange;
use crate::host_name::HostName;
use crate::report::{HostInventory, MAX_PROGRAMS, ProgramReport};

/// How long it may take, for a list, for the beginning of a start and for an action.
const LIST_WITHIN: Duration = Duration::from_secs(5);
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
const ACT_WITHIN: Duration = Duration::from_secs(60);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// One daemon.
pub(super) struct PythonMember {
    name: HostName,
    host: String,
    port: u16,
    /// The header that logs in.
    login: Option<String>,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// The daemon has not got it.
    NotSent(String),
    /// The daemon may have got it, and may do it later.
    NoAnswer(String),
    /// The daemon refuses.
    Refused(String),
}

/// Reads a file with a line for each daemon: name and address.
pub(super) fn read(text: &str) -> Result<Vec<PythonMember>, String> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            member(line).ok_or_else(|| format!("--python, line {number}: write NAME http://[USER:PASSWORD@]HOST:PORT"))
        })
        .collect()
}

fn member(line: &str) -> Option<PythonMember> {
    let (name, url) = line.split_once(char::is_whitespace)?;
    let rest = url.trim().strip_prefix("http://")?.trim_end_matches('/');
    let (login, address) = match rest.rsplit_once('@') {
        Some((login, address)) => (Some(format!("Basic {}", STANDARD.encode(login))), address),
        None => (None, rest),
    };
    let (host, port) = address.rsplit_once(':')?;
    let name = HostName::parse(name).ok()?;
    Some(PythonMember { name, host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()?, login })
}

impl PythonMember {
    pub(super) fn name(&self) -> &HostName {
        &self.name
    }

    /// What it runs.
    pub(super) async fn list(&self) -> Result<HostInventory, CallFailure> {
        let text = |value: Value| value.into_text().unwrap_or_default();
        let identifier = text(self.call("supervisor.getIdentification", &[], LIST_WITHIN).await?);
        let version = text(self.call("supervisor.getSupervisorVersion", &[], LIST_WITHIN).await?);
        let Value::Array(listed) = self.call("supervisor.getAllProcessInfo", &[], LIST_WITHIN).await? else {
            return Err(CallFailure::NoAnswer("the daemon answers no list".to_owned()));
        };
        let programs = listed.into_iter().take(MAX_PROGRAMS).filter_map(ProcessInfo::from_value).map(report).collect();
        Ok(HostInventory { identifier, version: format!("Supervisor {version}"), programs, ..HostInventory::default() })
    }

    /// Whether it answers at all.
    pub(super) async fn answers(&self) -> Result<(), CallFailure> {
        self.call("supervisor.getState", &[], LIST_WITHIN).await.map(drop)
    }

    /// Stops a program, and waits until it has stopped.
    pub(super) async fn stop(&self, program: &str) -> Result<(), CallFailure> {
        self.act("supervisor.stopProcess", program).await
    }

    /// Starts a program, and waits until it runs.
    pub(super) async fn start(&self, program: &str) -> Result<(), CallFailure> {
        self.act("supervisor.startProcess", program).await
    }

    /// Has a program begin to start, without a wait until it runs.
    pub(super) async fn begin_start(&self, program: &str) -> Result<(), CallFailure> {
        let parameters = [Value::Str(program.to_owned()), Value::Bool(false)];
        self.call("supervisor.startProcess", &parameters, BEGIN_WITHIN).await.map(drop)
    }

    async fn act(&self, method: &str, program: &str) -> Result<(), CallFailure> {
        let parameters = [Value::Str(program.to_owned()), Value::Bool(true)];
        self.call(method, &parameters, ACT_WITHIN).await.map(drop)
    }

    async fn call(&self, method: &str, parameters: &[Value], limit: Duration) -> Result<Value, CallFailure> {
        let is_sent = Cell::new(false);
        let asked = async {
            let not_sent = |text: String| CallFailure::NotSent(text);
            let socket = tokio::net::TcpStream::connect((self.host.as_str(), self.port)).await;
            let socket = socket.map_err(|error| not_sent(error.to_string()))?;
            let mut request = Request::post("/RPC2")
                .header(HOST, format!("{}:{}", self.host, self.port))
                .header(CONTENT_TYPE, "text/xml");
            if let Some(login) = &self.login {
                request = request.header(AUTHORIZATION, login);
            }
            let body = Full::new(Bytes::from(encode_call(method, parameters)));
            let request = request.body(body).map_err(|error| not_sent(error.to_string()))?;
            is_sent.set(true);
            let no_answer = |text: String| CallFailure::NoAnswer(text);
            let response = exchange(socket, request).await.map_err(|failure| no_answer(failure.to_string()))?;
            if !response.status().is_success() {
                return Err(CallFailure::Refused(format!("HTTP status {}", response.status())));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| no_answer(error.to_string()))?.to_bytes();
            let answered = decode_response(&body).map_err(|_| no_answer("no XML-RPC".to_owned()))?;
            answered.map_err(|fault| CallFailure::Refused(fault.text))
        };
        let late = || "no answer in time".to_owned();
        tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| {
            Err(if is_sent.get() { CallFailure::NoAnswer(late()) } else { CallFailure::NotSent(late()) })
        })
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (CallFailure::NotSent(text) | CallFailure::NoAnswer(text) | CallFailure::Refused(text)) = self;
        f.write_str(text)
    }
}

fn report(info: ProcessInfo) -> ProgramReport {
    let state = info.state.name();
    // XML-RPC does not tell what was asked for: what was given up should run.
    let is_wanted = !["STOPPED", "STOPPING", "EXITED"].contains(&state);
    let description = info.description.split(", uptime").next().unwrap_or_default().to_owned();
    let since = if info.stop > info.start { info.stop } else { info.start };
    let reason = if info.spawnerr.is_empty() { None } else { Some(info.spawnerr) };
    ProgramReport {
        state: state.to_owned(),
        description,
        since: (since > 0).then_some(since as f64),
        is_wanted,
        reason,
        group: info.group,
        name: info.name,
        ..ProgramReport::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_and_wrong_lines_named_without_their_passwords() {
        let read_ok = read("# old\nold1 http://ann:p@ss@10.0.0.7:9001/\nold2 http://[::1]:9001\n").unwrap();
        assert_eq!((read_ok[0].host.as_str(), read_ok[0].port), ("10.0.0.7", 9001));
        assert_eq!(read_ok[0].login.as_deref(), Some("Basic YW5uOnBAc3M="));
        assert_eq!((read_ok[1].host.as_str(), read_ok[1].login.is_none()), ("::1", true));
        for line in ["old1", "old1 https://x:1", "old1 http://u:secret@x", "a..b http://x:1"] {
            let problem = read(line).err().unwrap();
            assert!(problem.starts_with("--python, line 1: write NAME http://") && !problem.contains("secret"));
        }
    }
}
