//! A blocking client of a running daemon.
//!
//! [`Client`] has one method per XML-RPC call. The first call opens a connection, which later calls reuse.
//! [`Client::follow`] follows a log on a connection of its own. `examples/restart_failed.rs` in this crate is a
//! complete program that uses it.

mod connection;
mod credentials;
mod error;
mod event_stream;
mod follow;
mod info;
mod json;
mod problem;
mod program;
mod program_log;
#[cfg(test)]
pub mod samples;
mod stream_group;
mod timeout;
mod tls;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use supervisord_config::client::ClientTls;
use supervisord_wire::info::{ConfigInfo, ProcessInfo};
use supervisord_wire::value::FromMembers;
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc::{self, ItemReader};

use connection::Connection;
pub use credentials::Credentials;
pub use error::ClientError;
pub use event_stream::{EventStream, StreamEvent};
pub use follow::{LogStream, Stopper};
pub use info::{ConfigChanges, Outcome};
pub use program::{Explanation, LostBytes, ProgramEnd, ProgramStatus, StartResult};
pub use program_log::{ListedLogFile, LogExcerpt};
pub use stream_group::StreamGroup;
pub use supervisord_wire::channel::Channel;
use timeout::{Wait, WaitPolicy};
pub use url::{Endpoint, ServerUrl, UrlError};

/// A client of the daemon at one URL.
pub struct Client {
    url: ServerUrl,
    credentials: Option<Credentials>,
    tls: ClientTls,
    connection: Option<Connection>,
    wait_policy: WaitPolicy,
}

impl Client {
    /// A client that connects at its first call, and waits for answers without a time limit.
    pub fn new(url: ServerUrl, credentials: Option<Credentials>) -> Client {
        Client { url, credentials, tls: ClientTls::default(), connection: None, wait_policy: WaitPolicy::default() }
    }

    /// Sets how TLS is spoken to an `https://` server: without this, it must have a certificate that the system trusts.
    pub fn set_tls(&mut self, tls: ClientTls) {
        self.tls = tls;
    }

    /// Limits the time of a call, including the connection. The daemon may carry out a call whose client has stopped
    /// waiting.
    pub fn set_timeout(&mut self, limit: Duration) {
        self.wait_policy.limit = Some(limit);
    }

    /// Calls `notify` once per call that has had no answer for five seconds. It is not called for methods that wait for
    /// processes, which may take long.
    pub fn on_silence(&mut self, notify: impl Fn() + Send + Sync + 'static) {
        self.wait_policy.on_silence = Some(Arc::new(notify));
    }

    /// The address of the daemon.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Calls any method, for instance one of an `[rpcinterface:x]` plug-in.
    pub fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, ClientError> {
        let mut document = Vec::new();
        self.exchange(method, params, |piece| document.extend_from_slice(piece))?;
        Ok(xmlrpc::decode_response(&document)??)
    }

    /// Carries out a call; the answer is taken piece by piece, as it arrives.
    fn exchange(&mut self, method: &str, params: &[Value], take: impl FnMut(&[u8])) -> Result<(), ClientError> {
        let body = Bytes::from(xmlrpc::encode_call(method, params));
        let request = connection::request(&self.url, self.credentials.as_ref(), Method::POST, "/RPC2", body)?;
        self.send(request, takes_time(method), take)
    }

