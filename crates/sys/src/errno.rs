//! Error numbers of the system and their symbolic names.

use std::fmt;
use std::io;

use crate::system::MORE_ERRNO_NAMES;

/// An error number of the system. Displays as its description (`No such file or directory`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The error with this number.
    pub const fn new(number: i32) -> Errno {
        Errno(number)
    }

    /// The error of the last failed system call of this thread.
    pub fn last() -> Errno {
        Errno(nix::errno::Errno::last_raw())
    }

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The symbolic name (`ENOENT`), if known.
    pub fn name(self) -> Option<&'static str> {
        errno_name(self.0)
    }

    /// Operation not permitted.
    pub const EPERM: Errno = Errno(libc::EPERM);
    /// No such file or directory.
    pub const ENOENT: Errno = Errno(libc::ENOENT);
    /// No such process.
    pub const ESRCH: Errno = Errno(libc::ESRCH);
    /// No answer in time.
    pub const ETIMEDOUT: Errno = Errno(libc::ETIMEDOUT);
    /// Interrupted system call.
    pub const EINTR: Errno = Errno(libc::EINTR);
    /// Try again; also returned by fork when there are too many processes.
    pub const EAGAIN: Errno = Errno(libc::EAGAIN);
    /// Permission denied.
    pub const EACCES: Errno = Errno(libc::EACCES);
    /// File exists.
    pub const EEXIST: Errno = Errno(libc::EEXIST);
    /// No such system call.
    pub const ENOSYS: Errno = Errno(libc::ENOSYS);
    /// Invalid argument.
    pub const EINVAL: Errno = Errno(libc::EINVAL);
    /// Too many open files in the system.
    pub const ENFILE: Errno = Errno(libc::ENFILE);
    /// Too many open files in this process.
    pub const EMFILE: Errno = Errno(libc::EMFILE);
    /// No space left on device.
    pub const ENOSPC: Errno = Errno(libc::ENOSPC);
    /// Broken pipe.
    pub const EPIPE: Errno = Errno(libc::EPIPE);
    /// No child processes.
    pub const ECHILD: Errno = Errno(libc::ECHILD);
    /// Address already in use.
    pub const EADDRINUSE: Errno = Errno(libc::EADDRINUSE);
    /// Connection refused.
    pub const ECONNREFUSED: Errno = Errno(libc::ECONNREFUSED);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The standard library's text ends in " (os error N)", which log lines do not show.
        let text = io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.strip_suffix(&format!(" (os error {})", self.0)).unwrap_or(&text))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl std::error::Error for Errno {}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Errno {
        Errno(errno as i32)
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.0)
    }
}

/// An error of the standard library without a number becomes EINVAL: an argument could not be passed to the system,
/// such as a path with a NUL byte.
impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        Errno(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// The numbers of these names, with the names.
macro_rules! named {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}
pub(crate) use named;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_and_descriptions() {
        assert_eq!(errno_name(libc::ENOENT), Some("ENOENT"));
        assert_eq!(errno_name(libc::EADDRINUSE), Some("EADDRINUSE"));
        assert_eq!(errno_name(99999), None);
        assert_eq!(Errno::EACCES.to_string(), "Permission denied");
    }

    #[test]
    fn no_number_is_named_twice() {
        let mut numbers: Vec<i32> = NAMES.iter().chain(MORE_ERRNO_NAMES).map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }

    #[test]
    fn an_error_without_a_number_is_an_invalid_argument() {
        let error = std::fs::File::open("a\0b").unwrap_err();
        assert_eq!(Errno::from(error), Errno::EINVAL);
    }
}
