//! Sends a signal to a supervised process, or to its process group.

use crate::process_handle::ProcessHandle;
use crate::signal::{has_left_its_group, kill, kill_group};
use crate::{Errno, Pid};

/// The recipients of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalScope {
    /// The process alone.
    Process,
    /// The process group that the process leads or has led, and the process itself if it has left that group.
    Group,
}

/// Identifies a process such that a signal cannot reach another one that got its process id later.
#[derive(Clone, Copy, Debug)]
pub enum Recipient<'a> {
    /// A child that has not been reaped, so that its process id cannot be reused.
    Child(Pid),
    /// Any process.
    Handle(&'a ProcessHandle),
}

/// Sends a signal. ESRCH if there is no recipient left.
pub fn send(signal: i32, scope: SignalScope, to: Recipient<'_>) -> Result<(), Errno> {
    match scope {
        SignalScope::Process => to.signal_process(signal),
        SignalScope::Group => {
            let group = to.signal_group(signal);
            if to.has_left_its_group() { to.signal_process(signal) } else { group }
        }
    }
}

impl Recipient<'_> {
    fn signal_process(self, signal: i32) -> Result<(), Errno> {
        match self {
            Recipient::Child(pid) => kill(pid, signal),
            Recipient::Handle(handle) => handle.kill(signal),
        }
    }

    fn signal_group(self, signal: i32) -> Result<(), Errno> {
        match self {
            Recipient::Child(pid) => kill_group(pid, signal),
            Recipient::Handle(handle) => handle.kill_group(signal),
        }
    }

    fn has_left_its_group(self) -> bool {
        match self {
            Recipient::Child(pid) => has_left_its_group(pid),
            Recipient::Handle(handle) => has_left_its_group(handle.pid()) && !handle.has_ended(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command};

    use super::*;

    fn sleep(group: i32) -> Child {
        Command::new("/bin/sleep").arg("100").process_group(group).spawn().unwrap()
    }

    fn pid(child: &Child) -> Pid {
        Pid::new(child.id()).unwrap()
    }

    #[test]
    fn a_process_that_has_left_its_group_is_signalled_itself() {
        let handle = |pid| ProcessHandle::open(pid).ok();
        for by_handle in [false, true] {
            let mut leader = sleep(0);
            let mut stray = sleep(leader.id() as i32);
            let (leader_pid, stray_pid) = (pid(&leader), pid(&stray));
            let handles = (handle(leader_pid), handle(stray_pid));
            let (leader_name, stray_name) = match &handles {
                (Some(leader), Some(stray)) if by_handle => (Recipient::Handle(leader), Recipient::Handle(stray)),
                _ => (Recipient::Child(leader_pid), Recipient::Child(stray_pid)),
            };
            assert_eq!(kill_group(stray_pid, 0), Err(Errno::ESRCH));
            send(libc::SIGTERM, SignalScope::Group, stray_name).unwrap();
            assert_eq!(stray.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert!(leader.try_wait().unwrap().is_none(), "the group that it has joined is not its own");
            send(libc::SIGKILL, SignalScope::Group, leader_name).unwrap();
            assert_eq!(leader.wait().unwrap().signal(), Some(libc::SIGKILL));
        }
    }

    #[test]
    fn a_signal_to_the_process_leaves_its_group_alone() {
        let mut leader = sleep(0);
        let mut member = sleep(leader.id() as i32);
        send(libc::SIGTERM, SignalScope::Process, Recipient::Child(pid(&leader))).unwrap();
        assert_eq!(leader.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(member.try_wait().unwrap().is_none());
        send(libc::SIGKILL, SignalScope::Process, Recipient::Child(pid(&member))).unwrap();
        assert_eq!(member.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}
