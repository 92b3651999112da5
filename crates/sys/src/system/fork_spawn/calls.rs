//! The system calls of a child, made with the C library, for systems where a child has a copy of the daemon's memory.

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::RawFd;
use std::{mem, ptr};

use nix::sys::signal::SigSet;

use crate::Errno;
pub(crate) use crate::user_ids::become_user;

fn checked(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::last()) } else { Ok(result) }
}

/// Makes the calling process the leader of a group of its own.
pub(crate) fn lead_group() -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::setpgid(0, 0) }).map(drop)
}

/// A copy of a descriptor with a number from `least` on.
pub(crate) fn duplicate(fd: RawFd, least: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: only makes a new descriptor.
    checked(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) })
}

/// Makes `target` a copy of another descriptor.
pub(crate) fn replace(fd: RawFd, target: RawFd) -> Result<(), Errno> {
    // SAFETY: only replaces a descriptor of the child, whose table of descriptors is its own.
    checked(unsafe { libc::dup2(fd, target) }).map(drop)
}

/// Does nothing: the daemon opens all descriptors with close-on-exec.
pub(crate) fn close_others_on_exec() {}

/// Clears close-on-exec of a descriptor.
pub(crate) fn keep_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: the call only changes flags of a descriptor.
    checked(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Gives a signal its default disposition.
pub(crate) fn default_signal(signal: i32) -> Result<(), Errno> {
    // SAFETY: all zeros is a valid action: no flags, an empty mask, and the default disposition is 0 everywhere.
    let mut default: libc::sigaction = unsafe { mem::zeroed() };
    default.sa_sigaction = libc::SIG_DFL;
    // SAFETY: the new action is valid, the old one is not requested.
    checked(unsafe { libc::sigaction(signal, &default, ptr::null_mut()) }).map(drop)
}

/// Blocks no signal.
pub(crate) fn unblock_signals() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Gives up the controlling terminal: a process could insert input into it (TIOCSTI), as if the terminal's user had typed
/// it.
pub(crate) fn leave_terminal() {
    // SAFETY: the string ends in NUL, and the second call involves no memory.
    unsafe {
        let terminal = libc::open(c"/dev/tty".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if terminal >= 0 {
            libc::ioctl(terminal, libc::TIOCNOTTY as _);
        }
    }
}

/// Changes the working directory.
pub(crate) fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the string ends in NUL.
    checked(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

/// Sets the file mode mask.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: no memory is involved.
    unsafe { libc::umask(mask as libc::mode_t) };
}

/// Sets the nice value of the calling process.
pub(crate) fn set_nice(nice: i8) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) }).map(drop)
}

/// Executes a program. It returns only if that fails.
///
/// # Safety
/// The arrays must consist of strings and end in a null pointer.
pub(crate) unsafe fn execute(
    program: &CStr,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> Errno {
    // SAFETY: promised by the caller.
    unsafe { libc::execve(program.as_ptr(), arguments, environment) };
    Errno::last()
}

/// Writes some of these bytes.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the pointer and the length describe one slice.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| Errno::last())
}

/// Ends the child without running the exit handlers of the daemon.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(status) }
}
