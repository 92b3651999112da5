//! Opening the configured servers: every one of them or none.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use supervisord_config::model::{HttpServer, LogLevel, ServerAddress, ServerTls};
use supervisord_sys::socket;
use supervisord_tls::server_certificates::TlsContext;
use supervisord_tls::server_files::ServerTlsFiles;

use crate::activity::Activity;
use crate::api::Clock;
use crate::network::dates::ctime;
use crate::network::limits::BACKLOG;
use crate::network::passwords;
use crate::socket_activation;

mod error;
mod unix;

use error::place;
pub use error::{ListenError, ServerError};
use unix::Spare;
pub use unix::{Replacement, SocketFile};

/// A configured server with its listening socket. Clients wait in the backlog until the network plane accepts them.
#[derive(Debug)]
pub struct OpenServer {
    /// Its configuration.
    pub config: HttpServer,
    /// Its socket.
    pub listener: ListeningSocket,
    /// Idle connections that the previous network plane accepted.
    pub clients: Vec<OwnedFd>,
}

/// A listening socket. Dropping it also removes its file, so that a start that fails half-way leaves nothing behind.
#[derive(Debug)]
pub enum ListeningSocket {
    /// A TCP port, with the TLS that is spoken there if any is.
    Inet(TcpListener, Option<TlsContext>),
    /// A socket in the file system.
    Unix(UnixListener, SocketFile),
}

/// A second handle on an open server, through which it outlives the network plane.
#[derive(Debug)]
pub struct SpareServer {
    config: HttpServer,
    socket: Spare,
    file: Option<Arc<AtomicBool>>,
}

impl OpenServer {
    /// A second handle. While it exists, clients that connect wait in the backlog.
    pub fn spare(&self) -> io::Result<SpareServer> {
        let (handle, socket, file) = match &self.listener {
            ListeningSocket::Inet(listener, _) => (listener.as_fd().try_clone_to_owned()?, Spare::default(), None),
            ListeningSocket::Unix(listener, file) => {
                (listener.as_fd().try_clone_to_owned()?, file.spare(), Some(file.keeper()))
            }
        };
        *socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(SpareServer { config: self.config.clone(), socket, file })
    }

    /// A server whose socket was open already, with the clients it had. Where somebody has removed the file of the socket,
    /// there is a new one, and a line in the log.
    pub fn adopt(
        config: HttpServer,
        socket: OwnedFd,
        clients: Vec<OwnedFd>,
        activity: &Activity,
    ) -> Result<OpenServer, ListenError> {
        let listener = match &config.address {
            ServerAddress::Inet { .. } => ListeningSocket::Inet(socket.into(), tls_of(&config)?),
            ServerAddress::Unix { path, .. } if socket_activation::socket_for(&config).is_some() => {
                ListeningSocket::Unix(socket.into(), SocketFile::of_others(path))
            }
            ServerAddress::Unix { path, .. } => match SocketFile::adopt(path) {
                Ok(file) => ListeningSocket::Unix(socket.into(), file),
                Err(_) => {
                    let listener = open_one(&config)?.listener;
                    activity.log(LogLevel::Warn, &created_again(path));
                    listener
                }
            },
        };
        Ok(OpenServer { config, listener, clients })
    }
}

impl SpareServer {
    /// Leaves the file of the socket where it is when the plane ends.
    pub fn keep_file(&self) {
        if let Some(file) = &self.file {
            file.store(true, Ordering::SeqCst);
        }
    }

    /// The server, for another program.
    pub fn into_parts(self) -> Option<(HttpServer, OwnedFd)> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((self.config, socket))
    }
}

/// Opens the servers in the given order. Where one fails, the socket files of those before it are removed again.
///
/// Dead sockets in the way are removed, with a notice on stderr.
pub fn open(servers: &[HttpServer]) -> Result<Vec<OpenServer>, ServerError> {
    servers.iter().map(|server| open_one(server).map_err(|reason| cannot_open(server, reason))).collect()
}

/// The first server whose place somebody else has; changes nothing.
pub fn find_in_use(servers: &[HttpServer]) -> Option<ServerError> {
    let own = servers.iter().filter(|server| socket_activation::socket_for(server).is_none());
    own.filter_map(|server| {
        let free = match &server.address {
            ServerAddress::Inet { host, port } => {
                socket::listen_tcp(host, *port, BACKLOG).map(drop).map_err(ListenError::from)
            }
            ServerAddress::Unix { path, .. } => unix::check_free(path),
        };
        free.err().map(|reason| cannot_open(server, reason))
    })
    .find(|error| matches!(error.reason, ListenError::InUse))
}

fn cannot_open(server: &HttpServer, reason: ListenError) -> ServerError {
    ServerError { server: Box::new(server.clone()), reason }
}

