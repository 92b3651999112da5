//! Why a server cannot be opened, in the words that end the start.

use std::fmt;
use std::io;
use std::path::Path;

use supervisord_config::model::{HttpServer, ServerAddress};
use supervisord_sys::Errno;
use supervisord_sys::socket::{self, Holder, SocketError};
use supervisord_sys::user::current_name;
use supervisord_tls::tls_error::TlsError;

/// Why a server could not be opened; displays as the text that ends the start.
#[derive(Debug)]
pub enum ListenError {
    /// Somebody answers there already.
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
    /// The certificate or key of the server cannot be used.
    Tls(TlsError),
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
            ListenError::Tls(error) => write!(f, "Cannot open an HTTP server: {error}"),
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
            ListenError::Chown { .. } | ListenError::Tls(_) => String::new(),
            ListenError::Resolve(_) => ": the name of the host cannot be resolved".to_owned(),
            ListenError::PathTooLong => ": name a shorter path".to_owned(),
            ListenError::System(Errno::EACCES) => format!(": {}, as user {}", Errno::EACCES, current_name()),
            // The original removes a file that is not a socket; here it is left alone.
            ListenError::System(Errno::EEXIST) => format!(": {}", self.obstacle()),
            ListenError::System(error) => format!(": {error}"),
        }
    }

    /// What is in the place of the socket.
    fn obstacle(&self) -> String {
        let kind = match &self.server.address {
            ServerAddress::Unix { path, .. } => std::fs::symlink_metadata(path).ok().map(|found| found.file_type()),
            ServerAddress::Inet { .. } => None,
        };
        match kind {
            Some(kind) if kind.is_symlink() => {
                "a symbolic link is there; remove it, or write the path that it leads to".to_owned()
            }
            Some(kind) if kind.is_dir() => "a directory is there".to_owned(),
            _ => "a file that is no socket is there; remove it, or write another path".to_owned(),
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
            (None, _) => String::new(),
        }
    }
}

/// Section and address of a server, as they are written.
pub(super) fn place(HttpServer { section, address, .. }: &HttpServer) -> String {
    match address {
        ServerAddress::Inet { host, port } if host.is_empty() => format!("[{section}] port={port}"),
        ServerAddress::Inet { host, port } if host.contains(':') => format!("[{section}] port=[{host}]:{port}"),
        ServerAddress::Inet { host, port } => format!("[{section}] port={host}:{port}"),
        ServerAddress::Unix { path, .. } => format!("[{section}] file={path}"),
    }
}
