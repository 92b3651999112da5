//! Making threads where the system does not let the C library.
//!
//! The C library makes threads by the call `clone3`, and by the older `clone` where the system says that it knows no such
//! call (ENOSYS). The filters of older container runtimes say that it is not permitted (EPERM) instead, and no thread can
//! be made. A filter of our own gives the answer that the C library understands.

use crate::{Errno, system};

/// What was necessary so that threads can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing.
    None,
    /// The older call is used, by this process and its children.
    OlderCall,
    /// The same; and as nobody else may set a filter, this process and its children have given up to gain privileges by
    /// executing a program (set-user-id, `sudo`).
    NoNewPrivileges,
}

/// Sees to it that threads can be made. Meant for a process that has made none yet.
pub fn make_possible() -> Result<Remedy, Errno> {
    if !system::is_clone3_forbidden() {
        return Ok(Remedy::None);
    }
    match system::have_no_clone3() {
        Ok(()) => Ok(Remedy::OlderCall),
        Err(Errno::EACCES) => {
            system::give_up_new_privileges();
            system::have_no_clone3().map(|()| Remedy::NoNewPrivileges)
        }
        Err(error) => Err(error),
    }
}
