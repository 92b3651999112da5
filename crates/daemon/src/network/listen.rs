//! Opening the configured servers: every one of them or none.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use supervisord_config::model::{HttpServer, LogLevel, ServerAddress};
use supervisord_sys::Errno;
use supervisord_sys::socket::{self, Holder, SocketError};
use supervisord_sys::user::current_name;

use crate::activity::Activity;
use crate::api::Clock;
use crate::network::access::ctime;
use crate::network::auth;

mod unix;

pub use unix::{Replacement, SocketFile};

/// A second handle on a listening socket.
type Spare = Arc<Mutex<Option<OwnedFd>>>;

/// A configured server with its socket, accepting into the backlog but not yet answering.
#[derive(Debug)]
pub struct OpenServer {
    /// Its configuration.
    pub config: HttpServer,
    /// Its socket.
    pub listener: Listener,
    /// Clients that were connected before.
    pub clients: Vec<OwnedFd>,
}

/// A listening socket. Dropping it also removes its file, so that a start that fails half-way leaves nothing behind.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Inet(TcpListener),
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
            Listener::Inet(listener) => (listener.as_fd().try_clone_to_owned()?, Spare::default(), None),
            Listener::Unix(listener, file) => {
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
            ServerAddress::Inet { .. } => Listener::Inet(socket.into()),
            ServerAddress::Unix { path, .. } => match SocketFile::adopt(path) {
                Ok(file) => Listener::Unix(socket.into(), file),
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

/// Why a server could not be opened; displays as the text that ends the start.
#[derive(Debug)]
pub enum ListenError {
    /// Somebody answers there already, or the path holds something that is not ours to remove.
    InUse,
    /// The owner of a socket file may not be changed.
    Chown {
        /// Path of the socket.
        path: String,
        /// Wanted user id.
        uid: Option<u32>,
        /// Wanted group id.
        gid: Option<u32>,
        /// Login name of the user the daemon runs as.
        user: String,
    },
    /// The host name is not known; the number is the resolver's.
    Resolve(i32),
    /// A socket path longer than the system can store.
    PathTooLong,
    /// Any other refusal of the system.
    System(Errno),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::InUse => f.write_str(
                "Another program is already listening on a port that one of our HTTP servers is configured to use.  \
                 Shut this program down first before starting supervisord.",
            ),
            ListenError::Chown { path, uid, gid, user } => {
                // An owner that is to stay as it is shows as the -1 that chown(2) takes.
                let id = |id: &Option<u32>| id.map_or(-1, i64::from);
                write!(
                    f,
                    "Not permitted to chown {path} to uid/gid ({}, {}); adjust \"sockchown\" value in config file or \
                     on command line to values that the current user ({user}) can successfully chown",
                    id(uid),
                    id(gid),
                )
            }
            ListenError::Resolve(code) => cannot_open(f, &code.to_string()),
            ListenError::PathTooLong => cannot_open(f, "AF_UNIX path too long"),
            ListenError::System(error) => cannot_open(f, &reason(*error)),
        }
    }
}

impl std::error::Error for ListenError {}

fn cannot_open(f: &mut fmt::Formatter<'_>, reason: &str) -> fmt::Result {
    write!(f, "Cannot open an HTTP server: socket.error reported {reason}")
}

/// `errno.EACCES (13)`, or the bare number where it has no name.
fn reason(error: Errno) -> String {
    match error.name() {
        Some(name) => format!("errno.{name} ({})", error.number()),
        None => error.number().to_string(),
    }
}

impl From<SocketError> for ListenError {
    fn from(error: SocketError) -> ListenError {
        match error {
            SocketError::InUse => ListenError::InUse,
            SocketError::Resolve(code) => ListenError::Resolve(code),
            SocketError::PathTooLong => ListenError::PathTooLong,
            SocketError::Owner => ListenError::System(Errno::EPERM),
            SocketError::System(error) => ListenError::System(error),
        }
    }
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> ListenError {
        ListenError::System(error.into())
    }
}

/// A server that could not be opened.
#[derive(Debug)]
pub struct ServerError {
    /// Its configuration.
    pub server: Box<HttpServer>,
    /// Why not.
    pub reason: ListenError,
}

impl ServerError {
    /// The text that ends the start: the words of the original, then which server it is and what is known besides.
    pub fn describe(&self) -> String {
        format!("{} ({}{})", self.reason, place(&self.server), self.explanation())
    }

