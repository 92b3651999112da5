//! Processes that are not our children although they should be: those of a daemon that was killed.
//!
//! Linux only; elsewhere nothing is found.

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::wait::ExitStatus;
use crate::{Errno, Pid, signal};

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

impl Facts {
    /// When it was started, in milliseconds after the boot: exact, because the system counts in hundredths of a second.
    pub fn started_millis(&self) -> u64 {
        millis(self.started)
    }
}

/// A time after the boot in milliseconds.
pub fn millis(after_boot: Duration) -> u64 {
    u64::try_from(after_boot.as_millis()).unwrap_or(u64::MAX)
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
    Duration::from_nanos(ticks.saturating_mul(tick()))
}

/// The tick a moment is in, as the system counts the starts of processes.
fn to_tick(moment: Duration) -> Duration {
    let nanos = u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX);
    since_boot(nanos / tick())
}

/// How many nanoseconds a tick has.
fn tick() -> u64 {
    // SAFETY: it takes no pointer and has no effect.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
    1_000_000_000 / per_second
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

/// Tells when children were started, mostly without asking the system about each: making a `/proc` entry costs as much as
/// a tenth of starting a program.
#[derive(Debug, Default)]
pub struct Births {
    /// Whether our clock says the same as the system; none before the two have been compared.
    agree: Option<bool>,
}

impl Births {
    /// When a child that has just been made, after the [`boot_time`] `before`, was started: what [`facts`] tells of it.
    pub fn started(&mut self, child: Pid, before: Duration) -> Option<Duration> {
        let (before, after) = (to_tick(before), to_tick(boot_time()));
        if before == after && self.agree == Some(true) {
            return Some(after);
        }
        let told = facts(child)?.started;
        if before == after {
            self.agree.get_or_insert(told == after);
        }
        Some(told)
    }
}

/// A handle on a process that cannot come to mean another one. It becomes readable when the process ends.
#[derive(Debug)]
pub struct ProcessHandle {
    handle: OwnedFd,
    pid: Pid,
}

impl ProcessHandle {
    /// Opens a handle. Check who it is afterwards: the number may have changed hands before.
    #[cfg(target_os = "linux")]
    pub fn open(pid: Pid) -> Result<ProcessHandle, Errno> {
        // SAFETY: it takes two numbers; the result is checked before it is owned. It is closed on exec from birth.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.raw(), 0) };
        let raw = i32::try_from(raw).ok().filter(|raw| *raw >= 0).ok_or_else(Errno::last)?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(ProcessHandle { handle: unsafe { OwnedFd::from_raw_fd(raw) }, pid })
    }

    /// There are none here.
    #[cfg(not(target_os = "linux"))]
    pub fn open(_pid: Pid) -> Result<ProcessHandle, Errno> {
        Err(Errno::new(libc::ENOSYS))
    }

    /// Whether there are such handles here: since Linux 5.3.
    pub fn is_supported() -> bool {
        ProcessHandle::open(Pid::current()).is_ok()
    }

    /// Sends a signal to exactly this process.
    pub fn kill(&self, signal: i32) -> Result<(), Errno> {
        self.send(signal, 0).or_else(|error| self.send_by_number(error, signal::kill, signal))
    }

    /// Sends a signal to the process group that this process leads or has led, and to no other, even when all of them are
    /// gone and the number belongs to somebody else; to the process itself, where it has left that group.
    ///
    /// Linux before 6.9 cannot do that; there the group is signalled by its number while the process lives, and is ESRCH
    /// afterwards.
    pub fn kill_group(&self, signal: i32) -> Result<(), Errno> {
        /// `PIDFD_SIGNAL_PROCESS_GROUP`.
        const GROUP: u32 = 1 << 2;
        let group = self.send(signal, GROUP).or_else(|error| self.send_by_number(error, signal::kill_group, signal));
        let has_left = signal::has_left_its_group(self.pid) && !self.has_ended();
        if has_left { self.kill(signal) } else { group }
    }

    /// Where the system does not know what was asked for (EINVAL), or a filter of system calls refuses it: by the number
    /// of the process, which is its own as long as it has not ended.
    fn send_by_number(&self, error: Errno, send: fn(Pid, i32) -> Result<(), Errno>, signal: i32) -> Result<(), Errno> {
        match error {
            Errno::EINVAL | Errno::EPERM | Errno::ENOSYS if self.has_ended() => Err(Errno::ESRCH),
            Errno::EINVAL | Errno::EPERM | Errno::ENOSYS => send(self.pid, signal),
            error => Err(error),
        }
    }

    /// Whether the process has ended: all of its threads, reaped or not.
    pub fn has_ended(&self) -> bool {
        crate::fd::poll_readable(self.as_fd(), Some(Duration::ZERO)).unwrap_or(true)
    }

    /// A handle that another process opened on a process with this number, and passed on.
    pub fn from_passed(handle: OwnedFd, pid: Pid) -> ProcessHandle {
        ProcessHandle { handle, pid }
    }

    /// How the process ended, whoever its parent is: known from Linux 6.15 on, once its parent has reaped it.
    #[cfg(target_os = "linux")]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        /// `struct pidfd_info` in its first form.
        #[repr(C)]
        #[derive(Default)]
        struct Info {
            mask: u64,
            cgroup: u64,
            /// Process ids and credentials.
            ids: [u32; 11],
            exit_code: i32,
        }
        /// `PIDFD_INFO_EXIT`.
        const EXIT: u64 = 1 << 3;
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: the size of the structure is part of the number of the request, and the system fills in no more.
        let told = unsafe { libc::ioctl(self.handle.as_raw_fd(), get_info(size_of::<Info>()), &raw mut info) };
        (told == 0 && info.mask & EXIT != 0).then(|| ExitStatus::from_raw(info.exit_code))
    }

    /// Nobody tells.
    #[cfg(not(target_os = "linux"))]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        None
    }

    #[cfg(target_os = "linux")]
    fn send(&self, signal: i32, flags: u32) -> Result<(), Errno> {
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: without information about the signal there is no pointer to follow.
        let result =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.handle.as_raw_fd(), signal, nothing, flags) };
        if result == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&self, _signal: i32, _flags: u32) -> Result<(), Errno> {
        Err(Errno::new(libc::ENOSYS))
    }

    /// A copy of one of its descriptors, closed on exec. EPERM where the system lets nobody look into processes that are
    /// not its own children (`kernel.yama.ptrace_scope`), ENOSYS before Linux 5.6.
    #[cfg(target_os = "linux")]
    pub fn descriptor(&self, number: RawFd) -> Result<OwnedFd, Errno> {
        // SAFETY: it takes three numbers; the result is checked before it is owned. It is closed on exec from birth.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.handle.as_raw_fd(), number, 0) };
        let raw = i32::try_from(raw).ok().filter(|raw| *raw >= 0).ok_or_else(Errno::last)?;
        // SAFETY: the descriptor is new and nobody else's.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// There are none here.
    #[cfg(not(target_os = "linux"))]
    pub fn descriptor(&self, _number: RawFd) -> Result<OwnedFd, Errno> {
        Err(Errno::new(libc::ENOSYS))
    }
}

