//! The stack of a child that shares the daemon's memory.

use std::ptr::{self, NonNull};

use libc::c_void;

use crate::Errno;

/// How much of it a child may use until it executes its program; the texts it may have to say are made before.
const ROOM: usize = 32 << 10;

/// Memory of its own, below which there is a page that nobody may touch: a child that needs too much ends, instead of
/// writing into what is the daemon's.
#[derive(Debug)]
pub(super) struct Stack {
    bottom: NonNull<c_void>,
    length: usize,
}

impl Stack {
    pub(super) fn new() -> Result<Stack, Errno> {
        let guard = page();
        let length = guard + ROOM.next_multiple_of(guard);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping where the system likes it touches nothing that exists.
        let bottom = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        let bottom =
            NonNull::new(bottom).filter(|bottom| bottom.as_ptr() != libc::MAP_FAILED).ok_or_else(Errno::last)?;
        let stack = Stack { bottom, length };
        let room = bottom.as_ptr().wrapping_byte_add(guard);
        // SAFETY: all but the first page of the mapping made above, which nobody uses yet.
        match unsafe { libc::mprotect(room, length - guard, libc::PROT_READ | libc::PROT_WRITE) } {
            0 => Ok(stack),
            _ => Err(Errno::last()),
        }
    }

    /// Where it begins: it grows down. A page is a multiple of every alignment that is asked of it.
    pub(super) fn top(&self) -> *mut c_void {
        self.bottom.as_ptr().wrapping_byte_add(self.length)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the whole mapping that was made for it, and nobody is on it any more.
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
    fn who_needs_too_much_touches_nothing() {
        let stack = Stack::new().unwrap();
        let touch = |address: *mut c_void| {
            // A system call that is to write there says so, where touching it ourselves would end the test.
            // SAFETY: the system writes one byte where it may, which is into the stack nobody uses, and refuses otherwise.
            let read = unsafe { libc::syscall(libc::SYS_getrandom, address, 1, 0) };
            if read == 1 { Ok(()) } else { Err(Errno::last().number()) }
        };
        let lowest = stack.top().wrapping_byte_sub(ROOM);
        assert_eq!(touch(stack.top().wrapping_byte_sub(1)), Ok(()));
        assert_eq!(touch(lowest), Ok(()));
        assert_eq!(touch(stack.bottom.as_ptr().wrapping_byte_add(page() - 1)), Err(libc::EFAULT));
        assert_eq!(stack.top().addr() % 16, 0);
    }
}
