//! The symbolic names of error numbers.

use std::fmt;

use crate::errno::{Errno, named};
use crate::system::MORE_ERRNO_NAMES;

/// Numbers that every supported system has. Of two names with one number the first is used.
static NAMES: &[(i32, &str)] = named! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST EXDEV
    ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK
    ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM EOVERFLOW EILSEQ ENOTSOCK EDESTADDRREQ EMSGSIZE
    EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE ECANCELED EOWNERDEAD ENOTRECOVERABLE EPROTO
    EBADMSG
};

/// The symbolic name of an error number on this system. Safe to call between fork and exec.
pub fn errno_name(number: i32) -> Option<&'static str> {
    let find = |names: &'static [(i32, &'static str)]| names.iter().find(|(known, _)| *known == number);
    find(NAMES).or_else(|| find(MORE_ERRNO_NAMES)).map(|(_, name)| *name)
}

impl Errno {
    /// The symbolic name (`ENOENT`), if known.
    pub fn name(self) -> Option<&'static str> {
        errno_name(self.number())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        assert_eq!(errno_name(libc::ENOENT), Some("ENOENT"));
        assert_eq!(errno_name(libc::EADDRINUSE), Some("EADDRINUSE"));
        assert_eq!(errno_name(99999), None);
        assert_eq!(format!("{:?} {:?}", Errno::EACCES, Errno::new(99999)), "EACCES Errno(99999)");
    }

    #[test]
    fn no_number_is_named_twice() {
        let mut numbers: Vec<i32> = NAMES.iter().chain(MORE_ERRNO_NAMES).map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }
}
