//! Listening unix sockets.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno as NixErrno;
use nix::sys::socket::{UnixAddr, bind};

use super::{SocketError, listen, stream_socket};
use crate::fd::set_nonblocking;
use crate::trusted::{self, NewSocket, NewSocketPlace};
use crate::{Errno, Pid};

/// A socket file to create.
#[derive(Clone, Copy, Debug)]
pub struct SocketFileSpec<'path> {
    /// Its path.
    pub path: &'path Path,
    /// Permission bits.
    pub mode: u32,
    /// Owner; none leaves it unchanged.
    pub uid: Option<u32>,
    /// Group; none leaves it unchanged.
    pub gid: Option<u32>,
}

/// A listening unix socket.
#[derive(Debug)]
pub struct UnixListening {
    /// The socket; it is blocking and closed on exec.
    pub socket: OwnedFd,
    /// Whether a stale socket file at the path was removed first.
    pub removed_stale: bool,
}

/// How often a path that another process keeps changing is tried.
const MAX_ATTEMPTS: usize = 5;

/// Listens at a path that no other process listens at.
///
/// The socket is created as `PATH.PID` and then linked to its path, where it appears with its final owner and mode, and
/// already accepts connections. A stale socket file at the path is removed; a live socket is [`SocketError::InUse`];
/// any other file is left alone and is EEXIST. After an error no new file remains.
///
/// If this process may change the owner of its files but may not link files of others, it changes the owner last.
pub fn listen_unix(file: SocketFileSpec<'_>, backlog: u32) -> Result<UnixListening, SocketError> {
    let (socket, temporary, made) = open_temporary(file.path)?;
    made.set_mode(file.mode)?;
    set_owner_and_mode(&made, file)?;
    listen(&socket, backlog)?;
    let removed_stale = match publish(&temporary.0, file.path) {
        Err(SocketError::System(Errno::EPERM)) => {
            made.take_back()?;
            let removed_stale = publish(&temporary.0, file.path)?;
            // Removed while this process owns it: in a sticky directory only the owner may remove a name.
            drop(temporary);
            if let Err(error) = set_owner_and_mode(&made, file) {
                let _ = trusted::remove(file.path);
                return Err(error);
            }
            removed_stale
        }
        published => published?,
    };
    Ok(UnixListening { socket, removed_stale })
}

/// Listens at a path, replacing any socket file; any other file is left alone and is EEXIST.
///
/// This is for FastCGI, whose socket files remain when a daemon is killed. After an error no new file remains.
pub fn replace_unix(file: SocketFileSpec<'_>, backlog: u32) -> Result<OwnedFd, SocketError> {
    let address = address(file.path)?;
    remove(file.path)?;
    let socket = stream_socket(libc::AF_UNIX)?;
    let place = NewSocketPlace::of(file.path)?;
    bind(socket.as_raw_fd(), &address).map_err(|error| match error {
        NixErrno::EADDRINUSE => SocketError::System(Errno::EEXIST),
        other => other.into(),
    })?;
    let name = RemovedOnDrop(file.path.to_owned());
    let made = place.socket()?;
    made.set_mode(file.mode)?;
    set_owner_and_mode(&made, file)?;
    listen(&socket, backlog)?;
    name.keep();
    Ok(socket)
}

/// Removes a stale socket file; returns whether there was one. A live socket is [`SocketError::InUse`], any other file
/// EEXIST.
pub fn remove_dead(path: &Path) -> Result<bool, SocketError> {
    remove_stale(path)
}

/// Whether a socket could listen at `path`; changes nothing. A live socket is [`SocketError::InUse`], a file that is no socket
/// EEXIST.
pub fn check_free(path: &Path) -> Result<(), SocketError> {
    find_stale(path).map(drop)
}

/// Removes a socket file. Any other file, or none, is not an error and is left alone.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match trusted::remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A file that is removed when this is dropped.
struct RemovedOnDrop(PathBuf);

impl RemovedOnDrop {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // A file that cannot be removed stays.
            let _ = trusted::remove(&self.0);
        }
    }
}

fn open_temporary(path: &Path) -> Result<(OwnedFd, RemovedOnDrop, NewSocket), SocketError> {
    let mut name = OsString::from(path);
    name.push(format!(".{}", Pid::current()));
    let name = PathBuf::from(name);
    let address = address(&name)?;
    // A process that had our process id before may have left the file.
    remove(&name)?;
    let socket = stream_socket(libc::AF_UNIX)?;
    let place = NewSocketPlace::of(&name)?;
    bind(socket.as_raw_fd(), &address)?;
    let name = RemovedOnDrop(name);
    let made = place.socket()?;
    Ok((socket, name, made))
}

fn address(path: &Path) -> Result<UnixAddr, SocketError> {
    UnixAddr::new(path).map_err(|error| match error {
        NixErrno::ENAMETOOLONG => SocketError::PathTooLong,
        other => other.into(),
    })
}

fn set_owner_and_mode(made: &NewSocket, file: SocketFileSpec<'_>) -> Result<(), SocketError> {
    made.give_to(file.uid, file.gid).map_err(|error| match Errno::from(error) {
        Errno::EPERM => SocketError::Owner,
        other => other.into(),
    })
}

/// Returns whether a stale socket file was removed.
fn publish(temporary: &Path, path: &Path) -> Result<bool, SocketError> {
    let mut removed_stale = false;
    for _ in 0..MAX_ATTEMPTS {
        match fs::hard_link(temporary, path) {
            Ok(()) => return Ok(removed_stale),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed_stale |= remove_stale(path)?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(SocketError::InUse)
}

/// The socket file at `path` on which no process listens; none if there is no file.
fn find_stale(path: &Path) -> Result<Option<(u64, u64)>, SocketError> {
    let Some(found) = inode(path)? else { return Ok(None) };
    match connect(path) {
        Err(Errno::ECONNREFUSED) => Ok(Some(found)),
        Err(Errno::ENOENT) => Ok(None),
        // A full backlog, or a socket of another type: a process listens.
        Ok(_) | Err(Errno::EAGAIN | EINPROGRESS | EPROTOTYPE) => Err(SocketError::InUse),
        Err(other) => Err(other.into()),
    }
}

/// Removes the socket file at `path` if no process listens on it; false if it is gone already.
fn remove_stale(path: &Path) -> Result<bool, SocketError> {
    let Some(before) = find_stale(path)? else { return Ok(false) };
    // Another supervisor may have removed the file as well, and may listen by now.
    if inode(path)? != Some(before) {
        return Ok(false);
    }
    remove(path)?;
    Ok(true)
}

const EINPROGRESS: Errno = Errno::new(libc::EINPROGRESS);
const EPROTOTYPE: Errno = Errno::new(libc::EPROTOTYPE);

/// The inode of the socket file at this path; none if there is no file, EEXIST for another type of file.
fn inode(path: &Path) -> Result<Option<(u64, u64)>, SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(Some((metadata.dev(), metadata.ino()))),
        Ok(_) => Err(SocketError::System(Errno::EEXIST)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Does not block: the result is known at once, and a listener with a full backlog is alive, too.
pub(super) fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let address = UnixAddr::new(path)?;
    let socket = stream_socket(libc::AF_UNIX)?;
    set_nonblocking(socket.as_fd(), true)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address)?;
    Ok(socket)
}
