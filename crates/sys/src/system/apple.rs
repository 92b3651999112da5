//! macOS.

use std::ffi::CStr;

use nix::sys::socket::{MsgFlags, SockFlag};

use crate::capabilities::{Capabilities, MACOS};
use crate::errno::named;

pub(crate) const CAPABILITIES: Capabilities = MACOS;

pub(crate) static MORE_ERRNO_NAMES: &[(i32, &str)] = named! {
    ENOTBLK EUSERS EDQUOT
    EREMOTE EPROCLIM EBADRPC ERPCMISMATCH EPROGUNAVAIL EPROGMISMATCH EPROCUNAVAIL EFTYPE EAUTH ENEEDAUTH ENOATTR
};

pub(crate) const SYSLOG_SOCKET: &str = "/var/run/syslog";

/// No flags exist for new sockets, which are set to close-on-exec afterwards.
pub(crate) const SOCKET_FLAGS: SockFlag = SockFlag::empty();
pub(crate) const RECEIVE_FLAGS: MsgFlags = MsgFlags::empty();
/// No flag prevents the signal, which the daemon ignores anyway.
pub(crate) const SEND_FLAGS: MsgFlags = MsgFlags::empty();

pub(crate) type LimitNumber = libc::c_int;
pub(crate) const PROCESS_LIMIT: Option<LimitNumber> = Some(libc::RLIMIT_NPROC);

pub(crate) fn groups_of(name: &CStr, primary: u32) -> Option<Vec<u32>> {
    const MAX_GROUPS: usize = 1024;
    let mut groups = vec![0i32; MAX_GROUPS];
    let mut count = MAX_GROUPS as libc::c_int;
    // SAFETY: the name ends in NUL, and `groups` has room for `count` entries.
    let result = unsafe { libc::getgrouplist(name.as_ptr(), primary as libc::c_int, groups.as_mut_ptr(), &mut count) };
    groups.truncate(usize::try_from(count).unwrap_or(0).min(MAX_GROUPS));
    (result != -1 || !groups.is_empty()).then(|| groups.into_iter().map(|gid| gid as u32).collect())
}

pub(crate) fn utc_offset(local: &libc::tm, _seconds: i64) -> Option<i32> {
    i32::try_from(local.tm_gmtoff).ok()
}
