//! Error numbers of the system.

use std::fmt;
use std::io;

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
    /// No memory.
    pub const ENOMEM: Errno = Errno(libc::ENOMEM);
    /// Too many open files in the system.
    pub const ENFILE: Errno = Errno(libc::ENFILE);
    /// Too many open files in this process.
    pub const EMFILE: Errno = Errno(libc::EMFILE);
    /// No space left on device.
    pub const ENOSPC: Errno = Errno(libc::ENOSPC);
    /// Message too long.
    pub const EMSGSIZE: Errno = Errno(libc::EMSGSIZE);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_description_of_the_system() {
        assert_eq!(Errno::EACCES.to_string(), "Permission denied");
    }

    #[test]
    fn an_error_without_a_number_is_an_invalid_argument() {
        let error = std::fs::File::open("a\0b").unwrap_err();
        assert_eq!(Errno::from(error), Errno::EINVAL);
    }
}