/// The number of the request `PIDFD_GET_INFO` for a structure of this size.
#[cfg(target_os = "linux")]
fn get_info(size: usize) -> libc::Ioctl {
    const READ_AND_WRITE: libc::Ioctl = 3;
    READ_AND_WRITE << 30 | (size as libc::Ioctl) << 16 | 0xff << 8 | 11
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

/// The number that identifies what an open descriptor stands for, for instance a pipe.
pub fn inode(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(nix::sys::stat::fstat(fd)?.st_ino)
}

/// Opens one end of a pipe that another process holds, without waiting and closed on exec. The process is asked first,
/// then everybody in its process group, because it may have passed the pipe on and closed it.
pub fn open_pipe(pid: Pid, inode: u64, write: bool) -> Option<OwnedFd> {
    let wanted = format!("pipe:[{inode}]");
    with_group(pid).find_map(|holder| open_held(holder, held(holder, &wanted)?, inode, write))
}

/// Opens what a process holds under this number, if it is that pipe: the number may have come to mean something else
/// since we looked, even a file that only we may open.
fn open_held(holder: Pid, number: RawFd, inode: u64, write: bool) -> Option<OwnedFd> {
    let mut options = File::options();
    options.read(!write).write(write).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let end = OwnedFd::from(options.open(format!("/proc/{holder}/fd/{number}")).ok()?);
    is_pipe(end.as_fd(), inode).then_some(end)
}

fn is_pipe(fd: BorrowedFd<'_>, wanted: u64) -> bool {
    let is_fifo = |mode| mode & libc::S_IFMT == libc::S_IFIFO;
    nix::sys::stat::fstat(fd).is_ok_and(|found| found.st_ino == wanted && is_fifo(found.st_mode))
}

/// A copy of a socket that another process, or somebody of its process group, holds; closed on exec. ESRCH when nobody
/// does, otherwise the errors of [`ProcessHandle::descriptor`].
pub fn copy_socket(pid: Pid, wanted: u64) -> Result<OwnedFd, Errno> {
    let link = format!("socket:[{wanted}]");
    let mut failure = Errno::ESRCH;
    for holder in with_group(pid) {
        let Some(number) = held(holder, &link) else { continue };
        let copy = ProcessHandle::open(holder).and_then(|handle| handle.descriptor(number));
        match copy {
            // The number may have come to mean something else since we looked.
            Ok(copy) if inode(copy.as_fd()).is_ok_and(|found| found == wanted) => return Ok(copy),
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A process and everybody else in the process group that it leads.
fn with_group(pid: Pid) -> impl Iterator<Item = Pid> {
    let others = move || processes().filter(move |other| *other != pid && group_of(*other) == Some(pid));
    let others = std::iter::once_with(others).flatten();
    std::iter::once(pid).chain(others)
}

/// The number under which a process holds something, by what its descriptors are links to.
fn held(holder: Pid, link: &str) -> Option<RawFd> {
    let entries = fs::read_dir(format!("/proc/{holder}/fd")).ok()?;
    let mut entries = entries.flatten();
    let held = entries.find(|entry| fs::read_link(entry.path()).is_ok_and(|found| found.as_os_str() == link))?;
    held.file_name().to_str()?.parse().ok()
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
    fn the_clock_tells_what_the_system_tells_of_a_child() {
        let mut births = Births::default();
        let mut by_clock = 0;
        while by_clock < 20 {
            by_clock += u32::from(births.agree == Some(true));
            let before = boot_time();
            let mut child = Command::new("/bin/sleep").arg("100").spawn().unwrap();
            let pid = Pid::new(child.id()).unwrap();
            let started = births.started(pid, before);
            let told = facts(pid).unwrap().started;
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(started, Some(told));
            assert_ne!(births.agree, Some(false));
        }
    }

    #[test]
    fn a_clock_that_was_found_wrong_is_not_believed() {
        let long_ago = facts(Pid::current()).unwrap().started;
        while to_tick(boot_time()) == long_ago {
            std::thread::yield_now();
        }
        // Of a process that was not made just now the clock tells something else than the system.
        let mut births = Births::default();
        while births.agree.is_none() {
            assert_eq!(births.started(Pid::current(), boot_time()), Some(long_ago));
        }
        assert_eq!(births.agree, Some(false));
        assert_eq!(births.started(Pid::current(), boot_time()), Some(long_ago));
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
        handle.kill_group(libc::SIGKILL).expect("it is in our group and leads none, so that it is signalled itself");
        assert!(crate::fd::poll_readable(handle.as_fd(), Some(Duration::from_secs(10))).unwrap());
        let dead = facts(pid).unwrap();
        child.wait().unwrap();
        assert!(again.is_some() && stranger.is_none());
        assert_eq!(dead.status, Some(ExitStatus::Signal { number: libc::SIGKILL, core_dumped: false }));
    }

    #[test]
    fn the_exit_status_of_a_process_that_somebody_else_reaped_is_known_where_the_system_tells() {
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
        assert_eq!(handle.exit_status(), is_told.then_some(ExitStatus::Code(7)));
    }

    #[test]
    fn nothing_else_is_taken_for_a_pipe() {
        let (pipe, other) = (crate::pipe::pipe().unwrap(), crate::pipe::pipe().unwrap());
        let file = tempfile::tempfile().unwrap();
        let number = |fd: BorrowedFd<'_>| inode(fd).unwrap();
        let open = |fd: &dyn AsRawFd, inode| open_held(Pid::current(), fd.as_raw_fd(), inode, false);
        assert!(open(&pipe.reader, number(pipe.reader.as_fd())).is_some());
        assert!(open(&other.reader, number(pipe.reader.as_fd())).is_none(), "another pipe");
        assert!(open(&file, number(file.as_fd())).is_none(), "a file of the same number");
    }

    #[test]
    fn a_socket_of_another_process_can_be_taken_back() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let number = inode(listener.as_fd()).unwrap();
        let mut child = Command::new("/bin/sleep").arg("100").stdin(OwnedFd::from(listener)).spawn().unwrap();
        let pid = Pid::new(child.id()).unwrap();
        let copy = copy_socket(pid, number);
        let stranger = copy_socket(pid, number + 1_000_000_000);
        child.kill().unwrap();
        child.wait().unwrap();
        let copy = std::net::TcpListener::from(copy.unwrap());
        assert_eq!(copy.local_addr().unwrap(), address);
        assert_eq!(stranger.unwrap_err(), Errno::ESRCH);
        assert_eq!(copy_socket(pid, number).unwrap_err(), Errno::ESRCH, "nobody holds it any more");
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
