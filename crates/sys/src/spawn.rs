//! Starting a child: everything is prepared before it exists, and nothing is allocated in it.

mod child;
mod environment;
mod plan;

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::{Errno, Pid};
pub(crate) use child::Child;

pub use crate::system::Spawner;
pub use child::NOT_SPAWNED;
pub use environment::Environment;
pub use plan::{ProcessGroup, SpawnPlan, Stdio};

/// Starts a child with default signal dispositions and no signal blocked.
///
/// The error is that of fork. What goes wrong later is said by the child on its descriptor 2, and it exits with
/// [`NOT_SPAWNED`].
pub fn spawn(plan: SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
    let group = plan.group;
    let child = Child::new(plan, stdio);
    begin(group, || {
        // SAFETY: the child calls `become_program` and nothing else, which keeps to what is allowed after a fork of a
        // process with many threads: no allocation, no lock, only async-signal-safe calls.
        match unsafe { libc::fork() } {
            0 => child.become_program(),
            pid => pid,
        }
    })
}

/// Does what [`spawn`] does, and stores the process id.
pub(crate) fn spawn_and_store(plan: SpawnPlan, stdio: Stdio<'_>, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
    let child = spawn(plan, stdio)?;
    pid_slot.store(child.get().into(), Ordering::Relaxed);
    Ok(child)
}

/// Has `make` make a child. No signal reaches the child before it has left the handlers of this process.
pub(crate) fn begin(group: ProcessGroup, make: impl FnOnce() -> libc::pid_t) -> Result<Pid, Errno> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let made = make();
    let error = Errno::last();
    // It cannot fail: the mask is one the system gave us.
    let _ = before.thread_set_mask();
    let child = Pid::from_raw(made).ok_or(error)?;
    if group == ProcessGroup::Own {
        // The child does this too; whoever is first, the group exists before anybody can signal it. After the child's
        // exec it fails, without need for it.
        // SAFETY: no memory is involved.
        unsafe { libc::setpgid(child.raw(), child.raw()) };
    }
    Ok(child)
}

#[cfg(test)]
mod tests;
