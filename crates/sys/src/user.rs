//! Users and groups, and changing to them.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Group, Uid};

use crate::system;
use crate::user_ids::{DropError, UserIds, become_user};
pub use crate::user_ids::{current_uid, effective_uid};

/// A user account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

impl User {
    /// The current ids of this account. Reads the group database, which may block.
    pub fn ids(&self) -> UserIds {
        UserIds { uid: self.uid, gid: self.gid, groups: groups_of(self) }
    }
}

impl From<nix::unistd::User> for User {
    fn from(user: nix::unistd::User) -> User {
        User { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
    }
}

/// The account with this login name. A user database that cannot be read has no accounts.
pub fn user_by_name(name: &str) -> Option<User> {
    nix::unistd::User::from_name(name).ok().flatten().map(User::from)
}

/// The account with this user id.
pub fn user_by_uid(uid: u32) -> Option<User> {
    nix::unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten().map(User::from)
}

/// The id of the group with this name.
pub fn group_by_name(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

/// The name of the group with this id.
pub fn group_by_gid(gid: u32) -> Option<String> {
    Group::from_gid(nix::unistd::Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
}

/// Whether a group with this id exists.
pub fn group_exists(gid: u32) -> bool {
    group_by_gid(gid).is_some()
}

/// The login name of the user of this process, or the user id if it has none.
pub fn current_name() -> String {
    let uid = current_uid();
    user_by_uid(uid).map_or_else(|| uid.to_string(), |user| user.name)
}

/// If the group database cannot be read, the user has only the primary group.
fn groups_of(user: &User) -> Vec<u32> {
    let listed = CString::new(user.name.as_str()).ok().and_then(|name| system::groups_of(&name, user.gid));
    let mut groups = vec![user.gid];
    groups.extend(listed.into_iter().flatten().filter(|gid| *gid != user.gid));
    groups
}

/// The user of a process, decided before it is spawned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// The user the daemon runs as.
    Same,
    /// Another user.
    Other(UserIds),
    /// Not possible: the process is to be spawned and to fail, as in the original.
    Refused {
        /// The requested user.
        uid: u32,
        /// The reason.
        reason: DropError,
    },
}

impl RunAs {
    /// How to change from the current user to this one. Reads the user and group databases, which may block.
    pub fn uid(uid: u32) -> RunAs {
        if uid == current_uid() {
            return RunAs::Same;
        }
        if current_uid() != 0 {
            return RunAs::Refused { uid, reason: DropError::NotRoot };
        }
        match user_by_uid(uid) {
            Some(user) => RunAs::Other(user.ids()),
            None => RunAs::Refused { uid, reason: DropError::UnknownUser(uid) },
        }
    }
}

/// Changes to this user permanently, in all threads.
pub fn drop_privileges(ids: &UserIds) -> Result<(), DropError> {
    if ids.uid == current_uid() {
        return Ok(());
    }
    if current_uid() != 0 {
        return Err(DropError::NotRoot);
    }
    become_user(ids)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn output(program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn accounts_are_found_by_name_and_id() {
        let root = user_by_uid(0).unwrap();
        assert_eq!((root.name.as_str(), root.uid, root.gid), ("root", 0, 0));
        assert_eq!(user_by_name("root"), Some(root));
        assert_eq!(user_by_name("no such user"), None);
        assert_eq!(user_by_uid(4_000_000_017), None);
        assert_eq!(user_by_name("a\0b"), None);
        assert_eq!(group_by_name("no such group"), None);
        let own_group = output("id", &["-gn"]);
        assert_eq!(group_by_name(&own_group).unwrap().to_string(), output("id", &["-g"]));
    }

    #[test]
    fn current_uid_matches_the_id_command() {
        assert_eq!(current_uid().to_string(), output("id", &["-ru"]));
        assert_eq!(effective_uid().to_string(), output("id", &["-u"]));
    }

    #[test]
    fn the_primary_group_comes_first() {
        for name in ["root", "daemon", "nobody"] {
            let Some(user) = user_by_name(name) else { continue };
            let ids = user.ids();
            assert_eq!((ids.uid, ids.groups.first()), (user.uid, Some(&user.gid)));
            let known = output("id", &["-G", name]);
            let mut known: Vec<u32> = known.split(' ').map(|gid| gid.parse().unwrap()).collect();
            let mut groups = ids.groups;
            known.sort_unstable();
            groups.sort_unstable();
            assert_eq!(groups, known, "{name}");
        }
    }

    #[test]
    fn changing_to_the_current_user_does_nothing() {
        assert_eq!(RunAs::uid(current_uid()), RunAs::Same);
        let same = UserIds { uid: current_uid(), gid: 12345, groups: Vec::new() };
        assert_eq!(drop_privileges(&same), Ok(()));
    }

    #[test]
    fn an_impossible_user_is_refused_with_a_reason() {
        let uid = 4_000_000_017;
        let refused = RunAs::uid(uid);
        let reason = if current_uid() == 0 { DropError::UnknownUser(uid) } else { DropError::NotRoot };
        assert_eq!(refused, RunAs::Refused { uid, reason });
        assert_eq!(DropError::UnknownUser(uid).to_string(), "Can't find uid 4000000017");
        assert_eq!(DropError::NotRoot.to_string(), "Can't drop privilege as nonroot user");
    }
}
