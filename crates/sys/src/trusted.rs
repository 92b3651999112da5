//! Opening files as root in places where others may put what they like.
//!
//! A path may lead through directories of users who gain something when root writes to, empties, renames or reads another
//! file than was meant. So a link that is not of root or of the daemon's own user, or that stands for a file in somebody's
//! directory, is followed only to what is in a directory of the same owner, who can do there as he likes anyway, and never
//! into `/proc`; a file with several names is taken only where nobody else could have given it one of them; and in a directory for everybody, such as `/tmp`, only
//! files of root or of the daemon's user are taken, as the system itself does with `fs.protected_regular`.
//!
//! Everything is looked at by descriptors, so that nobody can put something else in its place meanwhile. For a daemon that
//! is not root all this is up to the system; elsewhere than on Linux, too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::system::trusted_walk as walk;

/// Opening neither waits for the other end nor makes a terminal the controlling one.
pub(crate) const NEVER_WAIT: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// Opens a log for reading; never waits.
pub fn open_read(path: &str) -> io::Result<File> {
    open(path, libc::O_RDONLY | NEVER_WAIT, 0)
}

/// Opens what is to be written anew, and is there already or not: it is not emptied yet. Never waits.
pub fn open_write(path: &str, mode: u32) -> io::Result<File> {
    open(path, libc::O_WRONLY | libc::O_CREAT | NEVER_WAIT, mode)
}

/// Opens what is there already for reading and writing. Never waits.
pub fn open_read_write(path: &str) -> io::Result<File> {
    open(path, libc::O_RDWR | NEVER_WAIT, 0)
}

/// Makes a file that is not there yet.
pub fn create_new(path: &str, mode: u32) -> io::Result<File> {
    open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, mode)
}

/// Opens `path` with these flags of `open(2)`, and creates it with `mode` (less the file mode mask) where they say so. Fails
/// with ELOOP where a link must not be followed, with EACCES where the file is not to be trusted.
pub fn open(path: &str, flags: i32, mode: u32) -> io::Result<File> {
    walk::open(OsStr::new(path), flags, mode)
}

/// Renames a file.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    walk::rename(from.as_ref().as_os_str(), to.as_ref().as_os_str())
}

/// Removes a file; of a link the link itself.
pub fn remove(path: impl AsRef<Path>) -> io::Result<()> {
    walk::remove(path.as_ref().as_os_str())
}

/// Where a socket file is to be made.
pub struct NewSocketPlace {
    place: walk::Place,
    /// What is older was not made by us.
    before: Duration,
}

impl NewSocketPlace {
    /// To be asked for before the socket is made.
    pub fn of(path: &Path) -> io::Result<NewSocketPlace> {
        Ok(NewSocketPlace { place: walk::place(path.as_os_str())?, before: walk::file_time() })
    }

    /// The socket that has been made there. Fails with EACCES where somebody has put something else in its place.
    pub fn socket(&self) -> io::Result<NewSocket> {
        walk::NewSocket::find(&self.place, self.before).map(NewSocket)
    }
}

/// A socket file that has been made just now, whatever becomes of its name.
pub struct NewSocket(walk::NewSocket);

impl NewSocket {
    /// Sets the permission bits.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_mode(mode)
    }

    /// Gives it to a user and a group, unchanged where none.
    pub fn give_to(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        if uid.is_some() || gid.is_some() { self.0.set_owner(uid, gid) } else { Ok(()) }
    }

    /// Gives it back to whom this process is.
    pub fn take_back(&self) -> io::Result<()> {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        self.0.set_owner(Some(uid), Some(gid))
    }
}

/// Whether nobody but root and the daemon's own user can have put a link with this path where it is.
pub fn is_link_of_ours(path: &Path) -> bool {
    if crate::user::effective_uid() != 0 {
        return true;
    }
    let is_of_root = |path: &Path| fs::symlink_metadata(path).is_ok_and(|there| there.uid() == 0);
    is_of_root(path) && path.parent().is_none_or(is_of_root)
}

#[cfg(test)]
mod tests;
