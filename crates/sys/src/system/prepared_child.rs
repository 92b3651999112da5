//! Starts a child that has been prepared, by a fork or in another way.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow};

use super::without_remote_files;
use crate::{Errno, Pid};

/// A child that is ready to be started.
///
/// # Safety
/// [`run`](PreparedChild::run) does only what is allowed after a fork of a process with many threads, while it shares the
/// memory of that process: it does not allocate or lock, writes to no memory but its own stack, and makes only calls that
/// are async-signal-safe.
pub(crate) unsafe trait PreparedChild {
    /// What the child does.
    fn run(&self) -> !;

    /// Whether the child leads a process group of its own.
    fn leads_group(&self) -> bool;

    /// The highest descriptor of this process that the child uses.
    fn highest_descriptor(&self) -> RawFd;
}

/// Starts a child that has a copy of this process's memory.
pub(crate) fn fork(child: &impl PreparedChild) -> Result<Pid, Errno> {
    start(child, || {
        // SAFETY: the child calls `run` and nothing else, and `PreparedChild` promises that this is allowed.
        match unsafe { libc::fork() } {
            0 => child.run(),
            -1 => Err(Errno::last()),
            pid => Ok(pid),
        }
    })
}

/// Starts a child as [`fork`] does, and stores its process id.
pub(super) fn fork_and_store(child: &impl PreparedChild, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
    let pid = fork(child)?;
    pid_slot.store(pid.get().into(), Ordering::Relaxed);
    Ok(pid)
}

/// Starts a child with `make`. All signals are blocked meanwhile, so that none reaches the child while it still has the
/// signal handlers of this process.
pub(super) fn start(child: &impl PreparedChild, make: impl Fn() -> Result<libc::pid_t, Errno>) -> Result<Pid, Errno> {
    without_remote_files(child.highest_descriptor(), || start_here(child, &make))
}

fn start_here(child: &impl PreparedChild, make: impl Fn() -> Result<libc::pid_t, Errno>) -> Result<Pid, Errno> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let made = make();
    // It cannot fail: the system returned this mask.
    let _ = before.thread_set_mask();
    let pid = Pid::from_raw(made?).ok_or(Errno::new(libc::ESRCH))?;
    if child.leads_group() {
        // Parent and child both make the group, so that it exists before anything can signal it. The call fails if the
        // child has executed its program, which made the group before.
        // SAFETY: no memory is involved.
        unsafe { libc::setpgid(pid.raw(), pid.raw()) };
    }
    Ok(pid)
}
