//! The walk along a path, component by component, and what may be done at its end.

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

use crate::user::effective_uid;

/// How many links in a row are followed, as the system does.
const MOST_LINKS: usize = 40;

pub(crate) fn open(path: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    if effective_uid() != 0 {
        return open_at(None, path, flags, mode);
    }
    match open_without_links(path, flags, mode) {
        Ok(file) => {
            if !is_of_ours(&fstat(&file)?) {
                let parent = Walk::along(path)?.into_place()?;
                check(&file, parent.directory.as_fd())?;
            }
            Ok(file)
        }
        // A link, a system without the call, or one that forbids it.
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

/// Where a path ends.
pub(crate) fn place(path: &OsStr) -> io::Result<Place> {
    Walk::along(path)?.into_place()
}

/// A socket file that has just been made.
pub(crate) struct NewSocket {
    file: OwnedFd,
}

impl NewSocket {
    /// Finds the socket that this process has made in a place since `before`, and not one that somebody has put there
    /// meanwhile.
    pub(crate) fn find(place: &Place, before: Duration) -> io::Result<NewSocket> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&place.directory, place.name.as_os_str(), flags, Mode::empty())?;
        let there = fstat(&file)?;
        let parent = fstat(&place.directory)?;
        // Where nobody else can rename what is ours, the clock of the file system is of no interest.
        let is_safe = !is_open_to_others(&parent) || is_trusted(parent.st_uid) && parent.st_mode & libc::S_ISVTX != 0;
        let is_new = is_safe || birth(&file).is_none_or(|birth| birth >= before);
        let is_ours = is_kind(&there, SFlag::S_IFSOCK) && there.st_uid == effective_uid() && there.st_nlink == 1;
        if is_ours && is_new { Ok(NewSocket { file }) } else { Err(io::Error::from_raw_os_error(libc::EACCES)) }
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        // There is a call for this only since Linux 6.6.
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

/// The time that new files have, after the epoch.
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

/// When a file was made, after the epoch; none where the file system does not know.
fn birth(file: &OwnedFd) -> Option<Duration> {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut there: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path is empty and ends in NUL, and the structure is one to write to.
    let done =
        unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, libc::STATX_BTIME, &raw mut there) };
    let is_known = done == 0 && there.stx_mask & libc::STATX_BTIME != 0;
    is_known.then(|| Duration::new(there.stx_btime.tv_sec.try_into().unwrap_or(0), there.stx_btime.tv_nsec))
}

/// The directory in which a path ends, and the last name.
pub(crate) struct Place {
    directory: OwnedFd,
    name: OsString,
    /// Whether the links there are those of the system, which are no paths.
    is_in_proc: bool,
}

/// A walk along a path.
struct Walk {
    directory: OwnedFd,
    rest: VecDeque<OsString>,
    /// Whether the last component is followed where it is a link.
    follows_last: bool,
    links: usize,
    /// The owner of a link that was followed and is not to be trusted.
    led_by: Option<u32>,
}

impl Walk {
    /// To where the path itself ends, be it at a link.
    fn along(path: &OsStr) -> io::Result<Walk> {
        Walk::begin(path, false)
    }

    /// To where the path leads in the end.
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
                return self.arrive(name, is_in_proc);
            }
            match self.link(&name)? {
                Some(link) if !is_in_proc => self.follow(&link, is_last)?,
                None if is_last => return self.arrive(name, false),
                _ => self.enter(&name, is_in_proc)?,
            }
        }
    }

    /// The link of this name in the directory; none where it is something else, or not there.
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
        // A link of root that somebody has given a second name is not where root has put it.
        let is_moved = there.st_nlink > 1 && is_open_to_others(&parent);
        if self.links > MOST_LINKS || is_moved {
            return Err(refused());
        }
        // Nor need one be that stands in place of a file in somebody's directory, who can rename what is there.
        for owner in [Some(there.st_uid), is_to_file.then_some(parent.st_uid)].into_iter().flatten() {
            if !is_trusted(owner) {
                self.be_led_by(owner)?;
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

    /// Nobody is led by two at a time: each could only lead to what is his own.
    fn be_led_by(&mut self, owner: u32) -> io::Result<()> {
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

    fn arrive(self, name: OsString, is_in_proc: bool) -> io::Result<Place> {
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

/// Whether an open file is one that may be written to or read for root. What is no regular file nobody has forged.
fn check(file: &File, directory: BorrowedFd<'_>) -> io::Result<()> {
    let (there, parent) = (fstat(file)?, fstat(directory)?);
    if is_of_ours(&there) {
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

/// Whether others may put something into a directory, and could gain by it.
fn is_open_to_others(directory: &FileStat) -> bool {
    !is_trusted(directory.st_uid) || effective_uid() == 0 && directory.st_mode & 0o022 != 0
}

/// Whether there is nothing more to ask about a file: nobody else has made it, or given it a name.
fn is_of_ours(there: &FileStat) -> bool {
    !is_kind(there, SFlag::S_IFREG) || is_trusted(there.st_uid) && there.st_nlink == 1
}

/// Whether a user can gain nothing by what root does for him.
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
        // SAFETY: the name ends in NUL, and the mode is passed as the system expects it.
        let number = unsafe { libc::openat(directory, name.as_ptr(), flags | libc::O_CLOEXEC, mode) };
        match number {
            0.. => {
                // SAFETY: the call has just made this descriptor, so nobody else owns it.
                return Ok(unsafe { OwnedFd::from_raw_fd(number) }.into());
            }
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// The usual case in one call: there is no link on the way, so nobody can lead anywhere.
fn open_without_links(path: &OsStr, flags: i32, mode: u32) -> io::Result<File> {
    let path = c_string(path)?;
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = if flags & libc::O_CREAT != 0 { u64::from(mode) } else { 0 };
    how.resolve = libc::RESOLVE_NO_SYMLINKS;
    loop {
        // SAFETY: the path ends in NUL, and the structure has the size that is passed.
        let number = unsafe {
            libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of::<libc::open_how>())
        };
        match i32::try_from(number) {
            Ok(number @ 0..) => {
                // SAFETY: the call has just made this descriptor, so nobody else owns it.
                return Ok(unsafe { OwnedFd::from_raw_fd(number) }.into());
            }
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}
