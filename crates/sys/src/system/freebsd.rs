//! FreeBSD and other BSD systems.

use std::ffi::CStr;

use nix::sys::socket::{MsgFlags, SockFlag};

use crate::capabilities::{Capabilities, FREEBSD};
use crate::errno::named;

pub(crate) const CAPABILITIES: Capabilities = FREEBSD;

pub(crate) static MORE_ERRNO_NAMES: &[(i32, &str)] = named! {
    ENOTBLK EUSERS EDQUOT
    EREMOTE EPROCLIM EBADRPC ERPCMISMATCH EPROGUNAVAIL EPROGMISMATCH EPROCUNAVAIL EFTYPE EAUTH ENEEDAUTH ENOATTR
};

pub(crate) const SYSLOG_SOCKET: &str = "/var/run/log";

pub(crate) const SOCKET_FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;
pub(crate) const RECEIVE_FLAGS: MsgFlags = MsgFlags::MSG_CMSG_CLOEXEC;
pub(crate) const SEND_FLAGS: MsgFlags = MsgFlags::MSG_NOSIGNAL;

pub(crate) type LimitNumber = libc::c_int;
pub(crate) const PROCESS_LIMIT: Option<LimitNumber> = Some(libc::RLIMIT_NPROC);

pub(crate) fn groups_of(name: &CStr, primary: u32) -> Option<Vec<u32>> {
    let groups = nix::unistd::getgrouplist(name, nix::unistd::Gid::from_raw(primary)).ok()?;
    Some(groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
}

pub(crate) fn utc_offset(local: &libc::tm, _seconds: i64) -> Option<i32> {
    i32::try_from(local.tm_gmtoff).ok()
}
