//! Starting a child: everything is prepared before it exists, and nothing is allocated in it.

mod child;
mod environment;

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::user::RunAs;
use crate::{Errno, Pid};
pub(crate) use child::Child;

pub use crate::system::Spawner;
pub use child::NOT_SPAWNED;
pub use environment::Environment;

/// What to start, and with which environment, directory and user; it can be used for any number of children.
#[derive(Clone, Debug)]
pub struct SpawnPlan {
    executable: CString,
    argv: Vec<CString>,
    environment: Environment,
    directory: Option<CString>,
    umask: Option<u32>,
    pub(crate) run_as: RunAs,
    pub(crate) group: ProcessGroup,
}

/// Which process group a child belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessGroup {
    /// One that it leads.
    Own,
    /// That of this process.
    Inherited,
}

impl SpawnPlan {
    /// A plan to execute this file with these arguments, the first of which is the name the program is told, and with
    /// exactly this environment. There is no search: the file is relative to the child's directory if not absolute.
    ///
    /// Fails with EINVAL when there are no arguments or when anything contains a NUL byte.
    pub fn new<A: AsRef<OsStr>>(executable: &Path, argv: &[A], environment: Environment) -> Result<SpawnPlan, Errno> {
        if argv.is_empty() {
            return Err(Errno::EINVAL);
        }
        Ok(SpawnPlan {
            executable: c_string(executable.as_os_str().as_bytes())?,
            argv: argv.iter().map(|word| c_string(word.as_ref().as_bytes())).collect::<Result<_, _>>()?,
            environment,
            directory: None,
            umask: None,
            run_as: RunAs::Same,
            group: ProcessGroup::Own,
        })
    }

    /// Changes to this directory before the program is executed. Fails with EINVAL when it contains a NUL byte.
    pub fn directory(mut self, directory: &Path) -> Result<SpawnPlan, Errno> {
        self.directory = Some(c_string(directory.as_os_str().as_bytes())?);
        Ok(self)
    }

    /// Sets this file mode mask.
    pub fn umask(mut self, umask: u32) -> SpawnPlan {
        self.umask = Some(umask);
        self
    }

    /// Becomes this user.
    pub fn run_as(mut self, run_as: RunAs) -> SpawnPlan {
        self.run_as = run_as;
        self
    }

    /// Puts the child into this process group; without a word it leads one of its own.
    pub fn group(mut self, group: ProcessGroup) -> SpawnPlan {
        self.group = group;
        self
    }
}

fn c_string(bytes: impl Into<Vec<u8>>) -> Result<CString, Errno> {
    CString::new(bytes).map_err(|_| Errno::EINVAL)
}

/// What the child gets as descriptors 0, 1 and 2, and nothing else. The same descriptor may be given twice.
#[derive(Clone, Copy, Debug)]
pub struct Stdio<'fd> {
    /// Descriptor 0.
    pub stdin: BorrowedFd<'fd>,
    /// Descriptor 1.
    pub stdout: BorrowedFd<'fd>,
    /// Descriptor 2.
    pub stderr: BorrowedFd<'fd>,
}

impl Stdio<'_> {
    fn numbers(&self) -> [RawFd; 3] {
        [self.stdin.as_raw_fd(), self.stdout.as_raw_fd(), self.stderr.as_raw_fd()]
    }
}

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
pub(crate) fn spawn_and_store(plan: SpawnPlan, stdio: Stdio<'_>, born: &AtomicU64) -> Result<Pid, Errno> {
    let child = spawn(plan, stdio)?;
    born.store(child.get().into(), Ordering::Relaxed);
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
