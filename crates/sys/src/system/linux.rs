//! Linux.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::fcntl::{FallocateFlags, FcntlArg, SpliceFFlags, fallocate, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{MsgFlags, SockFlag, getsockopt, sockopt};

use crate::capabilities::{Capabilities, LINUX};
use crate::errno::named;
use crate::{Errno, Pid};

mod notifications;
mod remote_files;
pub(crate) mod trusted_walk;

pub(crate) use notifications::{
    abstract_address, abstract_name_of, accept_descriptors, open_notification_socket, receive_datagram,
};

pub(crate) use remote_files::{keep_from_children, without_remote_files};

pub(crate) const CAPABILITIES: Capabilities = LINUX;

pub(crate) static MORE_ERRNO_NAMES: &[(i32, &str)] = named! {
    ENOTBLK EUSERS EDQUOT
    ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR
    ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EMULTIHOP EDOTDOT ENOTUNIQ EBADFD EREMCHG ELIBACC
    ELIBBAD ELIBSCN ELIBMAX ELIBEXEC ERESTART ESTRPIPE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO ENOMEDIUM EMEDIUMTYPE
    ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED ERFKILL EHWPOISON
};

pub(crate) const MAX_SIGNAL: i32 = 64;

pub(crate) const SYSLOG_SOCKET: &str = "/var/run/log";

// Sockets.

/// Flags of new sockets.
pub(crate) const SOCKET_FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;

/// Flags for receiving messages.
pub(crate) const RECEIVE_FLAGS: MsgFlags = MsgFlags::MSG_CMSG_CLOEXEC;

/// Flags for sending messages: a closed peer raises no signal.
pub(crate) const SEND_FLAGS: MsgFlags = MsgFlags::MSG_NOSIGNAL;

pub(crate) fn peer(connection: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let found = getsockopt(&connection, sockopt::PeerCredentials)?;
    Ok((found.uid(), found.pid().unsigned_abs()))
}

pub(crate) fn peer_groups(connection: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let primary = getsockopt(&connection, sockopt::PeerCredentials)?.gid();
    // The system says how many there are where there is no room; they do not change.
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut size = libc::socklen_t::try_from(size_of_val(groups.as_slice())).unwrap_or(libc::socklen_t::MAX);
        // SAFETY: the system writes at most `size` bytes into the vector, which has as many, and the size to `size`.
        let status = unsafe {
            let room = groups.as_mut_ptr().cast();
            libc::getsockopt(connection.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERGROUPS, room, &raw mut size)
        };
        let count = size as usize / size_of::<libc::gid_t>();
        let error = io::Error::last_os_error();
        match status {
            0 => groups.truncate(count),
            _ if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
                continue;
            }
            _ => return Err(error),
        }
        groups.push(primary);
        return Ok(groups);
    }
}

// Limits, users and time.

/// The type of the number of a limit differs between C libraries.
#[cfg(not(target_env = "musl"))]
pub(crate) type LimitNumber = libc::__rlimit_resource_t;
#[cfg(target_env = "musl")]
pub(crate) type LimitNumber = libc::c_int;

pub(crate) const PROCESS_LIMIT: Option<LimitNumber> = Some(libc::RLIMIT_NPROC);

pub(crate) fn groups_of(name: &CStr, primary: u32) -> Option<Vec<u32>> {
    let groups = nix::unistd::getgrouplist(name, nix::unistd::Gid::from_raw(primary)).ok()?;
    Some(groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
}

/// The offset of a local time, in seconds east of Greenwich; `_seconds` is the same time since the epoch.
pub(crate) fn utc_offset(local: &libc::tm, _seconds: i64) -> Option<i32> {
    i32::try_from(local.tm_gmtoff).ok()
}

/// Whether that is allowed; none where nothing tells without an effect on others.
pub(crate) fn set_priority_of_this_thread(nice: i8) -> Option<bool> {
    // SAFETY: it takes numbers only; for Linux, process 0 is the calling thread.
    Some(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) } == 0)
}

