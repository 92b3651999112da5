//! Open descriptors of other processes, from `/proc/PID/fd`: on Linux only, and with the rights of a debugger;
//! elsewhere nothing is found. Releases without a keeper left the pipes of their children only to them.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::proc_stat::group_of;
use crate::process_handle::ProcessHandle;
use crate::{Errno, Pid};

/// The inode number of an open descriptor, which identifies a pipe, for instance.
pub fn inode(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(nix::sys::stat::fstat(fd)?.st_ino)
}

/// Opens one end of a pipe that another process holds, non-blocking and closed on exec. Looks at the process first,
/// then at its process group, because it may have passed the pipe on and closed it.
pub fn open_pipe(pid: Pid, inode: u64, write: bool) -> Option<OwnedFd> {
    let wanted = format!("pipe:[{inode}]");
    with_group(pid).find_map(|holder| open_held(holder, held(holder, &wanted)?, inode, write))
}

/// Opens descriptor `number` of a process if it is that pipe: the number may have been reused since we looked, even for
/// a file that only we may open.
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

/// A copy of a socket that a process, or another one of its process group, holds; closed on exec. ESRCH if none does,
/// otherwise the errors of [`ProcessHandle::descriptor`].
pub fn copy_socket(pid: Pid, wanted: u64) -> Result<OwnedFd, Errno> {
    let link = format!("socket:[{wanted}]");
    let mut failure = Errno::ESRCH;
    for holder in with_group(pid) {
        let Some(number) = held(holder, &link) else { continue };
        let copy = ProcessHandle::open(holder).and_then(|handle| handle.descriptor(number));
        match copy {
            // The number may have been reused since we looked.
            Ok(copy) if inode(copy.as_fd()).is_ok_and(|found| found == wanted) => return Ok(copy),
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A process and all others in the process group that it leads.
pub fn with_group(pid: Pid) -> impl Iterator<Item = Pid> {
    let others = move || processes().filter(move |other| *other != pid && group_of(*other) == Some(pid));
    let others = std::iter::once_with(others).flatten();
    std::iter::once(pid).chain(others)
}

/// The number of a process's descriptor, found by the target of its link in `/proc`.
fn held(holder: Pid, link: &str) -> Option<RawFd> {
    let entries = fs::read_dir(format!("/proc/{holder}/fd")).ok()?;
    let mut entries = entries.flatten();
    let held = entries.find(|entry| fs::read_link(entry.path()).is_ok_and(|found| found.as_os_str() == link))?;
    held.file_name().to_str()?.parse().ok()
}

/// All processes.
pub(crate) fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::new(entry.file_name().to_str()?.parse().ok()?))
}

/// The process group leader whose stdout or stderr is this pipe: the child that a daemon had just spawned when it was
/// killed.
pub fn find_leader(inode: u64) -> Option<Pid> {
    let wanted = format!("pipe:[{inode}]");
    let holds = |pid: Pid, fd: u32| {
        fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|link| link.as_os_str() == &*wanted)
    };
    processes().find(|pid| group_of(*pid) == Some(*pid) && (holds(*pid, 1) || holds(*pid, 2)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::proc_stat;
    use crate::wait::WaitStatus;

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
        let dead = proc_stat::read(pid).unwrap();
        child.wait().unwrap();
        assert!(again.is_some() && stranger.is_none());
        assert_eq!(dead.status, Some(WaitStatus::Signal { number: libc::SIGKILL, core_dumped: false }));
    }

    #[test]
    fn other_descriptors_are_not_opened_as_the_pipe() {
        let (pipe, other) = (crate::pipe::pipe().unwrap(), crate::pipe::pipe().unwrap());
        let file = tempfile::tempfile().unwrap();
        let number = |fd: BorrowedFd<'_>| inode(fd).unwrap();
        let open = |fd: &dyn AsRawFd, inode| open_held(Pid::current(), fd.as_raw_fd(), inode, false);
        assert!(open(&pipe.reader, number(pipe.reader.as_fd())).is_some());
        assert!(open(&other.reader, number(pipe.reader.as_fd())).is_none(), "another pipe");
        assert!(open(&file, number(file.as_fd())).is_none(), "a file of the same number");
    }

    #[test]
    fn a_socket_of_another_process_can_be_copied() {
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
}
