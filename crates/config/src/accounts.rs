//! Users and groups, by name or number.

use std::str::FromStr;

use crate::complaint::Complaint;
use crate::convert::integer;
use crate::host::{Account, DaemonHost};

/// The account of a user given by name or number.
pub(crate) fn user(text: &str, host: &dyn DaemonHost) -> Result<Account, Complaint> {
    match integer(text) {
        Ok(uid) => u32::try_from(uid)
            .ok()
            .and_then(|uid| host.user_by_uid(uid))
            .ok_or_else(|| Complaint::quoting("Invalid user id ", text, "")),
        Err(_) => host.user_by_name(text).ok_or_else(|| Complaint::quoting("Invalid user name ", text, "")),
    }
}

fn group(text: &str, host: &dyn DaemonHost) -> Option<u32> {
    match integer(text) {
        Ok(gid) => u32::try_from(gid).ok().filter(|&gid| host.group_exists(gid)),
        Err(_) => host.group_by_name(text),
    }
}

/// The id of a user, who needs no account where the id itself is given.
pub(crate) fn user_id(text: &str, host: &dyn DaemonHost) -> Result<u32, Complaint> {
    match u32::from_str(text.trim()) {
        Ok(uid) => Ok(uid),
        Err(_) => user(text, host).map(|account| account.uid),
    }
}

/// The id of a group, which needs no entry where the id itself is given.
pub(crate) fn group_id(text: &str, host: &dyn DaemonHost) -> Result<u32, Complaint> {
    let id = u32::from_str(text.trim()).ok().or_else(|| group(text, host));
    id.ok_or_else(|| Complaint::quoting("Invalid group name ", text, ""))
}

/// The ids of `user` or `user:group`; no group id where no group is named.
pub(crate) fn owner(text: &str, host: &dyn DaemonHost) -> Result<(u32, Option<u32>), Complaint> {
    find_owner(text, host).ok_or_else(|| Complaint::quoting("Invalid owner ", text, ""))
}

fn find_owner(text: &str, host: &dyn DaemonHost) -> Option<(u32, Option<u32>)> {
    let (name, group_name) = match text.split_once(':') {
        Some((name, group_name)) => (name, Some(group_name)),
        None => (text, None),
    };
    let uid = user(name, host).ok()?.uid;
    match group_name {
        None => Some((uid, None)),
        Some(name) => Some((uid, Some(group(name, host)?))),
    }
}
