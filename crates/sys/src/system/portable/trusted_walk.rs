//! Without checks: the system alone decides about links.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown};
use std::time::Duration;

pub(crate) fn open(path: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    let access = flags & libc::O_ACCMODE;
    let mut options = OpenOptions::new();
    options.read(access != libc::O_WRONLY).write(access != libc::O_RDONLY);
    options.create(flags & libc::O_CREAT != 0).mode(mode).custom_flags(flags & !libc::O_ACCMODE).open(path)
}

pub(crate) fn open_unfollowed(path: &OsStr, flags: i32) -> io::Result<File> {
    open(path, flags | libc::O_NOFOLLOW, 0)
}

pub(crate) fn rename(from: &OsStr, to: &OsStr) -> io::Result<()> {
    fs::rename(from, to)
}

pub(crate) fn remove(path: &OsStr) -> io::Result<()> {
    fs::remove_file(path)
}

pub(crate) struct Place(OsString);

pub(crate) fn place(path: &OsStr) -> io::Result<Place> {
    Ok(Place(path.to_owned()))
}

pub(crate) struct NewSocket(OsString);

impl NewSocket {
    pub(crate) fn find(place: &Place, _before: Duration) -> io::Result<NewSocket> {
        Ok(NewSocket(place.0.clone()))
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(&self.0, fs::Permissions::from_mode(mode))
    }

    pub(crate) fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        lchown(&self.0, uid, gid)
    }
}

pub(crate) fn file_time() -> Duration {
    Duration::ZERO
}
