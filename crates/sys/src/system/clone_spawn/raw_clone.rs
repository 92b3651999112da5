//! The system call that makes a child with a stack of its own. The functions of C libraries differ: that of musl refuses to
//! have the kernel tell when the child no longer uses the memory.

use std::arch::asm;
use std::ffi::c_void;

use crate::Errno;

/// What the kernel stores where.
pub(super) struct CloneWords {
    /// The process id of the child, before the child runs (`CLONE_PARENT_SETTID`).
    pub pid: *mut libc::pid_t,
    /// 0, and it wakes who waits there, when the child no longer uses the memory (`CLONE_CHILD_CLEARTID`).
    pub cleared: *mut libc::pid_t,
}

/// Makes a child that begins with `enter(argument)` on another stack, and gives its process id.
///
/// # Safety
/// `flags` has `CLONE_VM`, neither `CLONE_THREAD` nor `CLONE_SETTLS`. `top` is the aligned end of a stack that nothing else uses
/// while the child does. The words live as long. `enter` never returns, and may do with `argument` what a child may do that
/// shares memory and thread-local variables with the calling thread.
pub(super) unsafe fn clone_with_stack(
    flags: i32,
    top: *mut c_void,
    words: &CloneWords,
    enter: extern "C" fn(*mut c_void) -> !,
    argument: *mut c_void,
) -> Result<libc::pid_t, Errno> {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: in the parent, the system changes the result, the two registers named, and the words. The child goes on with the
    // same registers and an empty stack, and leaves this function by the call, which does not return.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags as isize, in("rsi") top, in("rdx") words.pid, in("r10") words.cleared, in("r8") 0,
            in("r12") enter, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above; the fourth argument is the one for thread-local variables, which is not used.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x21",
            "br x20",
            "2:",
            in("x8") libc::SYS_clone,
            inlateout("x0") flags as isize => result,
            in("x1") top, in("x2") words.pid, in("x3") 0, in("x4") words.cleared,
            in("x20") enter, in("x21") argument,
        );
    }
    match libc::pid_t::try_from(result) {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(Errno::new(result.unsigned_abs() as i32)),
    }
}
