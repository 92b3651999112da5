//! Resolves a path component by component, and opens, renames or removes the file at its end.

use std::collections::VecDeque;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

use crate::user_ids::effective_uid;

/// The most links to follow, as in the kernel.
const MAX_LINKS: usize = 40;

pub(crate) fn open(path: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    if effective_uid() != 0 {
        return open_at(None, path, flags, mode);
    }
    match open_without_links(path, flags, mode) {
        Ok(file) => {
            if !is_own_file(&fstat(&file)?) {
                let parent = Walk::along(path)?.into_place()?;
                check(&file, parent.directory.as_fd())?;
            }
            Ok(file)
        }
        // A link, or a system without this call or with a filter that forbids it.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOSYS | libc::EPERM | libc::E2BIG)) => {
            let place = Walk::along_links(path)?.into_place()?;
            let flags = if place.is_in_proc { flags } else { flags | libc::O_NOFOLLOW };
            let file = open_at(Some(place.directory.as_fd()), &place.name, flags, mode)?;
            check(&file, place.directory.as_fd())?;
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file that must not be a link itself.
pub(crate) fn open_unfollowed(path: &OsStr, flags: i32) -> io::Result<File> {
    let flags = flags | libc::O_NOFOLLOW;
    if effective_uid() != 0 {
        return open_at(None, path, flags, 0);
    }
    let place = Walk::along(path)?.into_place()?;
    let file = open_at(Some(place.directory.as_fd()), &place.name, flags, 0)?;
    check(&file, place.directory.as_fd())?;
    Ok(file)
}

pub(crate) fn rename(from: &OsStr, to: &OsStr) -> io::Result<()> {
    if effective_uid() != 0 {
        return fs::rename(from, to);
    }
    let (from, to) = (Walk::along(from)?.into_place()?, Walk::along(to)?.into_place()?);
    Ok(renameat(&from.directory, from.name.as_os_str(), &to.directory, to.name.as_os_str())?)
}

pub(crate) fn remove(path: &OsStr) -> io::Result<()> {
    if effective_uid() != 0 {
        return fs::remove_file(path);
    }
    let place = Walk::along(path)?.into_place()?;
    Ok(unlinkat(&place.directory, place.name.as_os_str(), UnlinkatFlags::NoRemoveDir)?)
}

/// Resolves a path to the directory and the name at its end.
pub(crate) fn place(path: &OsStr) -> io::Result<Place> {
    Walk::along(path)?.into_place()
}

/// A socket file that was just created.
pub(crate) struct NewSocket {
    file: OwnedFd,
}

impl NewSocket {
    /// Finds the socket that this process has created at a place since `before`, and not one that another user has put
    /// there since.
    pub(crate) fn find(place: &Place, before: Duration) -> io::Result<NewSocket> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&place.directory, place.name.as_os_str(), flags, Mode::empty())?;
        let there = fstat(&file)?;
        let parent = fstat(&place.directory)?;
        // If no other user can rename our files, the creation time does not matter.
        let is_safe = !is_open_to_others(&parent) || is_trusted(parent.st_uid) && parent.st_mode & libc::S_ISVTX != 0;
        let is_new = is_safe || birth(&file).is_none_or(|birth| birth >= before);
        let is_ours = is_kind(&there, SFlag::S_IFSOCK) && there.st_uid == effective_uid() && there.st_nlink == 1;
        if is_ours && is_new { Ok(NewSocket { file }) } else { Err(io::Error::from_raw_os_error(libc::EACCES)) }
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        // Only Linux since 6.6 has a call for this.
        match change_mode(self.file.as_fd(), mode) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP)) => {
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
            }
            done => done,
        }
    }

    pub(crate) fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        Ok(fchownat(&self.file, "", uid, gid, AtFlags::AT_EMPTY_PATH)?)
    }
}

/// The creation time of a new file, since the epoch.
pub(crate) fn file_time() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE);
    now.map_or(Duration::ZERO, Duration::from)
}

