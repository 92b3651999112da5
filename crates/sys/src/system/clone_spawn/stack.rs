//! The stack of a child that shares the daemon's memory.

use std::ptr::{self, NonNull};

use libc::c_void;

use crate::Errno;

/// How much of the stack a child may use until it executes its program. Its error messages are prepared before.
const SIZE: usize = 32 << 10;

/// A mapping whose lowest page is a guard page: a child that overflows its stack is killed by SIGSEGV, and does not
/// overwrite memory of the daemon.
#[derive(Debug)]
pub(super) struct Stack {
    bottom: NonNull<c_void>,
    length: usize,
}

impl Stack {
    pub(super) fn new() -> Result<Stack, Errno> {
        let guard = page();
        let length = guard + SIZE.next_multiple_of(guard);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping at an address that the system chooses overlaps no other.
        let bottom = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        let bottom =
            NonNull::new(bottom).filter(|bottom| bottom.as_ptr() != libc::MAP_FAILED).ok_or_else(Errno::last)?;
        let stack = Stack { bottom, length };
        let usable = bottom.as_ptr().wrapping_byte_add(guard);
        // SAFETY: all but the first page of the mapping made above, which is not in use yet.
        match unsafe { libc::mprotect(usable, length - guard, libc::PROT_READ | libc::PROT_WRITE) } {
            0 => Ok(stack),
            _ => Err(Errno::last()),
        }
    }

    /// Where it begins: it grows down. A multiple of the page size satisfies every alignment that a stack needs.
    pub(super) fn top(&self) -> *mut c_void {
        self.bottom.as_ptr().wrapping_byte_add(self.length)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that was made for this stack, which no child uses any more.
        unsafe { libc::munmap(self.bottom.as_ptr(), self.length) };
    }
}

fn page() -> usize {
    // SAFETY: it takes no pointer and has no effect.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(64 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_below_the_stack_cannot_be_written() {
        let stack = Stack::new().unwrap();
        let touch = |address: *mut c_void| {
            // A system call that cannot write there returns an error; a write of our own would end the test.
            // SAFETY: the system writes one byte into the stack, which is not in use, or returns an error.
            let read = unsafe { libc::syscall(libc::SYS_getrandom, address, 1, 0) };
            if read == 1 { Ok(()) } else { Err(Errno::last().number()) }
        };
        let lowest = stack.top().wrapping_byte_sub(SIZE);
        assert_eq!(touch(stack.top().wrapping_byte_sub(1)), Ok(()));
        assert_eq!(touch(lowest), Ok(()));
        assert_eq!(touch(stack.bottom.as_ptr().wrapping_byte_add(page() - 1)), Err(libc::EFAULT));
        assert_eq!(stack.top().addr() % 16, 0);
    }
}
