//! Exit statuses of children.

use crate::{Errno, Pid};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// It exited with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// Whether it left a core file.
        core_dumped: bool,
    },
    /// Any other report of the system; the raw status word.
    Other(i32),
}

impl WaitStatus {
    pub(crate) fn from_raw(status: i32) -> WaitStatus {
        if libc::WIFEXITED(status) {
            WaitStatus::Code(libc::WEXITSTATUS(status))
        } else if libc::WIFSIGNALED(status) {
            WaitStatus::Signal { number: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }
        } else {
            WaitStatus::Other(status)
        }
    }
}

/// Reaps any one exited child without blocking; none if no child has exited or there are no children.
pub fn reap() -> Result<Option<(Pid, WaitStatus)>, Errno> {
    match waitpid(-1, libc::WNOHANG) {
        Err(Errno::ECHILD) => Ok(None),
        other => other,
    }
}

/// Reaps any one exited child without blocking, after `before` has been called with its process id, which is not used again
/// until then.
pub fn reap_after(before: impl FnOnce(Pid)) -> Result<Option<(Pid, WaitStatus)>, Errno> {
    // SAFETY: all zeros is a valid value of this structure of numbers and pointers.
    let mut found: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `found` may be written to.
    if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut found, options) } == -1 {
        return match Errno::last() {
            Errno::ECHILD | Errno::EINTR => Ok(None),
            error => Err(error),
        };
    }
    // SAFETY: the call has filled it in for a child, or left it zero.
    let Some(pid) = Pid::from_raw(unsafe { found.si_pid() }) else { return Ok(None) };
    before(pid);
    waitpid(pid.raw(), libc::WNOHANG)
}

/// Waits until this child exits.
pub fn wait_for(child: Pid) -> Result<WaitStatus, Errno> {
    loop {
        if let Some((_, status)) = waitpid(child.raw(), 0)? {
            return Ok(status);
        }
    }
}

/// Takes this child if it has ended, without waiting; none when it has not. ECHILD where it is no child of ours, or has been
/// reaped.
pub fn try_reap(child: Pid) -> Result<Option<WaitStatus>, Errno> {
    Ok(waitpid(child.raw(), libc::WNOHANG)?.map(|(_, status)| status))
}

fn waitpid(which: libc::pid_t, options: i32) -> Result<Option<(Pid, WaitStatus)>, Errno> {
    loop {
        let mut status = 0;
        // SAFETY: `status` may be written to.
        let reaped = unsafe { libc::waitpid(which, &mut status, options) };
        if reaped != -1 {
            return Ok(Pid::from_raw(reaped).map(|pid| (pid, WaitStatus::from_raw(status))));
        }
        match Errno::last() {
            Errno::EINTR => {}
            error => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_word_is_decoded() {
        assert_eq!(WaitStatus::from_raw(3 << 8), WaitStatus::Code(3));
        assert_eq!(
            WaitStatus::from_raw(libc::SIGTERM),
            WaitStatus::Signal { number: libc::SIGTERM, core_dumped: false }
        );
        assert_eq!(
            WaitStatus::from_raw(libc::SIGABRT | 0x80),
            WaitStatus::Signal { number: libc::SIGABRT, core_dumped: true }
        );
        assert_eq!(WaitStatus::from_raw(0x137f), WaitStatus::Other(0x137f));
    }
}
