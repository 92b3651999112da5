//! Processes that are not our children although they should be: those of a daemon that was killed.
//!
//! Linux only; elsewhere nothing is found.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::wait::ExitStatus;
use crate::{Errno, Pid};

/// What the system knows about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
    /// When it was started, after the boot.
    pub started: Duration,
    /// Its end, where it has ended and we may know.
    pub status: Option<ExitStatus>,
}

/// Looks at a process; none when there is none.
pub fn facts(pid: Pid) -> Option<Facts> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    let ticks: u64 = field(22)?.parse().ok()?;
    let is_zombie = matches!(*field(3)?, "Z" | "X");
    let status = field(52).and_then(|raw| raw.parse().ok()).filter(|_| is_zombie).map(ExitStatus::from_raw);
    Some(Facts { is_zombie, started: since_boot(ticks), status })
}

fn since_boot(ticks: u64) -> Duration {
    // SAFETY: it takes no pointer and has no effect.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
    Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second))
}

/// Names the present boot; none where the system does not tell.
pub fn boot_id() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// Time since the boot, as process start times count it.
#[cfg(target_os = "linux")]
pub fn boot_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Time since the boot, as process start times count it.
#[cfg(not(target_os = "linux"))]
pub fn boot_time() -> Duration {
    crate::clock::monotonic()
}

/// A handle on a process that cannot come to mean another one. It becomes readable when the process ends.
#[derive(Debug)]
pub struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// Opens a handle. Check who it is afterwards: the number may have changed hands before.
    #[cfg(target_os = "linux")]
    pub fn open(pid: Pid) -> Result<ProcessHandle, Errno> {
        // SAFETY: it takes two numbers; the result is checked before it is owned. It is closed on exec from birth.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.raw(), 0) };
        let raw = i32::try_from(raw).ok().filter(|raw| *raw >= 0).ok_or_else(Errno::last)?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(ProcessHandle(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// There are none here.
    #[cfg(not(target_os = "linux"))]
    pub fn open(_pid: Pid) -> Result<ProcessHandle, Errno> {
        Err(Errno::new(libc::ENOSYS))
    }

    /// Sends a signal to exactly this process.
    #[cfg(target_os = "linux")]
    pub fn kill(&self, signal: i32) -> Result<(), Errno> {
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: without information about the signal there is no pointer to follow.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, nothing, 0) };
        if result == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// There are none here.
    #[cfg(not(target_os = "linux"))]
    pub fn kill(&self, _signal: i32) -> Result<(), Errno> {
        Err(Errno::new(libc::ENOSYS))
    }
}

impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The number that identifies what an open descriptor stands for, for instance a pipe.
pub fn inode(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(nix::sys::stat::fstat(fd)?.st_ino)
}

/// Opens one end of a pipe that another process holds, without waiting and closed on exec. The process is asked first,
/// then everybody in its process group, because it may have passed the pipe on and closed it.
pub fn open_pipe(pid: Pid, inode: u64, write: bool) -> Option<OwnedFd> {
    let others = || processes().filter(|other| *other != pid && group_of(*other) == Some(pid));
    std::iter::once(pid).chain(others()).find_map(|holder| open_held(holder, inode, write))
}

fn open_held(holder: Pid, inode: u64, write: bool) -> Option<OwnedFd> {
    let wanted = format!("pipe:[{inode}]");
    let entries = fs::read_dir(format!("/proc/{holder}/fd")).ok()?;
    let held =
        entries.flatten().find(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == &*wanted))?;
    let mut options = File::options();
    options.read(!write).write(write).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    options.open(held.path()).ok().map(OwnedFd::from)
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::new(entry.file_name().to_str()?.parse().ok()?))
}

fn group_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Pid::new(stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()?)
}

/// The process whose stdout or stderr is this pipe and who leads a process group: the child that a daemon made when it
/// was killed before it could say so.
pub fn find_leader(inode: u64) -> Option<Pid> {
    let wanted = format!("pipe:[{inode}]");
    let holds = |pid: Pid, fd: u32| {
        fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|link| link.as_os_str() == &*wanted)
    };
    processes().find(|pid| group_of(*pid) == Some(*pid) && (holds(*pid, 1) || holds(*pid, 2)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let facts = facts(Pid::current()).unwrap();
        assert!(!facts.is_zombie && facts.status.is_none());
        assert!(facts.started <= boot_time());
        assert!(boot_id().is_some_and(|id| id.len() == 36));
    }

    #[test]
    fn the_pipe_of_another_process_can_be_opened_again() {
        let pipe = crate::pipe::pipe().unwrap();
        let number = inode(pipe.reader.as_fd()).unwrap();
        let mut child = Command::new("/bin/sleep").arg("100").stdout(Stdio::from(pipe.writer)).spawn().unwrap();
        drop(pipe.reader);
        let pid = Pid::new(child.id()).unwrap();
        let again = open_pipe(pid, number, false);
        let stranger = open_pipe(pid, number + 1_000_000_000, false);
        let handle = ProcessHandle::open(pid).unwrap();
        handle.kill(libc::SIGKILL).unwrap();
        assert!(crate::fd::poll_readable(handle.as_fd(), Some(Duration::from_secs(10))).unwrap());
        let dead = facts(pid).unwrap();
        child.wait().unwrap();
        assert!(again.is_some() && stranger.is_none());
        assert_eq!(dead.status, Some(ExitStatus::Signal { number: libc::SIGKILL, core_dumped: false }));
    }
}
