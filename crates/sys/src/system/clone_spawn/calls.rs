//! The system calls of a child, made without the C library: they write nothing to the memory that the child shares with
//! the daemon, not even `errno`.

use std::ffi::{CStr, c_char, c_long};
use std::mem;
use std::os::fd::RawFd;

use crate::Errno;
use crate::user_ids::{DropError, UserIds};

/// A group other than that of root.
const FOREIGN_GROUP: usize = 1;

/// Makes a system call: the result, or the error.
///
/// # Safety
/// The conditions are those of the call. What the arguments point to must live until it returns.
unsafe fn call(number: c_long, arguments: [usize; 4]) -> Result<usize, Errno> {
    let [first, second, third, fourth] = arguments;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the system changes the result, the two registers named, and the memory that the call writes to.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the system changes the result and the memory that the call writes to.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first as isize => result,
            in("x1") second, in("x2") third, in("x3") fourth,
            options(nostack),
        );
    }
    usize::try_from(result).map_err(|_| Errno::new(result.unsigned_abs() as i32))
}

/// Makes the calling process the leader of a group of its own.
pub(crate) fn lead_group() -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { call(libc::SYS_setpgid, [0, 0, 0, 0]) }.map(drop)
}

/// A copy of a descriptor with a number from `least` on.
pub(crate) fn duplicate(fd: RawFd, least: RawFd) -> Result<RawFd, Errno> {
    let arguments = [fd as usize, libc::F_DUPFD_CLOEXEC as usize, least as usize, 0];
    // SAFETY: only makes a new descriptor.
    unsafe { call(libc::SYS_fcntl, arguments) }.map(|fd| fd as RawFd)
}

/// Makes `target` a copy of another descriptor.
pub(crate) fn replace(fd: RawFd, target: RawFd) -> Result<(), Errno> {
    // SAFETY: only replaces a descriptor of the child, whose table of descriptors is its own.
    unsafe { call(libc::SYS_dup3, [fd as usize, target as usize, 0, 0]) }.map(drop)
}

/// Sets close-on-exec on all descriptors but 0 to 2. Before Linux 5.11 it does nothing; the daemon opens all descriptors
/// with that flag.
pub(crate) fn close_others_on_exec() {
    let arguments = [3, u32::MAX as usize, libc::CLOSE_RANGE_CLOEXEC as usize, 0];
    // SAFETY: the call only changes flags of descriptors.
    let _ = unsafe { call(libc::SYS_close_range, arguments) };
}

/// Clears close-on-exec of a descriptor.
pub(crate) fn keep_on_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: the call only changes flags of a descriptor.
    unsafe { call(libc::SYS_fcntl, [fd as usize, libc::F_SETFD as usize, 0, 0]) }.map(drop)
}

/// Gives a signal its default disposition.
pub(crate) fn default_signal(signal: i32) -> Result<(), Errno> {
    /// The longest form of the kernel's `struct sigaction`. All zeros mean the default action, no flags and no mask.
    const DEFAULT: [u64; 4] = [0; 4];
    // SAFETY: the new action is as long as the system reads, and the old one is not requested.
    unsafe { call(libc::SYS_rt_sigaction, [signal as usize, DEFAULT.as_ptr().addr(), 0, mem::size_of::<u64>()]) }
        .map(drop)
}

/// Blocks no signal.
pub(crate) fn unblock_signals() {
    let none: u64 = 0;
    let arguments = [libc::SIG_SETMASK as usize, (&raw const none).addr(), 0, mem::size_of::<u64>()];
    // SAFETY: the mask is as long as the last argument says, and the old one is not requested.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
}

/// Gives up the controlling terminal: a process could insert input into it (TIOCSTI), as if the terminal's user had typed
/// it.
pub(crate) fn leave_terminal() {
    let arguments =
        [libc::AT_FDCWD as usize, c"/dev/tty".as_ptr().addr(), (libc::O_RDWR | libc::O_CLOEXEC) as usize, 0];
    // SAFETY: the string ends in NUL.
    if let Ok(terminal) = unsafe { call(libc::SYS_openat, arguments) } {
        // SAFETY: no memory is involved.
        let _ = unsafe { call(libc::SYS_ioctl, [terminal, libc::TIOCNOTTY as usize, 0, 0]) };
    }
}

/// Changes to this user. The saved group id is that of another group until the program is executed. Because the ids of the
/// child differ from those of the user, the user cannot trace the child or read its memory, which is the daemon's, even
/// if `fs.suid_dumpable` is 1.
pub(crate) fn become_user(ids: &UserIds) -> Result<(), DropError> {
    let foreign = if ids.gid == 0 { FOREIGN_GROUP } else { 0 };
    let groups = &ids.groups;
    // SAFETY: the pointer and the length describe one slice of group ids.
    unsafe { call(libc::SYS_setgroups, [groups.len(), groups.as_ptr().addr(), 0, 0]) }.map_err(DropError::Groups)?;
    let gid = ids.gid as usize;
    // SAFETY: no memory is involved.
    unsafe { call(libc::SYS_setresgid, [gid, gid, foreign, 0]) }.map_err(DropError::Group)?;
    // SAFETY: no memory is involved.
    unsafe { call(libc::SYS_setuid, [ids.uid as usize, 0, 0, 0]) }.map_err(DropError::User)?;
    Ok(())
}

/// Changes the working directory.
pub(crate) fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the string ends in NUL.
    unsafe { call(libc::SYS_chdir, [path.as_ptr().addr(), 0, 0, 0]) }.map(drop)
}

/// Sets the file mode mask.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call(libc::SYS_umask, [mask as usize, 0, 0, 0]) };
}

/// Sets the nice value of the calling process.
pub(crate) fn set_nice(nice: i8) -> Result<(), Errno> {
    let arguments = [libc::PRIO_PROCESS as usize, 0, isize::from(nice) as usize, 0];
    // SAFETY: no memory is involved.
    unsafe { call(libc::SYS_setpriority, arguments) }.map(drop)
}

/// Executes a program. It returns only if that fails.
///
/// # Safety
/// The arrays must consist of strings and end in a null pointer.
pub(crate) unsafe fn execute(
    program: &CStr,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> Errno {
    let arguments = [program.as_ptr().addr(), arguments.addr(), environment.addr(), 0];
    // SAFETY: promised by the caller.
    unsafe { call(libc::SYS_execve, arguments) }.err().unwrap_or(Errno::EINVAL)
}

/// Writes some of these bytes.
pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the pointer and the length describe one slice.
    unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr().addr(), bytes.len(), 0]) }
}

/// Ends the child without running the exit handlers of the daemon.
pub(crate) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is involved, and it does not return.
        let _ = unsafe { call(libc::SYS_exit_group, [status as usize, 0, 0, 0]) };
    }
}
