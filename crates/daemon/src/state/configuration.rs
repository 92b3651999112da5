//! The configuration of a daemon as an upgrade passes it on.
//!
//! These types are the format: a field that a later release adds is absent here, one that it no longer knows is passed over,
//! and one that is missing has its default. Version 1 spelt some of them otherwise, which the aliases read.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use supervisord_config::host::Account;
use supervisord_config::model::{self, LogLevel, NoticeLevel};

use super::definition::{Group, User};

/// A whole configuration.
#[derive(Debug, Serialize, Deserialize)]
pub struct Configuration {
    file: String,
    here: String,
    supervisord: Supervisord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    servers: Vec<Server>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rpc_interfaces: Vec<RpcInterface>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Group>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Notice>,
}

/// The section of the daemon itself. There is one, so that what is at its default is not left out.
#[derive(Debug, Serialize, Deserialize)]
struct Supervisord {
    pidfile: String,
    childlogdir: String,
    logfile: Logfile,
    #[serde(flatten)]
    optional: Optional,
}

/// What has a default.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Optional {
    minfds: u64,
    minprocs: u64,
    directory: Option<String>,
    user: Option<User>,
    umask: u32,
    logfile_maxbytes: u64,
    logfile_backups: u32,
    loglevel: Level,
    identifier: String,
    nodaemon: bool,
    silent: bool,
    nocleanup: bool,
    strip_ansi: bool,
    adopt: bool,
    environment: Vec<(String, String)>,
}

