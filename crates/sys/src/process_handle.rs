//! Handles of processes that need not be our children (pidfd).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::wait::WaitStatus;
use crate::{Errno, Pid, signal, system};

/// A handle of a process, which never refers to another one. It becomes readable when the process ends.
#[derive(Debug)]
pub struct ProcessHandle {
    handle: OwnedFd,
    pid: Pid,
}

impl ProcessHandle {
    /// Opens a handle. Check the identity of the process afterwards: the process id may have been reused before. ENOSYS
    /// if the system has no handles.
    pub fn open(pid: Pid) -> Result<ProcessHandle, Errno> {
        Ok(ProcessHandle { handle: system::open_process(pid)?, pid })
    }

    /// Whether the system has handles: since Linux 5.3.
    pub fn is_supported() -> bool {
        ProcessHandle::open(Pid::current()).is_ok()
    }

    /// Sends a signal to exactly this process.
    pub fn kill(&self, signal: i32) -> Result<(), Errno> {
        self.send(signal, 0).or_else(|error| self.send_by_number(error, signal::kill, signal))
    }

    /// Sends a signal to the process group that this process leads or has led, and never to another group, even if the
    /// process id is reused after the group is gone.
    ///
    /// Linux before 6.9 cannot do this; there the signal goes to the group by its number while the process lives, and
    /// is ESRCH afterwards.
    pub fn kill_group(&self, signal: i32) -> Result<(), Errno> {
        /// `PIDFD_SIGNAL_PROCESS_GROUP`.
        const GROUP: u32 = 1 << 2;
        self.send(signal, GROUP).or_else(|error| self.send_by_number(error, signal::kill_group, signal))
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// If the system does not know the flag (EINVAL), or a seccomp filter refuses the call: sends to the process id,
    /// which cannot be reused while the process has not been reaped.
    fn send_by_number(&self, error: Errno, send: fn(Pid, i32) -> Result<(), Errno>, signal: i32) -> Result<(), Errno> {
        match error {
            Errno::EINVAL | Errno::EPERM | Errno::ENOSYS if self.has_ended() => Err(Errno::ESRCH),
            Errno::EINVAL | Errno::EPERM | Errno::ENOSYS => send(self.pid, signal),
            error => Err(error),
        }
    }

    /// See [`has_ended`].
    pub fn has_ended(&self) -> bool {
        has_ended(self.as_fd())
    }

    /// A handle that another process has opened for this process id, and passed on.
    pub fn from_passed(handle: OwnedFd, pid: Pid) -> ProcessHandle {
        ProcessHandle { handle, pid }
    }

    /// A handle that another process opened and passed on; none where the system does not tell on whom, or the process has been
    /// reaped.
    pub fn from_unnamed(handle: OwnedFd) -> Option<ProcessHandle> {
        let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
        let number = facts.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        let pid = Pid::new(number.trim().parse().ok()?)?;
        Some(ProcessHandle { handle, pid })
    }

    /// The exit status, whoever the parent is: known from Linux 6.15 on, after the parent has reaped the process.
    pub fn exit_status(&self) -> Option<WaitStatus> {
        system::exit_status_of(self.as_fd()).map(WaitStatus::from_raw)
    }

    fn send(&self, signal: i32, flags: u32) -> Result<(), Errno> {
        system::signal_process(self.as_fd(), signal, flags)
    }

    /// A copy of one of its descriptors, closed on exec. EPERM if the system allows it only for child processes
    /// (`kernel.yama.ptrace_scope`), ENOSYS before Linux 5.6 and on other systems.
    pub fn descriptor(&self, number: RawFd) -> Result<OwnedFd, Errno> {
        system::copy_descriptor(self.as_fd(), number)
    }
}

impl From<ProcessHandle> for OwnedFd {
    fn from(handle: ProcessHandle) -> OwnedFd {
        handle.handle
    }
}

impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Whether a process has exited, by its handle: all of its threads, reaped or not.
pub fn has_ended(handle: BorrowedFd<'_>) -> bool {
    crate::fd::poll_readable(handle, Some(Duration::ZERO)).unwrap_or(true)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::io;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_exit_status_of_a_process_reaped_by_another_thread_is_known_on_new_kernels() {
        let mut child =
            Command::new("/bin/sh").args(["-c", "read line; exit 7"]).stdin(Stdio::piped()).spawn().unwrap();
        let handle = ProcessHandle::open(Pid::new(child.id()).unwrap()).unwrap();
        assert!(!handle.has_ended() && handle.exit_status().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(handle.has_ended());
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map_while(|number| number.parse().ok());
        let is_told = (numbers.next(), numbers.next()) >= (Some(6), Some(15));
        assert_eq!(handle.exit_status(), is_told.then_some(WaitStatus::Code(7)));
    }

    #[test]
    fn a_handle_tells_whose_it_is() {
        let mut child = Command::new("/bin/sleep").arg("100").spawn().unwrap();
        let pid = Pid::new(child.id()).unwrap();
        let handle = OwnedFd::from(ProcessHandle::open(pid).unwrap());
        let again = handle.try_clone().unwrap();
        let known = ProcessHandle::from_unnamed(handle).unwrap();
        assert_eq!(known.pid(), pid);
        known.kill(libc::SIGKILL).unwrap();
        child.wait().unwrap();
        assert!(ProcessHandle::from_unnamed(again).is_none());
        assert!(ProcessHandle::from_unnamed(fs::File::open("/dev/null").unwrap().into()).is_none());
    }

    #[test]
    fn a_process_group_is_signalled_after_its_leader_is_gone() {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 100 & echo $!; exec sleep 100"]).stdout(Stdio::piped()).process_group(0);
        let mut leader = command.spawn().unwrap();
        let pid = Pid::new(leader.id()).unwrap();
        let handle = ProcessHandle::open(pid).unwrap();
        let mut text = String::new();
        let mut lines = io::BufReader::new(leader.stdout.take().unwrap());
        io::BufRead::read_line(&mut lines, &mut text).unwrap();
        let follower = ProcessHandle::open(Pid::new(text.trim().parse().unwrap()).unwrap()).unwrap();
        handle.kill(libc::SIGKILL).unwrap();
        leader.wait().unwrap();
        match handle.kill_group(libc::SIGKILL) {
            Ok(()) => {}
            // An old kernel.
            Err(error) => {
                assert_eq!(error, Errno::ESRCH);
                follower.kill(libc::SIGKILL).unwrap();
            }
        }
        assert!(crate::fd::poll_readable(follower.as_fd(), Some(Duration::from_secs(10))).unwrap());
    }
}