pub(crate) fn lower_priority_of_this_thread() {
    // SAFETY: it takes numbers only; for Linux, process 0 is the calling thread. Whatever it refuses stays as it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    const WHO_THREAD: libc::c_int = 1;
    const CLASS_IDLE: libc::c_int = 3 << 13;
    // SAFETY: the same.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_THREAD, 0, CLASS_IDLE) };
}

pub(crate) fn boot_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

// Descriptors, pipes and files.

/// Wraps a new descriptor, or returns the error of the call. Calls that not every C library has are made by number;
/// their descriptors are created with close-on-exec.
///
/// # Safety
/// The number is the result of a call that creates a descriptor without another owner.
unsafe fn new_descriptor(number: libc::c_long) -> Result<OwnedFd, Errno> {
    let number = RawFd::try_from(number).ok().filter(|number| *number >= 0).ok_or_else(Errno::last)?;
    // SAFETY: promised by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// False on a kernel before 5.11.
pub(crate) fn close_range_on_exec() -> bool {
    // SAFETY: the call only changes flags of descriptors. It is made by number because not every C library has it.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0 }
}

/// A number above those of all open descriptors; none without `/proc`. To list them there costs a microsecond for each.
pub(crate) fn descriptor_table_size() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("FDSize:"))?.trim().parse().ok()
}

pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    Ok(nix::fcntl::splice(from, None, to, None, len, flags)?)
}

pub(crate) fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    Ok(nix::fcntl::tee(from, to, len, SpliceFFlags::SPLICE_F_NONBLOCK)?)
}

pub(crate) fn pipe_capacity(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    Ok(fcntl(pipe, FcntlArg::F_GETPIPE_SZ)?.unsigned_abs() as usize)
}

pub(crate) fn set_pipe_capacity(pipe: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    Ok(fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes))?.unsigned_abs() as usize)
}

pub(crate) fn reopen(number: i32, flags: i32) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(flags).open(format!("/proc/self/fd/{number}"))
}