impl Default for Optional {
    fn default() -> Optional {
        Optional {
            minfds: 1024,
            minprocs: 200,
            directory: None,
            user: None,
            umask: 0o22,
            logfile_maxbytes: 50 << 20,
            logfile_backups: 10,
            loglevel: Level::Info,
            identifier: "supervisor".to_owned(),
            nodaemon: false,
            silent: false,
            nocleanup: false,
            strip_ansi: false,
            adopt: true,
            environment: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Logfile {
    #[serde(alias = "Syslog")]
    Syslog,
    #[serde(alias = "File")]
    File(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    #[serde(alias = "Critical")]
    Critical,
    #[serde(alias = "Error")]
    Error,
    #[serde(alias = "Warn")]
    Warn,
    #[serde(alias = "Info")]
    Info,
    #[serde(alias = "Debug")]
    Debug,
    #[serde(alias = "Trace")]
    Trace,
    #[serde(alias = "Blather")]
    Blather,
}

/// A server.
#[derive(Debug, Serialize, Deserialize)]
struct Server {
    section: String,
    address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<Credentials>,
    #[serde(default)]
    get_actions: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Address {
    #[serde(alias = "Inet")]
    Inet { host: String, port: u16 },
    #[serde(alias = "Unix")]
    Unix { path: String, mode: u32, uid: Option<u32>, gid: Option<u32> },
}

#[derive(Serialize, Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A section that names Python code.
#[derive(Debug, Serialize, Deserialize)]
struct RpcInterface {
    name: String,
    factory: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    level: Level,
    text: String,
}

/// The configuration of a server, where it stands beside its socket.
pub mod server {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Server, model};

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(server: &model::HttpServer, serializer: S) -> Result<S::Ok, S::Error> {
        Server::from(server).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<model::HttpServer, D::Error> {
        Server::deserialize(deserializer).map(model::HttpServer::from)
    }
}

impl From<&model::Config> for Configuration {
    fn from(config: &model::Config) -> Configuration {
        let model::Config { file, here, supervisord, servers, rpc_interfaces, groups, notices } = config;
        Configuration {
            file: file.clone(),
            here: here.clone(),
            supervisord: supervisord.into(),
            servers: servers.iter().map(Server::from).collect(),
            rpc_interfaces: rpc_interfaces
                .iter()
                .map(|model::Plugin { name, factory, options }| RpcInterface {
                    name: name.clone(),
                    factory: factory.clone(),
                    options: options.clone(),
                })
                .collect(),
            groups: groups.iter().map(|group| Group::from(&**group)).collect(),
            notices: notices
                .iter()
                .map(|notice| Notice { level: LogLevel::from(notice.level).into(), text: notice.text.clone() })
                .collect(),
        }
    }
}

impl From<Configuration> for model::Config {
    fn from(configuration: Configuration) -> model::Config {
        let Configuration { file, here, supervisord, servers, rpc_interfaces, groups, notices } = configuration;
        model::Config {
            file,
            here,
            supervisord: supervisord.into(),
            servers: servers.into_iter().map(model::HttpServer::from).collect(),
            rpc_interfaces: rpc_interfaces
                .into_iter()
                .map(|RpcInterface { name, factory, options }| model::Plugin { name, factory, options })
                .collect(),
            groups: groups.into_iter().map(|group| Arc::new(group.into())).collect(),
            notices: notices
                .into_iter()
                .map(|Notice { level, text }| model::Notice { level: level.into(), text })
                .collect(),
        }
    }
}

impl From<&model::Supervisord> for Supervisord {
    fn from(supervisord: &model::Supervisord) -> Supervisord {
        let model::Supervisord {
            minfds,
            minprocs,
            directory,
            user,
            umask,
            logfile,
            logfile_maxbytes,
            logfile_backups,
            loglevel,
            pidfile,
            identifier,
            nodaemon,
            silent,
            childlogdir,
            nocleanup,
            strip_ansi,
            adopt,
            environment,
        } = supervisord.clone();
        Supervisord {
            pidfile,
            childlogdir,
            logfile: match logfile {
                model::ActivityLog::Syslog => Logfile::Syslog,
                model::ActivityLog::File(path) => Logfile::File(path),
            },
            optional: Optional {
                minfds,
                minprocs,
                directory,
                user: user.map(User::from),
                umask,
                logfile_maxbytes,
                logfile_backups,
                loglevel: loglevel.into(),
                identifier,
                nodaemon,
                silent,
                nocleanup,
                strip_ansi,
                adopt,
                environment,
            },
        }
    }
}

impl From<Supervisord> for model::Supervisord {
    fn from(supervisord: Supervisord) -> model::Supervisord {
        let Supervisord { pidfile, childlogdir, logfile, optional } = supervisord;
        model::Supervisord {
            minfds: optional.minfds,
            minprocs: optional.minprocs,
            directory: optional.directory,
            user: optional.user.map(Account::from),
            umask: optional.umask,
            logfile: match logfile {
                Logfile::Syslog => model::ActivityLog::Syslog,
                Logfile::File(path) => model::ActivityLog::File(path),
            },
            logfile_maxbytes: optional.logfile_maxbytes,
            logfile_backups: optional.logfile_backups,
            loglevel: optional.loglevel.into(),
            pidfile,
            identifier: optional.identifier,
            nodaemon: optional.nodaemon,
            silent: optional.silent,
            childlogdir,
            nocleanup: optional.nocleanup,
            strip_ansi: optional.strip_ansi,
            adopt: optional.adopt,
            environment: optional.environment,
        }
    }
}

impl From<&model::HttpServer> for Server {
    fn from(server: &model::HttpServer) -> Server {
        let model::HttpServer { section, address, credentials, get_actions } = server.clone();
        Server {
            section,
            address: match address {
                model::ServerAddress::Inet { host, port } => Address::Inet { host, port },
                model::ServerAddress::Unix { path, mode, uid, gid } => Address::Unix { path, mode, uid, gid },
            },
            credentials: credentials
                .map(|model::Credentials { username, password }| Credentials { username, password }),
            get_actions,
        }
    }
}

impl From<Server> for model::HttpServer {
    fn from(server: Server) -> model::HttpServer {
        let Server { section, address, credentials, get_actions } = server;
        model::HttpServer {
            section,
            address: match address {
                Address::Inet { host, port } => model::ServerAddress::Inet { host, port },
                Address::Unix { path, mode, uid, gid } => model::ServerAddress::Unix { path, mode, uid, gid },
            },
            credentials: credentials
                .map(|Credentials { username, password }| model::Credentials { username, password }),
            get_actions,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Level {
        match level {
            LogLevel::Critical => Level::Critical,
            LogLevel::Error => Level::Error,
            LogLevel::Warn => Level::Warn,
            LogLevel::Info => Level::Info,
            LogLevel::Debug => Level::Debug,
            LogLevel::Trace => Level::Trace,
            LogLevel::Blather => Level::Blather,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> LogLevel {
        match level {
            Level::Critical => LogLevel::Critical,
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
            Level::Blather => LogLevel::Blather,
        }
    }
}

impl From<Level> for NoticeLevel {
    fn from(level: Level) -> NoticeLevel {
        match level {
            Level::Critical | Level::Error | Level::Warn => NoticeLevel::Warn,
            Level::Info | Level::Debug | Level::Trace | Level::Blather => NoticeLevel::Info,
        }
    }
}
