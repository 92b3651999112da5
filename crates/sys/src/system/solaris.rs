//! Solaris and illumos.

use std::ffi::CStr;

use nix::sys::socket::{MsgFlags, SockFlag};

use crate::capabilities::{Capabilities, SOLARIS};
use crate::errno::named;

pub(crate) const CAPABILITIES: Capabilities = SOLARIS;

pub(crate) static MORE_ERRNO_NAMES: &[(i32, &str)] = named! {
    ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR
    ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EMULTIHOP ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD
    ELIBSCN ELIBMAX ELIBEXEC ERESTART ESTRPIPE
};

/// Log messages go to `/dev/log`, which is a device and not a socket.
pub(crate) const SYSLOG_SOCKET: &str = "/var/run/log";

pub(crate) const SOCKET_FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;
/// Received descriptors are set to close-on-exec afterwards.
pub(crate) const RECEIVE_FLAGS: MsgFlags = MsgFlags::empty();
pub(crate) const SEND_FLAGS: MsgFlags = MsgFlags::MSG_NOSIGNAL;

pub(crate) type LimitNumber = libc::c_int;
/// The number of processes is limited only for the whole system.
pub(crate) const PROCESS_LIMIT: Option<LimitNumber> = None;

pub(crate) fn groups_of(name: &CStr, primary: u32) -> Option<Vec<u32>> {
    /// The maximum of `ngroups_max`.
    const MAX_GROUPS: usize = 1024;
    let mut groups = vec![0; MAX_GROUPS];
    let mut count = MAX_GROUPS as libc::c_int;
    // SAFETY: the name ends in NUL, and `groups` has room for `count` entries.
    let result = unsafe { libc::getgrouplist(name.as_ptr(), primary, groups.as_mut_ptr(), &mut count) };
    groups.truncate(usize::try_from(count).unwrap_or(0).min(MAX_GROUPS));
    (result != -1).then_some(groups)
}

/// The system does not provide the offset: it is the difference to the same fields taken as UTC.
pub(crate) fn utc_offset(local: &libc::tm, seconds: i64) -> Option<i32> {
    let as_utc = seconds_of(local);
    i32::try_from(as_utc - seconds).ok()
}

/// Seconds since the epoch, with the fields taken as UTC (days by the Gregorian rule, with years that begin in March).
fn seconds_of(fields: &libc::tm) -> i64 {
    let (year, month) = (i64::from(fields.tm_year) + 1900, i64::from(fields.tm_mon));
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + i64::from(fields.tm_mday)
        - 719_469;
    days * 86_400 + i64::from(fields.tm_hour) * 3_600 + i64::from(fields.tm_min) * 60 + i64::from(fields.tm_sec)
}
