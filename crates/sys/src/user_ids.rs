//! The ids of a user, and changing to them.

use std::fmt;

use crate::Errno;

/// The real user id of this process.
pub fn current_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// The effective user id of this process.
pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The ids that a process needs in order to change to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIds {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// All group ids: the primary one first, then those of every group that lists the user.
    pub groups: Vec<u32>,
}

/// Why a process could not change its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropError {
    /// Only root can.
    NotRoot,
    /// There is no user with this id.
    UnknownUser(u32),
    /// The supplementary groups were refused.
    Groups(Errno),
    /// The primary group was refused.
    Group(Errno),
    /// The user was refused.
    User(Errno),
}

impl DropError {
    /// The original's text (`drop_privileges` in `supervisor/options.py`); for [`DropError::UnknownUser`] the id
    /// follows.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            DropError::NotRoot => "Can't drop privilege as nonroot user",
            DropError::UnknownUser(_) => "Can't find uid ",
            DropError::Groups(_) => "Could not set groups of effective user",
            DropError::Group(_) => "Could not set group id of effective user",
            DropError::User(_) => "Could not set user id of effective user",
        }
    }
}

impl fmt::Display for DropError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            DropError::UnknownUser(uid) => uid.fmt(f),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for DropError {}

/// Does not allocate, so that a child may call it between fork and exec.
pub(crate) fn become_user(ids: &UserIds) -> Result<(), DropError> {
    let groups = &ids.groups;
    // SAFETY: pointer and length describe one slice of group ids. The type of the length differs by system.
    succeeded(unsafe { libc::setgroups(groups.len() as _, groups.as_ptr()) }).map_err(DropError::Groups)?;
    // SAFETY: no memory is involved.
    succeeded(unsafe { libc::setgid(ids.gid) }).map_err(DropError::Group)?;
    // SAFETY: no memory is involved.
    succeeded(unsafe { libc::setuid(ids.uid) }).map_err(DropError::User)
}

fn succeeded(result: impl Into<i64>) -> Result<(), Errno> {
    if result.into() == 0 { Ok(()) } else { Err(Errno::last()) }
}
