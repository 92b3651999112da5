//! Opens files as root in directories where other users may create files.
//!
//! A path may lead through directories of users who would profit if root wrote to, truncated, renamed or read another
//! file than intended. So a link that belongs neither to root nor to the daemon's own user, or that replaces a file in
//! a user's directory, is followed only to files in a directory of the same owner, who controls that directory anyway,
//! and never into `/proc`. A file with several names is accepted only if no other user could have given it one of them.
//! In a world-writable directory such as `/tmp`, only files of root or of the daemon's user are accepted, as with the
//! kernel's `fs.protected_regular`.
//!
//! Children do not inherit files of a file server, which they could not close while it does not answer.
//!
//! All checks use descriptors, so that no user can replace a file between the check and its use. For a daemon that is
//! not root, and on systems other than Linux, the system alone decides.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use crate::system::{self, trusted_walk as walk};

/// Flags for opening without waiting for the other end, and without getting a controlling terminal.
pub(crate) const NON_BLOCKING: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// Opens a log for reading; never blocks.
pub fn open_read(path: &str) -> io::Result<File> {
    open(path, libc::O_RDONLY | NON_BLOCKING, 0)
}

/// The same for a name that this process has made itself. Fails with ELOOP for a link.
pub fn open_read_unfollowed(path: &str) -> io::Result<File> {
    walk::open_unfollowed(OsStr::new(path), libc::O_RDONLY | NON_BLOCKING).map(system::keep_from_children)
}

/// Opens a file that the configuration names for reading, following links as the system does; does not wait for the other end of
/// a named pipe.
pub fn open_configured(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(path).map(system::keep_from_children)
}

/// Opens a file to be overwritten, and creates it if it does not exist; does not truncate it. Never blocks.
pub fn open_write(path: &str, mode: u32) -> io::Result<File> {
    open(path, libc::O_WRONLY | libc::O_CREAT | NON_BLOCKING, mode)
}

/// Opens an existing file for reading and writing. Never blocks.
pub fn open_read_write(path: &str) -> io::Result<File> {
    open(path, libc::O_RDWR | NON_BLOCKING, 0)
}

/// Creates a file that must not exist.
pub fn create_new(path: &str, mode: u32) -> io::Result<File> {
    open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, mode)
}

/// Creates a file that must not exist, for reading and writing.
pub fn create_new_read_write(path: &str, mode: u32) -> io::Result<File> {
    open(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL, mode)
}

/// Opens `path` with these flags of `open(2)`; if they include `O_CREAT`, creates it with `mode` (less the file mode
/// mask). Fails with ELOOP if a link must not be followed, with EACCES if the file is not trusted.
pub fn open(path: &str, flags: i32, mode: u32) -> io::Result<File> {
    walk::open(OsStr::new(path), flags, mode).map(system::keep_from_children)
}

/// Renames a file.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    walk::rename(from.as_ref().as_os_str(), to.as_ref().as_os_str())
}

/// Removes a file, or a link itself.
pub fn remove(path: impl AsRef<Path>) -> io::Result<()> {
    walk::remove(path.as_ref().as_os_str())
}

/// The place of a socket file to be created.
pub struct NewSocketPlace {
    place: walk::Place,
    /// An older file is not the socket of this process.
    before: Duration,
}

impl NewSocketPlace {
    /// Must be called before the socket is created.
    pub fn of(path: &Path) -> io::Result<NewSocketPlace> {
        Ok(NewSocketPlace { place: walk::place(path.as_os_str())?, before: walk::file_time() })
    }

    /// The socket that was created there. Fails with EACCES if another user has replaced it.
    pub fn socket(&self) -> io::Result<NewSocket> {
        walk::NewSocket::find(&self.place, self.before).map(NewSocket)
    }
}

/// A socket file that was just created, independent of its name.
pub struct NewSocket(walk::NewSocket);

impl NewSocket {
    /// Sets the permission bits.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_mode(mode)
    }

    /// Changes its owner and group; none leaves them unchanged.
    pub fn give_to(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        if uid.is_some() || gid.is_some() { self.0.set_owner(uid, gid) } else { Ok(()) }
    }

    /// Changes its owner back to the user of this process.
    pub fn take_back(&self) -> io::Result<()> {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        self.0.set_owner(Some(uid), Some(gid))
    }
}

/// Whether only root or the daemon's own user can have created the link at this path.
pub fn is_link_of_ours(path: &Path) -> bool {
    if crate::user::effective_uid() != 0 {
        return true;
    }
    let is_of_root = |path: &Path| fs::symlink_metadata(path).is_ok_and(|there| there.uid() == 0);
    is_of_root(path) && path.parent().is_none_or(is_of_root)
}

#[cfg(test)]
mod tests;
