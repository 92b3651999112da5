//! A blocking client of a running daemon.
//!
//! [`Client`] has one method per question or request; each is one XML-RPC call. The connection is opened by
//! the first call and kept for the next ones. Logs are followed with [`Client::follow`], each on a connection
//! of its own. `examples/restart_failed.rs` in this crate is a whole program that uses it.

mod connection;
mod error;
mod follow;
mod info;
mod patience;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use supervisord_wire::info::{ConfigInfo, ProcessInfo};
use supervisord_wire::value::Value;
use supervisord_wire::xmlrpc;

use connection::Connection;
pub use error::ClientError;
pub use follow::{LogStream, Stopper};
pub use info::{ConfigChanges, Outcome};
use patience::{Patience, Wait};
pub use supervisord_wire::channel::Channel;
pub use url::{Endpoint, ServerUrl, UrlError};

/// User name and password for HTTP Basic authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password, in clear text.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A client of the daemon at one URL.
pub struct Client {
    url: ServerUrl,
    credentials: Option<Credentials>,
    connection: Option<Connection>,
    patience: Patience,
}

impl Client {
    /// A client that connects when it is first used, and waits for answers as long as they take.
    pub fn new(url: ServerUrl, credentials: Option<Credentials>) -> Client {
        Client { url, credentials, connection: None, patience: Patience::default() }
    }

    /// Gives up a call that has no answer after this time, the connection included. The daemon may still carry it out.
    pub fn set_timeout(&mut self, limit: Duration) {
        self.patience.limit = Some(limit);
    }

    /// Tells somebody, once for each call, that there is no answer after five seconds. What waits for processes takes its
    /// time and does not count.
    pub fn on_silence(&mut self, tell: impl Fn() + Send + Sync + 'static) {
        self.patience.told = Some(Arc::new(tell));
    }

    /// Where the daemon is.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Calls any method, for instance one of an `[rpcinterface:x]` plug-in.
    pub fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, ClientError> {
        Ok(xmlrpc::decode_response(&self.exchange(method, params)?)??)
    }