fn change_mode(file: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    const FCHMODAT2: libc::c_long = 452;
    // SAFETY: the path is empty and ends in NUL; the other arguments are numbers.
    match unsafe { libc::syscall(FCHMODAT2, file.as_raw_fd(), c"".as_ptr(), mode, libc::AT_EMPTY_PATH) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The creation time of a file, since the epoch; none if the file system does not store it.
fn birth(file: &OwnedFd) -> Option<Duration> {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut there: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path is empty and ends in NUL, and the structure is one to write to.
    let done =
        unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, libc::STATX_BTIME, &raw mut there) };
    let is_known = done == 0 && there.stx_mask & libc::STATX_BTIME != 0;
    is_known.then(|| Duration::new(there.stx_btime.tv_sec.try_into().unwrap_or(0), there.stx_btime.tv_nsec))
}

/// The directory at the end of a path, and the last name.
pub(crate) struct Place {
    directory: OwnedFd,
    name: OsString,
    /// Whether the directory is in `/proc`, whose links are not paths.
    is_in_proc: bool,
}

/// The resolution of a path.
struct Walk {
    directory: OwnedFd,
    rest: VecDeque<OsString>,
    /// Whether a link as the last component is followed.
    follows_last: bool,
    links: usize,
    /// The owner of a followed link, if not trusted.
    led_by: Option<u32>,
}

impl Walk {
    /// Resolves to the end of the path itself, which may be a link.
    fn along(path: &OsStr) -> io::Result<Walk> {
        Walk::begin(path, false)
    }

    /// Resolves to the end of the path, following a link there.
    fn along_links(path: &OsStr) -> io::Result<Walk> {
        Walk::begin(path, true)
    }

    fn begin(path: &OsStr, follows_last: bool) -> io::Result<Walk> {
        let start = if path.as_bytes().first() == Some(&b'/') { "/" } else { "." };
        let directory = openat(AT_FDCWD, start, DIRECTORY, Mode::empty())?;
        Ok(Walk { directory, rest: components(path), follows_last, links: 0, led_by: None })
    }

    fn into_place(mut self) -> io::Result<Place> {
        loop {
            let name = self.rest.pop_front().ok_or_else(|| io::Error::from_raw_os_error(libc::EISDIR))?;
            let is_last = self.rest.is_empty();
            if is_last && name == ".." {
                return Err(io::Error::from_raw_os_error(libc::EISDIR));
            }
            let is_in_proc = is_proc(self.directory.as_fd());
            if is_last && (is_in_proc || !self.follows_last) {
                return self.finish(name, is_in_proc);
            }
            match self.link(&name)? {
                Some(link) if !is_in_proc => self.follow(&link, is_last)?,
                None if is_last => return self.finish(name, false),
                _ => self.enter(&name, is_in_proc)?,
            }
        }
    }