pub(crate) fn append_by_flag(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let piece = io::IoSlice::new(bytes);
    // An IoSlice has the layout of `struct iovec`. The offset of -1, in two halves, means the position.
    let (pieces, half) = (&raw const piece, -1 as libc::c_long);
    // SAFETY: the system reads one slice, which is valid for its length. The call is made by number because not every C
    // library has it.
    let done = unsafe { libc::syscall(libc::SYS_pwritev2, file.as_raw_fd(), pieces, 1, half, half, libc::RWF_APPEND) };
    usize::try_from(done).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn read_cached_at(file: BorrowedFd<'_>, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut piece = io::IoSliceMut::new(bytes);
    // An IoSliceMut has the layout of the system's own structure. The offset comes in two halves.
    let (pieces, low, high) = (&raw mut piece, offset as libc::c_long, (offset >> 32) as libc::c_long);
    // SAFETY: the system writes one piece, which is valid for its length and borrowed alone. The call is made by number
    // because not every C library has it.
    let done = unsafe { libc::syscall(libc::SYS_preadv2, file.as_raw_fd(), pieces, 1, low, high, libc::RWF_NOWAIT) };
    usize::try_from(done).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn is_on_memory_file_system(file: BorrowedFd<'_>) -> bool {
    use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
    fstatfs(file).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

// Memory.

/// The mapping counts against limits, not against the system's overcommit heuristic.
pub(crate) const MAP_UNRESERVED: libc::c_int = libc::MAP_NORESERVE;

fn memory_file(flags: libc::c_uint) -> Result<OwnedFd, Errno> {
    // SAFETY: the name ends in NUL, and the call creates a descriptor.
    unsafe { new_descriptor(libc::memfd_create(c"supervisord".as_ptr(), libc::MFD_CLOEXEC | flags).into()) }
}

pub(crate) fn nameless_file() -> io::Result<File> {
    Ok(memory_file(0)?.into())
}

/// No process can truncate the file, after which an access to the mapping would raise SIGBUS.
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

pub(crate) fn sealed_memory_file(len: usize) -> io::Result<OwnedFd> {
    if getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| soft < len as u64) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let file = File::from(memory_file(libc::MFD_ALLOW_SEALING)?);
    file.set_len(len as u64)?;
    // SAFETY: the descriptor is open, and the command takes a number.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } {
        0 => Ok(file.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A memory file with this content, which nobody can change any more.
pub(crate) fn sealed_content(content: &[u8]) -> io::Result<OwnedFd> {
    if getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| soft < content.len() as u64) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let mut file = File::from(memory_file(libc::MFD_ALLOW_SEALING)?);
    io::Write::write_all(&mut file, content)?;
    // SAFETY: the descriptor is open, and the command takes a number.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS | libc::F_SEAL_WRITE) } {
        0 => Ok(file.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The file must be on a file system in memory: a mapping of it then waits for no disk. All of it is reserved, because an access
/// to a part for which there is no memory would raise SIGBUS.
pub(crate) fn reserve_in_memory(file: BorrowedFd<'_>, len: usize) -> io::Result<()> {
    if !is_on_memory_file_system(file) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| soft < len as u64) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    // No mapping is longer than this type can express.
    Ok(fallocate(file, FallocateFlags::empty(), 0, len as libc::off_t)?)
}

pub(crate) fn has_sealed_size(file: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open, and the command takes nothing.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & SEALS == SEALS
}

pub(crate) fn punch_hole(file: BorrowedFd<'_>, offset: usize, len: usize) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    // No mapping is longer than this type can express.
    Ok(fallocate(file, flags, offset as libc::off_t, len as libc::off_t)?)
}

pub(crate) fn release_code_pages() {
    // SAFETY: the callback is called before this returns, and stores nothing.
    unsafe { libc::dl_iterate_phdr(Some(release_object), std::ptr::null_mut()) };
}

/// Releases the read-only segments of the program or of a library.
unsafe extern "C" fn release_object(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> libc::c_int {
    const GO_ON: libc::c_int = 0;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let Some(page) = page.and_then(|size| usize::try_from(size).ok()) else { return GO_ON };
    // SAFETY: the caller passes a valid description with this many segments.
    let (base, segments) = unsafe {
        ((*object).dlpi_addr, std::slice::from_raw_parts((*object).dlpi_phdr, usize::from((*object).dlpi_phnum)))
    };
    for segment in
        segments.iter().filter(|segment| segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_W == 0)
    {
        let begin = (base + segment.p_vaddr) as usize;
        let end = (begin + segment.p_memsz as usize) & !(page - 1);
        let begin = begin.next_multiple_of(page);
        if begin < end {
            // SAFETY: whole pages of a read-only segment: they are read again from the file when they are accessed.
            // After an error nothing has changed.
            unsafe { libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_DONTNEED) };
        }
    }
    GO_ON
}

/// At most 256 bytes, which are returned at once.
pub(crate) fn fill_with_random(bytes: &mut [u8]) -> io::Result<()> {
    loop {
        // SAFETY: pointer and length describe a slice with no other user.
        let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(filled) {
            Ok(filled) if filled == bytes.len() => return Ok(()),
            Ok(_) => {}
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
}

// Processes and threads.

pub(crate) fn set_process_name(name: &CStr) {
    // The name is only for process lists.
    let _ = nix::sys::prctl::set_name(name);
}

pub(crate) fn open_process(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: it takes two numbers, and creates a descriptor.
    unsafe { new_descriptor(libc::syscall(libc::SYS_pidfd_open, pid.raw(), 0)) }
}

pub(crate) fn signal_process(handle: BorrowedFd<'_>, signal: i32, flags: u32) -> Result<(), Errno> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without signal information no pointer is dereferenced.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), signal, nothing, flags) };
    if result == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// The raw status word.
pub(crate) fn exit_status_of(handle: BorrowedFd<'_>) -> Option<i32> {
    /// `struct pidfd_info` in its first version.
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
    const READ_AND_WRITE: libc::Ioctl = 3;
    /// `PIDFD_GET_INFO` for a structure of this size.
    const GET_INFO: libc::Ioctl = READ_AND_WRITE << 30 | (size_of::<Info>() as libc::Ioctl) << 16 | 0xff << 8 | 11;
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the size of the structure is part of the request's number, so the system writes no more.
    let told = unsafe { libc::ioctl(handle.as_raw_fd(), GET_INFO, &raw mut info) };
    (told == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
}

pub(crate) fn copy_descriptor(handle: BorrowedFd<'_>, number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: it takes three numbers, and creates a descriptor.
    unsafe { new_descriptor(libc::syscall(libc::SYS_pidfd_getfd, handle.as_raw_fd(), number, 0)) }
}

/// Makes an invalid call, which returns EINVAL if the call is permitted.
pub(crate) fn is_clone3_forbidden() -> bool {
    // SAFETY: a structure of length 0 is refused before it is read.
    let made = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<u8>(), 0) };
    made == -1 && Errno::last() == Errno::EPERM
}

/// Makes the system return ENOSYS for `clone3`. Of several filters, the one set last decides.
pub(crate) fn hide_clone3() -> Result<(), Errno> {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        // The number of the call is the first field.
        step(LOAD_NUMBER, 0, 0, 0),
        step(IF_EQUAL, 0, 1, libc::SYS_clone3 as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the filter lives until the call returns, which copies it, and its length is correct.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if set == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Gives up gaining privileges by executing a program (`no_new_privs`), permanently.
pub(crate) fn set_no_new_privs() {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
}

/// The soft limit of the time that real-time threads may compute without a pause, by which descendants are known; none if there
/// is no such process.
pub(crate) fn mark_of(pid: Pid) -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: nothing is set, and the structure may be written to. The call is made by number because its type differs between C
    // libraries.
    let told = unsafe {
        let nothing = std::ptr::null::<libc::rlimit64>();
        libc::syscall(libc::SYS_prlimit64, pid.raw(), libc::RLIMIT_RTTIME, nothing, &raw mut limit)
    };
    if told == 0 {
        return Some(limit.rlim_cur);
    }
    match Errno::last() {
        // Of a process of another user, which everybody may read.
        Errno::EPERM => written_mark_of(pid),
        _ => None,
    }
}

fn written_mark_of(pid: Pid) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?.split_whitespace().next()?;
    Some(soft.parse().unwrap_or(libc::RLIM64_INFINITY))
}

/// Sets the soft limit that [`mark_of`] tells of this process.
pub(crate) fn set_mark(mark: u64) -> Result<(), Errno> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is valid for both calls.
    let set = unsafe {
        let nothing = std::ptr::null::<libc::rlimit64>();
        if libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_RTTIME, nothing, &raw mut limit) != 0 {
            return Err(Errno::last());
        }
        limit.rlim_cur = mark.min(limit.rlim_max);
        libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_RTTIME, &raw const limit, nothing)
    };
    if set == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Makes orphaned descendants children of this process.
pub(crate) fn set_subreaper() -> Result<(), Errno> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

pub(crate) fn is_subreaper() -> bool {
    nix::sys::prctl::get_child_subreaper().unwrap_or(false)
}

/// The counters of the control group, of whatever version, and of the whole machine.
pub(crate) fn memory_kills() -> (Option<u64>, Option<u64>) {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let kills = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
        line.trim().parse::<u64>().ok()
    };
    let groups = read("/proc/self/cgroup".to_owned()).unwrap_or_default();
    let files = groups.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        match line.split_once(':')? {
            ("", path) => {
                Some([("/sys/fs/cgroup", path, "memory.events"), ("/sys/fs/cgroup/unified", path, "memory.events")])
            }
            (controllers, path) if controllers.split(',').any(|name| name == "memory") => Some([
                ("/sys/fs/cgroup/memory", path, "memory.oom_control"),
                ("/sys/fs/cgroup/memory", "", "memory.oom_control"),
            ]),
            _ => None,
        }
    });
    let in_cgroup = files
        .flatten()
        .find_map(|(root, path, file)| kills(read(format!("{root}{}/{file}", path.trim_end_matches('/')))?));
    (in_cgroup, read("/proc/vmstat".to_owned()).and_then(kills))
}