    fn exchange(&mut self, method: &str, params: &[Value]) -> Result<Vec<u8>, ClientError> {
        let body = Bytes::from(xmlrpc::encode_call(method, params));
        let request = connection::request(&self.url, self.credentials.as_ref(), Method::POST, "/RPC2", body)?;
        let mut wait = self.patience.wait(takes_time(method));
        let mut connection = self.connected(&mut wait)?;
        let answer = connection.exchange(request, &mut wait)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// Opens an endless log stream: `/logtail/NAME/CHANNEL` or `/mainlogtail`. The backlog comes first.
    pub fn follow(&self, path: &str) -> Result<LogStream, ClientError> {
        // Empty passwords are no passwords here, unlike in calls: the original does the same.
        let credentials = self.credentials.as_ref().filter(|credentials| !credentials.password.is_empty());
        let request = connection::request(&self.url, credentials, Method::GET, path, Bytes::new())?;
        let mut wait = self.patience.wait(false);
        let (runtime, body) = Connection::open(&self.url, &mut wait)?.open_body(request, &mut wait)?;
        Ok(LogStream::new(runtime, body))
    }

    /// The connection of the last call where it is still good, else a new one.
    fn connected(&mut self, wait: &mut Wait) -> Result<Connection, ClientError> {
        if let Some(mut kept) = self.connection.take()
            && kept.is_usable()
        {
            return Ok(kept);
        }
        Connection::open(&self.url, wait)
    }

    fn ask<T>(
        &mut self,
        method: &'static str,
        params: &[Value],
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, ClientError> {
        read(self.call(method, params)?).ok_or(ClientError::Shape { method })
    }

    /// A question whose answer is a list.
    fn ask_all<T>(
        &mut self,
        method: &'static str,
        params: &[Value],
        read: impl Fn(Value) -> Option<T>,
    ) -> Result<Vec<T>, ClientError> {
        let mut list = Vec::new();
        let answer = xmlrpc::decode_items(&self.exchange(method, params)?, |item| list.push(read(item)))??;
        let Value::Array(rest) = answer else { return Err(ClientError::Shape { method }) };
        list.extend(rest.into_iter().map(&read));
        list.into_iter().collect::<Option<_>>().ok_or(ClientError::Shape { method })
    }

    /// A request whose only answer is "true".
    fn request(&mut self, method: &'static str, params: &[Value]) -> Result<(), ClientError> {
        self.call(method, params).map(drop)
    }
}

/// Whether a call waits for processes, a disk, or code that is not ours.
fn takes_time(method: &str) -> bool {
    const SLOW: [&str; 4] = ["start", "stop", "clear", "upgrade"];
    match method.strip_prefix("supervisor.") {
        Some(name) => SLOW.iter().any(|slow| name.starts_with(slow)),
        None => true,
    }
}

/// The daemon itself.
impl Client {
    /// The version of the interface, `3.0`. Asked by the name that every daemon ever released understands.
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

    /// Ends the daemon and all it runs; returns before that is done.
    pub fn shutdown(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.shutdown", &[])
    }

    /// Has the daemon go on with the program that is now on disk; the processes do not notice.
    pub fn upgrade(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.upgrade", &[])
    }

    /// Stops everything and begins again with the configuration read anew; returns before that is done.
    pub fn restart(&mut self) -> Result<(), ClientError> {
        self.request("supervisor.restart", &[])
    }

    /// Part of the activity log. Negative `offset`, zero `length`: that many bytes from the end; else `length`
    /// bytes from `offset`, all for zero.
    pub fn read_main_log(&mut self, offset: i64, length: i64) -> Result<String, ClientError> {
        self.ask("supervisor.readLog", &[offset.into(), length.into()], Value::into_text)
    }
}

/// The configuration.
impl Client {
    /// Makes the daemon read its configuration; nothing is started or stopped.
    pub fn reload_config(&mut self) -> Result<ConfigChanges, ClientError> {
        self.ask("supervisor.reloadConfig", &[], ConfigChanges::from_value)
    }

    /// Every process of the configuration last read, by process name.
    pub fn all_config_info(&mut self) -> Result<Vec<ConfigInfo>, ClientError> {
        self.ask_all("supervisor.getAllConfigInfo", &[], ConfigInfo::from_value)
    }

    /// What the daemon noticed when it last read its configuration. The original has no such method.
    pub fn config_warnings(&mut self) -> Result<Vec<String>, ClientError> {
        self.ask_all("supervisor.getConfigWarnings", &[], Value::into_text)
    }

    /// Activates a configured group.
    pub fn add_group(&mut self, group: &str) -> Result<(), ClientError> {
        self.request("supervisor.addProcessGroup", &[group.into()])
    }

    /// Forgets a group whose processes are all stopped.
    pub fn remove_group(&mut self, group: &str) -> Result<(), ClientError> {
        self.request("supervisor.removeProcessGroup", &[group.into()])
    }
}

/// Processes.
impl Client {
    /// All processes of the active groups, by group and name.
    pub fn all_process_info(&mut self) -> Result<Vec<ProcessInfo>, ClientError> {
        self.ask_all("supervisor.getAllProcessInfo", &[], ProcessInfo::from_value)
    }

    /// One process, named `process` or `group:process`.
    pub fn process_info(&mut self, name: &str) -> Result<ProcessInfo, ClientError> {
        self.ask("supervisor.getProcessInfo", &[name.into()], ProcessInfo::from_value)
    }

    /// Starts a process; with `wait`, answers when it is RUNNING.
    pub fn start_process(&mut self, name: &str, wait: bool) -> Result<(), ClientError> {
        self.request("supervisor.startProcess", &[name.into(), wait.into()])
    }

    /// Starts what is not started in a group.
    pub fn start_group(&mut self, group: &str, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.startProcessGroup", &[group.into(), wait.into()], Outcome::from_value)
    }

    /// Starts what is not started.
    pub fn start_all(&mut self, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.startAllProcesses", &[wait.into()], Outcome::from_value)
    }

    /// Stops a process; with `wait`, answers when it is gone.
    pub fn stop_process(&mut self, name: &str, wait: bool) -> Result<(), ClientError> {
        self.request("supervisor.stopProcess", &[name.into(), wait.into()])
    }

    /// Stops what runs in a group.
    pub fn stop_group(&mut self, group: &str, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.stopProcessGroup", &[group.into(), wait.into()], Outcome::from_value)
    }

    /// Stops what runs.
    pub fn stop_all(&mut self, wait: bool) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.stopAllProcesses", &[wait.into()], Outcome::from_value)
    }

    /// Sends a signal, by name or number, to a process.
    pub fn signal_process(&mut self, name: &str, signal: &str) -> Result<(), ClientError> {
        self.request("supervisor.signalProcess", &[name.into(), signal.into()])
    }

    /// Sends a signal to what runs in a group.
    pub fn signal_group(&mut self, group: &str, signal: &str) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.signalProcessGroup", &[group.into(), signal.into()], Outcome::from_value)
    }

    /// Sends a signal to what runs.
    pub fn signal_all(&mut self, signal: &str) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.signalAllProcesses", &[signal.into()], Outcome::from_value)
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

    /// Empties both logs of a process.
    pub fn clear_logs(&mut self, name: &str) -> Result<(), ClientError> {
        self.request("supervisor.clearProcessLogs", &[name.into()])
    }

    /// Empties the logs of all processes.
    pub fn clear_all_logs(&mut self) -> Result<Vec<Outcome>, ClientError> {
        self.ask_all("supervisor.clearAllProcessLogs", &[], Outcome::from_value)
    }
}

#[cfg(test)]
mod tests;
