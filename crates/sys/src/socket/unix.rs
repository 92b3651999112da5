//! Listening sockets in the file system.

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

/// A socket file to be made.
#[derive(Clone, Copy, Debug)]
pub struct SocketFile<'path> {
    /// Where.
    pub path: &'path Path,
    /// Permission bits.
    pub mode: u32,
    /// Owner, unchanged where none.
    pub uid: Option<u32>,
    /// Group, unchanged where none.
    pub gid: Option<u32>,
}

/// A socket that listens in the file system.
#[derive(Debug)]
pub struct UnixListening {
    /// The socket; it blocks and is closed on exec.
    pub socket: OwnedFd,
    /// Whether a dead socket of the same path had to be removed first.
    pub removed_stale: bool,
}

/// How often a path that keeps changing under our hands is looked at again.
const ATTEMPTS: usize = 5;

/// Listens under a path that nobody else listens under.
///
/// The socket is made as `PATH.PID` and then linked to its place, where it appears with its final owner and mode and
/// already accepts connections. A dead socket there is removed; a live one is [`SocketError::InUse`]; any other file is
/// left alone and is EEXIST. After an error nothing is left behind.
///
/// Where this process may give its files away but not link those of others, the owner comes last.
pub fn listen_unix(file: SocketFile<'_>, backlog: u32) -> Result<UnixListening, SocketError> {
    let (socket, temporary, made) = open_temporary(file.path)?;
    made.set_mode(file.mode)?;
    give(&made, file)?;
    listen(&socket, backlog)?;
    let removed_stale = match publish(&temporary.0, file.path) {
        Err(SocketError::System(Errno::EPERM)) => {
            made.take_back()?;
            let removed_stale = publish(&temporary.0, file.path)?;
            // While it is still ours: in a directory for everybody only the owner may remove a name.
            drop(temporary);
            if let Err(error) = give(&made, file) {
                let _ = trusted::remove(file.path);
                return Err(error);
            }
            removed_stale
        }
        published => published?,
    };
    Ok(UnixListening { socket, removed_stale })
}

/// Listens under a path, in place of any socket that is there; any other file is left alone and is EEXIST.
///
/// This is for FastCGI, whose sockets stay behind when a daemon is killed. After an error nothing is left behind.
pub fn replace_unix(file: SocketFile<'_>, backlog: u32) -> Result<OwnedFd, SocketError> {
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
    give(&made, file)?;
    listen(&socket, backlog)?;
    name.keep();
    Ok(socket)
}

/// Removes a socket file that nobody listens on; says whether there was one. A live one is [`SocketError::InUse`], any
/// other file EEXIST.
pub fn remove_dead(path: &Path) -> Result<bool, SocketError> {
    make_room(path)
}

/// Removes a socket file. What does not exist or is not a socket is left alone without an error.
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

/// A file that is removed when it goes out of scope.
struct RemovedOnDrop(PathBuf);

impl RemovedOnDrop {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // Nothing better can be done about a file that will not go.
            let _ = trusted::remove(&self.0);
        }
    }
}

fn open_temporary(path: &Path) -> Result<(OwnedFd, RemovedOnDrop, NewSocket), SocketError> {
    let mut name = OsString::from(path);
    name.push(format!(".{}", Pid::current()));
    let name = PathBuf::from(name);
    let address = address(&name)?;
    // Left behind by a process that had our number before us.
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

fn give(made: &NewSocket, file: SocketFile<'_>) -> Result<(), SocketError> {
    made.give_to(file.uid, file.gid).map_err(|error| match Errno::from(error) {
        Errno::EPERM => SocketError::Owner,
        other => other.into(),
    })
}

/// True when a dead socket had to make room.
fn publish(temporary: &Path, path: &Path) -> Result<bool, SocketError> {
    let mut removed_stale = false;
    for _ in 0..ATTEMPTS {
        match fs::hard_link(temporary, path) {
            Ok(()) => return Ok(removed_stale),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed_stale |= make_room(path)?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(SocketError::InUse)
}

/// Removes the socket at `path` if nobody listens on it; false when it was gone already.
fn make_room(path: &Path) -> Result<bool, SocketError> {
    let Some(before) = inode(path)? else { return Ok(false) };
    match connect(path) {
        Err(Errno::ECONNREFUSED) => {}
        Err(Errno::ENOENT) => return Ok(false),
        // A full queue, or a socket of another kind: somebody is there.
        Ok(()) | Err(Errno::EAGAIN | EINPROGRESS | EPROTOTYPE) => return Err(SocketError::InUse),
        Err(other) => return Err(other.into()),
    }
    // Another supervisor may have made room as well and be listening by now.
    if inode(path)? != Some(before) {
        return Ok(false);
    }
    remove(path)?;
    Ok(true)
}

const EINPROGRESS: Errno = Errno::new(libc::EINPROGRESS);
const EPROTOTYPE: Errno = Errno::new(libc::EPROTOTYPE);

/// Which socket stands at this path; none when there is nothing, EEXIST when there is something else.
fn inode(path: &Path) -> Result<Option<(u64, u64)>, SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(Some((metadata.dev(), metadata.ino()))),
        Ok(_) => Err(SocketError::System(Errno::EEXIST)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Without waiting: whether a listener accepts is known at once, and one that is too busy to is alive too.
fn connect(path: &Path) -> Result<(), Errno> {
    let address = UnixAddr::new(path)?;
    let socket = stream_socket(libc::AF_UNIX)?;
    set_nonblocking(socket.as_fd(), true)?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address)?;
    Ok(())
}