    /// The link with this name in the directory; none for another type of file, or if it does not exist.
    fn link(&self, name: &OsStr) -> io::Result<Option<OwnedFd>> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(found) => Ok(is_kind(&fstat(&found)?, SFlag::S_IFLNK).then_some(found)),
            Err(nix::errno::Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn follow(&mut self, link: &OwnedFd, is_to_file: bool) -> io::Result<()> {
        self.links += 1;
        let (there, parent) = (fstat(link)?, fstat(&self.directory)?);
        // A link of root with a second name may not be where root created it.
        let is_moved = there.st_nlink > 1 && is_open_to_others(&parent);
        if self.links > MAX_LINKS || is_moved {
            return Err(refused());
        }
        // A link in place of a file in a directory of another user may have been renamed by that user.
        for owner in [Some(there.st_uid), is_to_file.then_some(parent.st_uid)].into_iter().flatten() {
            if !is_trusted(owner) {
                self.check_link_owner(owner)?;
            }
        }
        let target = readlinkat(link, "")?;
        if target.as_bytes().first() == Some(&b'/') {
            self.directory = openat(AT_FDCWD, "/", DIRECTORY, Mode::empty())?;
        }
        for component in components(&target).into_iter().rev() {
            self.rest.push_front(component);
        }
        Ok(())
    }

    /// Links of two untrusted owners in one path are refused: each owner could only lead to own files.
    fn check_link_owner(&mut self, owner: u32) -> io::Result<()> {
        match self.led_by.replace(owner) {
            Some(other) if other != owner => Err(refused()),
            _ => Ok(()),
        }
    }

    fn enter(&mut self, name: &OsStr, is_in_proc: bool) -> io::Result<()> {
        let follow = if is_in_proc { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        self.directory = openat(&self.directory, name, DIRECTORY | follow, Mode::empty())?;
        Ok(())
    }

    fn finish(self, name: OsString, is_in_proc: bool) -> io::Result<Place> {
        match self.led_by {
            Some(owner) if fstat(&self.directory)?.st_uid != owner || is_in_proc => Err(refused()),
            _ => Ok(Place { directory: self.directory, name, is_in_proc }),
        }
    }
}

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

fn components(path: &OsStr) -> VecDeque<OsString> {
    let named = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    Path::new(path).components().filter_map(named).collect()
}

/// Checks whether root may write to or read an open file. Other types than regular files cannot be forged.
fn check(file: &File, directory: BorrowedFd<'_>) -> io::Result<()> {
    let (there, parent) = (fstat(file)?, fstat(directory)?);
    if is_own_file(&there) {
        return Ok(());
    }
    let is_for_everybody = parent.st_mode & libc::S_ISVTX != 0 && parent.st_mode & 0o002 != 0;
    let is_someone_elses = !is_trusted(there.st_uid) && there.st_uid != parent.st_uid;
    let has_forged_name = there.st_nlink > 1 && there.st_uid != parent.st_uid && is_open_to_others(&parent);
    if has_forged_name || is_for_everybody && is_someone_elses {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    Ok(())
}

/// Whether other users may create files in a directory, and could profit from it.
fn is_open_to_others(directory: &FileStat) -> bool {
    !is_trusted(directory.st_uid) || effective_uid() == 0 && directory.st_mode & 0o022 != 0
}

/// Whether a file needs no further check: no other user has created it, or given it a name.
fn is_own_file(there: &FileStat) -> bool {
    !is_kind(there, SFlag::S_IFREG) || is_trusted(there.st_uid) && there.st_nlink == 1
}

/// Whether a user gains nothing from actions of root.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || effective_uid() != 0
}

fn is_kind(there: &FileStat, kind: SFlag) -> bool {
    there.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

fn is_proc(directory: BorrowedFd<'_>) -> bool {
    nix::sys::statfs::fstatfs(directory)
        .is_ok_and(|there| there.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::ELOOP)
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn open_at(directory: Option<BorrowedFd<'_>>, name: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    let name = c_string(name)?;
    let directory = directory.map_or(libc::AT_FDCWD, |directory| directory.as_raw_fd());
    loop {
        // SAFETY: the name ends in NUL, and the mode has the type that the system expects.
        let number = unsafe { libc::openat(directory, name.as_ptr(), flags | libc::O_CLOEXEC, mode) };
        match number {
            0.. => {
                // SAFETY: the call has just created this descriptor, so it has no other owner.
                return Ok(unsafe { OwnedFd::from_raw_fd(number) }.into());
            }
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// The common case in one call: a path without links needs no checks.
fn open_without_links(path: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    let path = c_string(path)?;
    // SAFETY: all zeros is a valid value of this structure of numbers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = if flags & libc::O_CREAT != 0 { u64::from(mode) } else { 0 };
    how.resolve = libc::RESOLVE_NO_SYMLINKS;
    loop {
        // SAFETY: the path ends in NUL, and the structure has the given size.
        let number = unsafe {
            libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of::<libc::open_how>())
        };
        match i32::try_from(number) {
            Ok(number @ 0..) => {
                // SAFETY: the call has just created this descriptor, so it has no other owner.
                return Ok(unsafe { OwnedFd::from_raw_fd(number) }.into());
            }
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}
