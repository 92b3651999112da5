//! The servers: where they listen, and whom they let in.

use std::fmt;

use crate::client_user::ClientUser;

/// One `[unix_http_server]` or `[inet_http_server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpServer {
    /// The section name, as log lines show it.
    pub section: String,
    /// Where it listens.
    pub address: ServerAddress,
    /// User name and password (plain, or `{SHA}` and 40 hex digits), when authentication is on.
    pub credentials: Option<RequiredCredentials>,
    /// Who else may use it, with rights of their own.
    pub users: Vec<ClientUser>,
    /// The files of its TLS; none where it speaks plain HTTP.
    pub tls: Option<ServerTls>,
    /// Names besides its own by which browsers may ask it; none where only those of a server without a password are
    /// checked.
    pub allowed_hosts: Vec<String>,
    /// Let links on the web page change something, as the original's do, and not only forms.
    pub get_actions: bool,
}

impl HttpServer {
    /// The URL that children find, where it is a TCP port.
    pub(super) fn url(&self) -> Option<String> {
        let rest = self.address.host_and_port()?;
        Some(format!("{}://{rest}", if self.tls.is_some() { "https" } else { "http" }))
    }
}

/// The files of the TLS of a server, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Its certificate chain, in PEM.
    pub certfile: String,
    /// The private key, in PEM.
    pub keyfile: String,
    /// Certificates of which one must have signed that of a client, in PEM; none where clients need none.
    pub client_ca: Option<String>,
}

/// What a client must present.
#[derive(Clone, PartialEq, Eq)]
pub struct RequiredCredentials {
    /// User name.
    pub username: String,
    /// Password as configured.
    pub password: String,
}

impl fmt::Debug for RequiredCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A TCP port.
    Inet {
        /// Host name or address, lower case; empty for all interfaces.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Path, absolute.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Owner, unchanged where none.
        uid: Option<u32>,
        /// Group, unchanged where none.
        gid: Option<u32>,
    },
}

impl ServerAddress {
    /// `HOST:PORT` of a TCP port, with `localhost` where it is open on all interfaces.
    fn host_and_port(&self) -> Option<String> {
        match self {
            ServerAddress::Unix { .. } => None,
            ServerAddress::Inet { host, port } if host.is_empty() => Some(format!("localhost:{port}")),
            ServerAddress::Inet { host, port } if host.contains(':') => Some(format!("[{host}]:{port}")),
            ServerAddress::Inet { host, port } => Some(format!("{host}:{port}")),
        }
    }
}