/// The log line about a socket whose file has been created again.
pub fn created_again(path: &str) -> String {
    format!("the socket {path} had been removed, and has been created again")
}

/// A new socket for a server whose file somebody has removed; none for servers without a file. It may block.
pub fn replacement(config: &HttpServer) -> Result<Option<Replacement>, ListenError> {
    match &config.address {
        ServerAddress::Inet { .. } => Ok(None),
        ServerAddress::Unix { path, mode, uid, gid } => unix::replacement(path, *mode, *uid, *gid).map(Some),
    }
}

fn tls_of(config: &HttpServer) -> Result<Option<TlsContext>, ListenError> {
    let Some(ServerTls { certfile, keyfile, client_ca }) = config.tls.clone() else { return Ok(None) };
    let files = ServerTlsFiles { certfile, keyfile, client_ca };
    TlsContext::load(files).map(Some).map_err(ListenError::Tls)
}

fn open_one(config: &HttpServer) -> Result<OpenServer, ListenError> {
    let passed = socket_activation::socket_for(config);
    let listener = match &config.address {
        ServerAddress::Inet { host, port } => {
            let tls = tls_of(config)?;
            let socket = passed.map_or_else(|| socket::listen_tcp(host, *port, BACKLOG), Ok)?;
            ListeningSocket::Inet(socket.into(), tls)
        }
        ServerAddress::Unix { path, mode, uid, gid } => match passed {
            // Who has opened it has also chosen its mode and owner, and keeps the file.
            Some(socket) => ListeningSocket::Unix(socket.into(), SocketFile::of_others(path)),
            None => {
                let (listener, file) = unix::open(path, *mode, *uid, *gid)?;
                ListeningSocket::Unix(listener, file)
            }
        },
    };
    Ok(OpenServer { config: config.clone(), listener, clients: Vec::new() })
}

/// Logs, server by server, what a start logs about its servers.
pub fn announce(servers: &[OpenServer], namespaces: &[String], activity: &Activity, clock: Clock) {
    for warning in socket_activation::warnings() {
        activity.log(LogLevel::Warn, &warning);
    }
    for server in servers {
        activity.log(LogLevel::Trace, &started_line(server, clock));
        for namespace in namespaces {
            activity.log(LogLevel::Info, &format!("RPC interface '{namespace}' initialized"));
        }
        let section = &server.config.section;
        for user in server.config.users.iter().filter(|user| !user.password.as_deref().is_none_or(passwords::is_usable))
        {
            let text = format!("The password hash of [user:{}] cannot be read and lets nobody in", user.name);
            activity.log(LogLevel::Critical, &text);
        }
        match &server.config.credentials {
            None if !server.config.users.is_empty() => (),
            None => {
                let text = format!("Server '{section}' running without any HTTP authentication checking");
                activity.log(LogLevel::Critical, &text);
                if let Some(warning) = unprotected_warning(server) {
                    activity.log(LogLevel::Warn, &warning);
                }
            }
            Some(credentials) if !passwords::is_usable(&credentials.password) => activity.log(
                LogLevel::Critical,
                &format!("Server '{section}' has a password hash that cannot be read and refuses every request"),
            ),
            Some(_) => (),
        }
    }
}

/// The warning about a server without a password that other machines can reach.
fn unprotected_warning(server: &OpenServer) -> Option<String> {
    let ListeningSocket::Inet(listener, _) = &server.listener else { return None };
    let address = listener.local_addr().ok()?;
    if address.ip().is_loopback() {
        return None;
    }
    let where_to = match address.ip().is_unspecified() {
        true => "every interface".to_owned(),
        false => address.ip().to_string(),
    };
    Some(format!(
        "Server '{}' listens on {where_to} without a password: whoever can connect can start and stop programs ({}: write \
         port=127.0.0.1:{}, or set username and password, or add a section [user:NAME])",
        server.config.section,
        place(&server.config),
        address.port()
    ))
}

fn started_line(server: &OpenServer, clock: Clock) -> String {
    let at = ctime(&(clock.local)((clock.now)()));
    let (place, host, port) = match &server.listener {
        ListeningSocket::Unix(_, file) => {
            (file.path().to_owned(), "<unix domain socket>".to_owned(), file.path().to_owned())
        }
        ListeningSocket::Inet(listener, _) => match listener.local_addr() {
            Ok(address) => (address.ip().to_string(), address.ip().to_string(), address.port().to_string()),
            Err(_) => ("?".to_owned(), "?".to_owned(), "?".to_owned()),
        },
    };
    format!("{place}:Medusa (V1.12) started at {at}\n\tHostname: {host}\n\tPort:{port}")
}

#[cfg(test)]
mod tests;
