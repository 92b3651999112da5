//! The line that each request leaves in the activity log.

use std::fmt;

use hyper::{Request, Version};
use supervisord_config::model::LogLevel;
use supervisord_core::actor::ClientPeer;

use crate::activity::Activity;
use crate::api::Api;
use crate::network::dates::stamp;
use crate::network::reply::Reply;

/// A request as its line shows it.
pub struct AccessEntry {
    peer: PeerName,
    line: String,
}

impl AccessEntry {
    /// Notes what a request asks.
    pub fn of<B>(request: &Request<B>, client: ClientPeer, activity: &Activity) -> AccessEntry {
        if activity.wants(LogLevel::Blather) {
            activity.log(LogLevel::Blather, &format!("read event caused by <http client {}>", PeerName(client)));
        }
        let version = if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        AccessEntry { peer: PeerName(client), line: format!("{} {} {version}", request.method(), request.uri()) }
    }

    /// Writes the line: an error where the daemon itself failed, however the address is spelt, else a trace.
    pub fn log(&self, api: &Api, reply: &Reply) {
        let level = if reply.status.is_server_error() { LogLevel::Error } else { LogLevel::Trace };
        if api.activity.wants(level) {
            let at = stamp(&(api.clock.local)((api.clock.now)()));
            let (status, size) = (reply.status.as_u16(), reply.size());
            api.activity.log(level, &format!("{} - - [{at}] \"{}\" {status} {size}", self.peer, self.line));
        }
    }
}

/// A client as log lines show it: the original has nothing more for one on a socket in the file system.
pub struct PeerName(pub ClientPeer);

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ClientPeer::Inet(address) => write!(f, "{}:{}", address.ip(), address.port()),
            ClientPeer::Unix { .. } => f.write_str("localhost:0"),
        }
    }
}

impl fmt::Display for AccessEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
