//! Children that somebody waits for by their number.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::fd::poll_readable;
use crate::process_handle::ProcessHandle;
use crate::wait::{WaitStatus, try_reap};
use crate::{Errno, Pid};

/// How long a child is left alone between two looks at it where the system has no handles on processes.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Waits for the end of a child, but no longer than this; none where the time passed first. ECHILD where it is no child of
/// ours, or has been reaped.
pub fn wait_at_most(child: Pid, limit: Duration) -> Result<Option<WaitStatus>, Errno> {
    let deadline = Instant::now() + limit;
    let mut handle = None;
    loop {
        if let Some(status) = try_reap(child)? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        // It becomes readable at the end of the child.
        match handle.get_or_insert_with(|| ProcessHandle::open(child)) {
            Ok(handle) => _ = poll_readable(handle.as_fd(), Some(left))?,
            Err(_) => std::thread::sleep(left.min(ASK_AGAIN)),
        }
    }
}

/// Whether this process is a child of ours that has not been reaped.
pub fn is_ours(pid: Pid) -> bool {
    // SAFETY: zeros are valid values of the structure, which is a valid place for what is told; nobody looks at that.
    unsafe {
        let mut told: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_PID, pid.get() as libc::id_t, &mut told, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
            == 0
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_waited_for_until_it_ends_or_the_time_is_over() {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::new(child.id()).unwrap();
        assert_eq!(wait_at_most(pid, Duration::from_millis(1)), Ok(None));
        assert!(is_ours(pid));
        drop(child.stdin.take());
        assert_eq!(wait_at_most(pid, Duration::from_secs(60)), Ok(Some(WaitStatus::Code(0))));
        assert_eq!(wait_at_most(pid, Duration::ZERO), Err(Errno::ECHILD));
        assert!(!is_ours(pid) && !is_ours(Pid::current()));
        assert!(child.wait().is_err(), "nobody else can reap it");
    }
}
