//! The configuration of a daemon as an upgrade passes it on.
//!
//! These types are the format: a field that a later release adds is absent here, one that it no longer knows is passed over,
//! and one that is missing has its default. Version 1 spelt some of them otherwise, which the aliases read.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use supervisord_config::client_user::ClientUser;
use supervisord_config::model::{self, LogLevel, NoticeLevel};
use supervisord_config::scale::ProgramScale;
use supervisord_config::schema::{default_supervisord, options_of_supervisord};

use super::client_user::UserRecord;
use super::definition::GroupRecord;
use super::options::{Level, OptionPlaces};
use super::scale::ScaleRecord;

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
    groups: Vec<GroupRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Notice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scales: Vec<ScaleRecord>,
}

/// The section of the daemon itself. There is one, so that what is at its default is not left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
struct Supervisord(model::Supervisord);

impl From<Supervisord> for Map<String, Value> {
    fn from(Supervisord(supervisord): Supervisord) -> Map<String, Value> {
        OptionPlaces::new(options_of_supervisord(), None).written(&supervisord)
    }
}

impl TryFrom<Map<String, Value>> for Supervisord {
    type Error = String;

    fn try_from(map: Map<String, Value>) -> Result<Supervisord, String> {
        // Their defaults are those of the directory and the host.
        if let Some(missing) =
            ["pidfile", "childlogdir", "logfile"].into_iter().find(|option| !map.contains_key(*option))
        {
            return Err(format!("it has no {missing}"));
        }
        let mut supervisord = default_supervisord();
        OptionPlaces::new(options_of_supervisord(), None).read(&map, &mut supervisord)?;
        Ok(Supervisord(supervisord))
    }
}

/// A server.
#[derive(Debug, Serialize, Deserialize)]
struct Server {
    section: String,
    address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<Credentials>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<UserRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowed_hosts: Vec<String>,
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

/// The files of its TLS.
#[derive(Debug, Serialize, Deserialize)]
struct Tls {
    certfile: String,
    keyfile: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_ca: Option<String>,
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
        let model::Config { file, here, supervisord, servers, rpc_interfaces, groups, scales, notices } = config;
        Configuration {
            file: file.clone(),
            here: here.clone(),
            supervisord: Supervisord(supervisord.clone()),
            servers: servers.iter().map(Server::from).collect(),
            rpc_interfaces: rpc_interfaces
                .iter()
                .map(|model::Plugin { name, factory, options }| RpcInterface {
                    name: name.clone(),
                    factory: factory.clone(),
                    options: options.clone(),
                })
                .collect(),
            groups: groups.iter().map(|group| GroupRecord::from(&**group)).collect(),
            scales: scales.iter().map(ScaleRecord::from).collect(),
            notices: notices
                .iter()
                .map(|notice| Notice { level: LogLevel::from(notice.level).into(), text: notice.text.clone() })
                .collect(),
        }
    }
}

impl From<Configuration> for model::Config {
    fn from(configuration: Configuration) -> model::Config {
        let Configuration { file, here, supervisord, servers, rpc_interfaces, groups, notices, scales } = configuration;
        model::Config {
            file,
            here,
            supervisord: supervisord.0,
            servers: servers.into_iter().map(model::HttpServer::from).collect(),
            rpc_interfaces: rpc_interfaces
                .into_iter()
                .map(|RpcInterface { name, factory, options }| model::Plugin { name, factory, options })
                .collect(),
            groups: groups.into_iter().map(|group| Arc::new(group.into())).collect(),
            scales: scales.into_iter().map(ProgramScale::from).collect(),
            notices: notices
                .into_iter()
                .map(|Notice { level, text }| model::ConfigNotice { level: level.into(), text, place: None })
                .collect(),
        }
    }
}

impl From<&model::HttpServer> for Server {
    fn from(server: &model::HttpServer) -> Server {
        let model::HttpServer { section, address, credentials, users, tls, allowed_hosts, get_actions } =
            server.clone();
        Server {
            section,
            address: match address {
                model::ServerAddress::Inet { host, port } => Address::Inet { host, port },
                model::ServerAddress::Unix { path, mode, uid, gid } => Address::Unix { path, mode, uid, gid },
            },
            credentials: credentials
                .map(|model::RequiredCredentials { username, password }| Credentials { username, password }),
            users: users.into_iter().map(UserRecord::from).collect(),
            tls: tls.map(|model::ServerTls { certfile, keyfile, client_ca }| Tls { certfile, keyfile, client_ca }),
            allowed_hosts,
            get_actions,
        }
    }
}

impl From<Server> for model::HttpServer {
    fn from(server: Server) -> model::HttpServer {
        let Server { section, address, credentials, users, tls, allowed_hosts, get_actions } = server;
        model::HttpServer {
            section,
            address: match address {
                Address::Inet { host, port } => model::ServerAddress::Inet { host, port },
                Address::Unix { path, mode, uid, gid } => model::ServerAddress::Unix { path, mode, uid, gid },
            },
            credentials: credentials
                .map(|Credentials { username, password }| model::RequiredCredentials { username, password }),
            users: users.into_iter().map(ClientUser::from).collect(),
            tls: tls.map(|Tls { certfile, keyfile, client_ca }| model::ServerTls { certfile, keyfile, client_ca }),
            allowed_hosts,
            get_actions,
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
