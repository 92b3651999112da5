//! The typed configuration: what a `supervisord.conf` means once it has been read.

mod copy_on_write;
mod daemon;
mod fastcgi;
mod group;
mod health;
mod http_server;
mod log_level;
mod logging;
mod notice;
mod process;
mod restart;
mod stop;

use std::sync::Arc;

pub use crate::origin::Origin;
use crate::scale::ProgramScale;

pub use copy_on_write::CopyOnWrite;
pub use daemon::{ActivityFormat, ActivityForwarding, ActivityLog, ExitWhen, Supervisord, UpdateMode};
pub use fastcgi::{FastCgiSocket, SocketAddress};
pub use group::{Group, GroupKind, ListenerPool};
pub use health::{Health, OnUnhealthy};
pub use http_server::{HttpServer, RequiredCredentials, ServerAddress, ServerTls};
pub use log_level::LogLevel;
pub use logging::{ChannelLog, LogFile, LogRotation, Logging, WhenBlocked};
pub use notice::{ConfigNotice, NoticeLevel};
pub use process::{Hooks, Identity, Order, Process, ProgramServerUrl, ProgramType, Readiness, Reload, Spawn, Start};
pub use restart::{AutoRestart, Backoff, RecycleAfter, Restart, RestartLimit};
pub use stop::{Stop, StopAction, StopScope, StopSignals, StopStep, StopSteps};

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The path of the main file, absolute, resolved once so that a later change of directory cannot lose it.
    pub file: String,
    /// The directory of the main file, `%(here)s`.
    pub here: String,
    /// `[supervisord]`, overlaid with the command line.
    pub supervisord: Supervisord,
    /// HTTP servers in the order they are opened: inet in file order, then unix in file order.
    pub servers: Vec<HttpServer>,
    /// `[rpcinterface:x]` sections in file order.
    pub rpc_interfaces: Vec<Plugin>,
    /// Groups sorted by (priority, name); names are unique.
    pub groups: Vec<Arc<Group>>,
    /// The programs that run with another number of processes than their sections say.
    pub scales: Vec<ProgramScale>,
    /// What is to be logged once the activity log is open: all warnings, then all information.
    pub notices: Vec<ConfigNotice>,
}

impl Config {
    /// What is worth a warning about it.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let warnings = self.notices.iter().filter(|notice| notice.level == NoticeLevel::Warn);
        warnings.map(|notice| notice.text.as_str())
    }

    /// What children find in `SUPERVISOR_SERVER_URL` unless told otherwise: the first unix server, else the last inet
    /// server, as `unix://PATH` or `http://HOST:PORT`; none without servers.
    pub fn server_url(&self) -> Option<String> {
        let unix = self.servers.iter().find_map(|server| match &server.address {
            ServerAddress::Unix { path, .. } => Some(format!("unix://{path}")),
            ServerAddress::Inet { .. } => None,
        });
        unix.or_else(|| self.servers.iter().rev().find_map(HttpServer::url))
    }
}

/// A section that names Python code: `[rpcinterface:x]` or `[ctlplugin:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The text after the colon.
    pub name: String,
    /// `package.module:attribute`.
    pub factory: String,
    /// All other options of the section, expanded.
    pub options: Vec<(String, String)>,
}
