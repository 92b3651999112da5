//! Enables threads where a seccomp filter blocks the C library's way to create them.
//!
//! The C library creates threads with the system call `clone3`, and with the older `clone` if the system does not know
//! `clone3` (ENOSYS). The filters of older container runtimes return EPERM instead, and then no thread can be created.
//! A filter of our own returns the error that the C library expects.

use crate::{Errno, system};

/// What was needed to enable threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clone3Workaround {
    /// Nothing was needed.
    None,
    /// This process and its children use the older call.
    OlderCall,
    /// Like `OlderCall`; and because setting a filter requires it, this process and its children cannot gain privileges
    /// any more by executing a program (set-user-id, `sudo`).
    NoNewPrivileges,
}

/// Makes sure that threads can be created. Must be called before the first thread is created.
pub fn ensure_threads_work() -> Result<Clone3Workaround, Errno> {
    if !system::is_clone3_forbidden() {
        return Ok(Clone3Workaround::None);
    }
    match system::hide_clone3() {
        Ok(()) => Ok(Clone3Workaround::OlderCall),
        Err(Errno::EACCES) => {
            system::set_no_new_privs();
            system::hide_clone3().map(|()| Clone3Workaround::NoNewPrivileges)
        }
        Err(error) => Err(error),
    }
}
