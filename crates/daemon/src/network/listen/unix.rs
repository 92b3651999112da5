//! Unix sockets: their files, and when these are removed.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use supervisord_sys::socket::{self, SocketError, UnixListening};
use supervisord_sys::trusted;
use supervisord_sys::user::current_name;

use super::error::ListenError;
use crate::network::limits::BACKLOG;

/// A second handle on a listening socket.
pub(super) type Spare = Arc<Mutex<Option<OwnedFd>>>;

/// The file of an open socket; dropping it removes the file, if it is still the same one.
#[derive(Debug)]
pub struct SocketFile {
    path: String,
    identity: (u64, u64),
    /// Set when the file must stay because another program continues the socket.
    kept: Arc<AtomicBool>,
    /// A second handle on the socket.
    spare: Spare,
}

/// A new socket at a path from which somebody has removed the old one.
pub struct Replacement {
    listener: UnixListener,
    spare: OwnedFd,
    identity: (u64, u64),
}

impl SocketFile {
    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file of a socket that was handed over.
    pub(super) fn adopt(path: &str) -> std::io::Result<SocketFile> {
        Ok(SocketFile::new(path, identity(path)?))
    }

    /// That of a socket that others have opened and keep: it is never removed.
    pub(super) fn of_others(path: &str) -> SocketFile {
        let file = SocketFile::new(path, identity(path).unwrap_or_default());
        file.kept.store(true, Ordering::SeqCst);
        file
    }

    fn new(path: &str, identity: (u64, u64)) -> SocketFile {
        SocketFile { path: path.to_owned(), identity, kept: Arc::default(), spare: Spare::default() }
    }

    /// The place of a second handle on the present socket.
    pub(super) fn spare(&self) -> Spare {
        self.spare.clone()
    }

    /// Answers whether somebody has removed the file. It may block.
    pub fn is_missing(&self) -> impl Fn() -> bool + Send + 'static {
        let path = self.path.clone();
        move || identity(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Goes on with another socket; gives its listener.
    pub fn replace(&mut self, Replacement { listener, spare, identity }: Replacement) -> UnixListener {
        self.identity = identity;
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(spare);
        listener
    }

    /// A switch that, once set, leaves the file where it is.
    pub(super) fn keeper(&self) -> Arc<AtomicBool> {
        self.kept.clone()
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::SeqCst) && identity(&self.path).is_ok_and(|found| found == self.identity) {
            // An error cannot be reported any more; the next start recognizes the file as stale.
            let _ = trusted::remove(&self.path);
        }
    }
}

fn identity(path: &str) -> std::io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// A listening socket at `path` with that mode and owner. Removes a stale socket there, with a notice on stderr.
pub(super) fn open(
    path: &str,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(UnixListener, SocketFile), ListenError> {
    let wanted = socket::SocketFileSpec { path: Path::new(path), mode, uid, gid };
    let UnixListening { socket, removed_stale } =
        socket::listen_unix(wanted, BACKLOG).map_err(|error| match error {
            SocketError::Owner => ListenError::Chown { path: path.to_owned(), uid, gid, user: current_name() },
            error => error.into(),
        })?;
    if removed_stale {
        crate::say(&mut std::io::stderr(), &format!("Unlinking stale socket {path}\n"));
    }
    let identity = identity(path)?;
    Ok((UnixListener::from(socket), SocketFile::new(path, identity)))
}

/// Whether a socket could listen at `path`; changes nothing.
pub(super) fn check_free(path: &str) -> Result<(), ListenError> {
    socket::check_free(Path::new(path)).map_err(ListenError::from)
}

/// A new socket for a path whose file somebody has removed. It may block.
pub(super) fn replacement(
    path: &str,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<Replacement, ListenError> {
    let (listener, file) = open(path, mode, uid, gid)?;
    let spare = listener.as_fd().try_clone_to_owned()?;
    listener.set_nonblocking(true)?;
    let identity = file.identity;
    // The one that is replaced goes on watching the file.
    file.kept.store(true, Ordering::SeqCst);
    Ok(Replacement { listener, spare, identity })
}