    /// Sends a request; the body of the answer is taken piece by piece, as it arrives.
    fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        takes_time: bool,
        take: impl FnMut(&[u8]),
    ) -> Result<(), ClientError> {
        let mut wait = self.wait_policy.wait(takes_time);
        let mut connection = self.connected(&mut wait)?;
        connection.exchange(request, &mut wait, take)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Opens an endless log stream: `/logtail/NAME/CHANNEL` or `/mainlogtail`. The backlog comes first.
    pub fn follow(&self, path: &str) -> Result<LogStream, ClientError> {
        // Empty passwords are no passwords here, unlike in calls: the original does the same.
        let credentials = self.credentials.as_ref().filter(|credentials| !credentials.password.is_empty());
        let request = connection::request(&self.url, credentials, Method::GET, path, Bytes::new())?;
        let mut wait = self.wait_policy.wait(false);
        let answer = Connection::open(&self.url, &self.tls, &mut wait)?.open_body(request, &mut wait)?;
        Ok(LogStream::new(answer))
    }

    /// Reuses the connection of the last call if it is still open, else opens a new one.
    fn connected(&mut self, wait: &mut Wait) -> Result<Connection, ClientError> {
        if let Some(mut kept) = self.connection.take()
            && kept.is_usable()
        {
            return Ok(kept);
        }
        Connection::open(&self.url, &self.tls, wait)
    }

    fn ask<T>(
        &mut self,
        method: &'static str,
        params: &[Value],
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, ClientError> {
        read(self.call(method, params)?).ok_or(ClientError::Shape { method })
    }

    /// A call whose answer is a list of structs.
    fn ask_all<T: FromMembers>(&mut self, method: &'static str, params: &[Value]) -> Result<Vec<T>, ClientError> {
        let mut items = ItemReader::default();
        self.exchange(method, params, |piece| items.push(piece))?;
        items.finish()??.ok_or(ClientError::Shape { method })
    }

    /// A call whose only answer is "true".
    fn request(&mut self, method: &'static str, params: &[Value]) -> Result<(), ClientError> {
        self.call(method, params).map(drop)
    }
}

/// Whether a method waits for processes, for a disk, or for code of plug-ins.
fn takes_time(method: &str) -> bool {
    const SLOW: [&str; 4] = ["start", "stop", "clear", "upgrade"];
    match method.strip_prefix("supervisor.") {
        Some(name) => SLOW.iter().any(|slow| name.starts_with(slow)),
        None => true,
    }
}

/// The daemon itself.
impl Client {
    /// The version of the interface, `3.0`. Uses the method name that every released daemon knows.
    pub fn api_version(&mut self) -> Result<String, ClientError> {
        self.ask("supervisor.getVersion", &[], Value::into_text)
    }

    /// The version of the daemon.
    pub fn supervisor_version(&mut self) -> Result<String, ClientError> {
        self.ask("supervisor.getSupervisorVersion", &[], Value::into_text)
    }

    /// The process id of the daemon.
    pub fn pid(&mut self) -> Result<i64, ClientError> {
        self.ask("supervisor.getPID", &[], |value| value.as_int())
    }

    /// Shuts the daemon and all processes down; returns before that is finished.
    pub fn shutdown(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.shutdown", &[])
    }

    /// Replaces the running daemon by the program that is now on disk, without affecting the processes.
    pub fn upgrade(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.upgrade", &[])
    }

    /// Stops all processes and restarts the daemon with its configuration reread; returns before that is finished.
    pub fn restart(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.restart", &[])
    }

    /// Part of the activity log. With a negative `offset` and a `length` of zero: that many bytes from the end; else
    /// `length` bytes from `offset`, or all if `length` is zero.
    pub fn read_main_log(&mut self, offset: i64, length: i64) -> Result<String, ClientError> {
        self.ask("supervisor.readLog", &[offset.into(), length.into()], Value::into_text)
    }
}

/// The configuration.
impl Client {
    /// Makes the daemon reread its configuration; no process is started or stopped.
    pub fn reload_config(&mut self) -> Result<ConfigChanges, ClientError> {
        self.ask("supervisor.reloadConfig", &[], ConfigChanges::from_value)
    }

    /// Every process of the configuration as last read, by process name.
    pub fn all_config_info(&mut self) -> Result<Vec<ConfigInfo>, ClientError> {
        self.ask_all("supervisor.getAllConfigInfo", &[])
    }

    /// The warnings about the configuration as last read. The original has no such method.
    pub fn config_warnings(&mut self) -> Result<Vec<String>, ClientError> {
        self.ask("supervisor.getConfigWarnings", &[], |texts| info::texts(&texts))
    }

    /// Activates a configured group.
    pub fn add_group(&mut self, group: &str) -> Result<(), ClientError> {
        self.request("supervisor.addProcessGroup", &[group.into()])
    }

    /// Removes a group whose processes are all stopped.
    pub fn remove_group(&mut self, group: &str) -> Result<(), ClientError> {
        self.request("supervisor.removeProcessGroup", &[group.into()])
    }
}

/// Processes.
impl Client {
    /// All processes of the active groups, by group and name.
    pub fn all_process_info(&mut self) -> Result<Vec<ProcessInfo>, ClientError> {
        self.ask_all("supervisor.getAllProcessInfo", &[])
    }

    /// One process, named `process` or `group:process`.
    pub fn process_info(&mut self, name: &str) -> Result<ProcessInfo, ClientError> {
        self.ask("supervisor.getProcessInfo", &[name.into()], ProcessInfo::from_value)
    }

    /// Starts a process; with `wait`, answers when it is RUNNING.
    pub fn start_process(&mut self, name: &str, wait: bool) -> Result<(), ClientError> {
        self.request("supervisor.startProcess", &[name.into(), wait.into()])
    }

    /// Starts all processes of a group that are not running.
    pub fn start_group(&mut self, group: &str, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.startProcessGroup", &[group.into(), wait.into()])
    }

    /// Starts all processes that are not running.
    pub fn start_all(&mut self, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.startAllProcesses", &[wait.into()])
    }

    /// Stops a process; with `wait`, answers when it has ended.
    pub fn stop_process(&mut self, name: &str, wait: bool) -> Result<(), ClientError> {
        self.request("supervisor.stopProcess", &[name.into(), wait.into()])
    }

    /// Stops a process or group after all that depend on it.
    pub fn stop_with_dependents(&mut self, name: &str, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.stopProcessWithDependents", &[name.into(), wait.into()])
    }

    /// Stops all running processes of a group.
    pub fn stop_group(&mut self, group: &str, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.stopProcessGroup", &[group.into(), wait.into()])
    }

    /// Stops all running processes.
    pub fn stop_all(&mut self, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.stopAllProcesses", &[wait.into()])
    }

    /// Sends a signal, by name or number, to a process.
    pub fn signal_process(&mut self, name: &str, signal: &str) -> Result<(), ClientError> {
        self.request("supervisor.signalProcess", &[name.into(), signal.into()])
    }

    /// Sends a signal to all running processes of a group.
    pub fn signal_group(&mut self, group: &str, signal: &str) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.signalProcessGroup", &[group.into(), signal.into()])
    }

    /// Sends a signal to all running processes.
    pub fn signal_all(&mut self, signal: &str) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.signalAllProcesses", &[signal.into()])
    }

    /// Has a process, or those of `group:*` that run, read their configurations again.
    pub fn reload_process(&mut self, name: &str) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.reloadProcess", &[name.into()])
    }

    /// Writes text to the standard input of a process.
    pub fn send_stdin(&mut self, name: &str, chars: &str) -> Result<(), ClientError> {
        self.request("supervisor.sendProcessStdin", &[name.into(), chars.into()])
    }

    /// Part of a log of a process; `offset` and `length` as in [`Client::read_main_log`].
    pub fn read_log(&mut self, name: &str, channel: Channel, offset: i64, length: i64) -> Result<String, ClientError> {
        let method = match channel {
            Channel::Stdout => "supervisor.readProcessStdoutLog",
            Channel::Stderr => "supervisor.readProcessStderrLog",
        };
        self.ask(method, &[name.into(), offset.into(), length.into()], Value::into_text)
    }

    /// Clears both logs of a process.
    pub fn clear_logs(&mut self, name: &str) -> Result<(), ClientError> {
        self.request("supervisor.clearProcessLogs", &[name.into()])
    }

    /// Clears the logs of all processes.
    pub fn clear_all_logs(&mut self) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.clearAllProcessLogs", &[])
    }
}

#[cfg(test)]
mod tests;