    fn explanation(&self) -> String {
        match &self.reason {
            ListenError::InUse => self.user(),
            ListenError::Chown { .. } => String::new(),
            ListenError::Resolve(_) => ": the name of the host cannot be resolved".to_owned(),
            ListenError::PathTooLong => ": name a shorter path".to_owned(),
            ListenError::System(Errno::EACCES) => format!(": {}, as user {}", Errno::EACCES, current_name()),
            ListenError::System(error) => format!(": {error}"),
        }
    }

    /// Who is there already.
    fn user(&self) -> String {
        let holder = match &self.server.address {
            ServerAddress::Inet { port, .. } => socket::holder_of_port(*port),
            ServerAddress::Unix { path, .. } => socket::holder_of_path(Path::new(path)),
        };
        match (holder, &self.server.address) {
            (Some(holder), _) if holder.pid == std::process::id() => {
                " is used by another server of this configuration".to_owned()
            }
            (Some(Holder { pid, name }), _) => format!(" is used by {name}, pid {pid}"),
            (None, ServerAddress::Unix { path, .. }) if !is_socket(path) => {
                ": a file that is no socket is there".to_owned()
            }
            (None, _) => String::new(),
        }
    }
}

/// Section and address of a server, as they are written.
fn place(HttpServer { section, address, .. }: &HttpServer) -> String {
    match address {
        ServerAddress::Inet { host, port } if host.is_empty() => format!("[{section}] port={port}"),
        ServerAddress::Inet { host, port } if host.contains(':') => format!("[{section}] port=[{host}]:{port}"),
        ServerAddress::Inet { host, port } => format!("[{section}] port={host}:{port}"),
        ServerAddress::Unix { path, .. } => format!("[{section}] file={path}"),
    }
}

fn is_socket(path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// How many clients may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Opens the servers in the given order. Where one fails, the socket files of those before it are removed again.
///
/// Dead sockets in the way are removed, with a notice on stderr.
pub fn open(servers: &[HttpServer]) -> Result<Vec<OpenServer>, ServerError> {
    let open = |server: &HttpServer| {
        open_one(server).map_err(|reason| ServerError { server: Box::new(server.clone()), reason })
    };
    servers.iter().map(open).collect()
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

fn open_one(config: &HttpServer) -> Result<OpenServer, ListenError> {
    let listener = match &config.address {
        ServerAddress::Inet { host, port } => Listener::Inet(socket::listen_tcp(host, *port, BACKLOG)?.into()),
        ServerAddress::Unix { path, mode, uid, gid } => {
            let (listener, file) = unix::open(path, *mode, *uid, *gid)?;
            Listener::Unix(listener, file)
        }
    };
    Ok(OpenServer { config: config.clone(), listener, clients: Vec::new() })
}

/// Logs, server by server, what a start logs about its servers.
pub fn announce(servers: &[OpenServer], namespaces: &[String], activity: &Activity, clock: Clock) {
    for server in servers {
        activity.log(LogLevel::Trace, &started_line(server, clock));
        for namespace in namespaces {
            activity.log(LogLevel::Info, &format!("RPC interface '{namespace}' initialized"));
        }
        let section = &server.config.section;
        match &server.config.credentials {
            None => {
                let text = format!("Server '{section}' running without any HTTP authentication checking");
                activity.log(LogLevel::Critical, &text);
                if let Some(warning) = open_to_everybody(server) {
                    activity.log(LogLevel::Warn, &warning);
                }
            }
            Some(credentials) if !auth::is_usable(credentials) => activity.log(
                LogLevel::Critical,
                &format!("Server '{section}' has a password hash that cannot be read and refuses every request"),
            ),
            Some(_) => (),
        }
    }
}

/// What there is to say of a server without password that does not only listen to this machine.
fn open_to_everybody(server: &OpenServer) -> Option<String> {
    let Listener::Inet(listener) = &server.listener else { return None };
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
         port=127.0.0.1:{}, or set username and password)",
        server.config.section,
        place(&server.config),
        address.port()
    ))
}

fn started_line(server: &OpenServer, clock: Clock) -> String {
    let at = ctime(&(clock.local)((clock.now)()));
    let (place, host, port) = match &server.listener {
        Listener::Unix(_, file) => (file.path().to_owned(), "<unix domain socket>".to_owned(), file.path().to_owned()),
        Listener::Inet(listener) => match listener.local_addr() {
            Ok(address) => (address.ip().to_string(), address.ip().to_string(), address.port().to_string()),
            Err(_) => ("?".to_owned(), "?".to_owned(), "?".to_owned()),
        },
    };
    format!("{place}:Medusa (V1.12) started at {at}\n\tHostname: {host}\n\tPort:{port}")
}

#[cfg(test)]
mod tests;
