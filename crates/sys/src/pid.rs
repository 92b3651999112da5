//! Process ids.

use std::fmt;

/// The id of one process: always positive, so that a signal can never go to a group or to all processes by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(libc::pid_t);

impl Pid {
    /// The id with this number; none for 0 and for numbers that no process can have.
    pub fn new(number: u32) -> Option<Pid> {
        libc::pid_t::try_from(number).ok().and_then(Pid::from_raw)
    }

    /// The calling process.
    pub fn current() -> Pid {
        Pid(nix::unistd::getpid().as_raw())
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.unsigned_abs()
    }

    pub(crate) fn from_raw(raw: libc::pid_t) -> Option<Pid> {
        (raw > 0).then_some(Pid(raw))
    }

    pub(crate) fn raw(self) -> libc::pid_t {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
