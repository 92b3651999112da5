//! Making threads where the system does not let the C library.
//!
//! The C library makes threads by the call `clone3`, and by the older `clone` where the system says that it knows no such
//! call (ENOSYS). The filters of older container runtimes say that it is not permitted (EPERM) instead, and no thread can
//! be made. A filter of our own gives the answer that the C library understands.

use crate::Errno;

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
#[cfg(target_os = "linux")]
pub fn make_possible() -> Result<Remedy, Errno> {
    if !is_refused() {
        return Ok(Remedy::None);
    }
    match filter() {
        Ok(()) => Ok(Remedy::OlderCall),
        Err(Errno::EACCES) => {
            // SAFETY: no memory is involved.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            filter().map(|()| Remedy::NoNewPrivileges)
        }
        Err(error) => Err(error),
    }
}

/// Threads can always be made.
#[cfg(not(target_os = "linux"))]
pub fn make_possible() -> Result<Remedy, Errno> {
    Ok(Remedy::None)
}

/// Asks for something impossible, which is EINVAL where the call is permitted.
#[cfg(target_os = "linux")]
fn is_refused() -> bool {
    // SAFETY: a structure of no length is refused before it is looked at.
    let made = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<u8>(), 0) };
    made == -1 && Errno::last() == Errno::EPERM
}

/// Has the system answer ENOSYS for `clone3`. Of several filters the one that was set last counts.
#[cfg(target_os = "linux")]
fn filter() -> Result<(), Errno> {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        // The number of the call is the first field.
        step(LOAD_NUMBER, 0, 0, 0),
        step(IF_EQUAL, 0, 1, libc::SYS_clone3 as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program lives until the call returns, which copies it, and is as long as it says.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if set == 0 { Ok(()) } else { Err(Errno::last()) }
}
