//! How the allocator and the kernel treat unused memory.

use std::sync::LazyLock;

use crate::system;

/// Returns all free memory of glibc's allocator to the system: after a burst this can be many times as much as the
/// memory in use. Takes at most some milliseconds. Has no effect with other allocators.
pub fn trim_heap() {
    system::trim_allocator();
}

/// Whether this much more memory can be allocated at once. If not, because the address space is limited or the system
/// does not overcommit, an allocation would abort the process: code that can do with less calls this first. The answer
/// holds for this moment only; nothing is reserved.
pub fn is_available(bytes: usize) -> bool {
    if bytes < MORE_THAN_ADDRESS_SPACE && !is_limited() {
        return true;
    }
    // SAFETY: a new mapping at an address of the system's choice, which is unmapped at once.
    unsafe {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON | system::MAP_UNRESERVED);
        let place = libc::mmap(std::ptr::null_mut(), bytes.max(1), access, kind, -1, 0);
        place != libc::MAP_FAILED && libc::munmap(place, bytes.max(1)) == 0
    }
}

/// More than any address space has, limited or not.
const MORE_THAN_ADDRESS_SPACE: usize = usize::MAX >> 16;

/// Whether the system may refuse memory to this process. Another process can change the limit at any time.
fn is_limited() -> bool {
    static NEVER_OVERCOMMITS: LazyLock<bool> = LazyLock::new(|| {
        let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
        policy.map_or(true, |policy| policy.trim() == "2")
    });
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` may be written to.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    *NEVER_OVERCOMMITS || !told || limit.rlim_cur != libc::RLIM_INFINITY
}

/// Releases the pages of code and constants, of the program and its libraries, that were used so far, most of which are only
/// needed for the start. The kernel reads pages again from the files when they are needed. Has an effect only on Linux.
pub fn release_code_pages() {
    system::release_code_pages();
}

/// Makes the allocator return large blocks to the system as soon as they are freed, from now on.
///
/// By default glibc's allocator retains up to twice the largest block that was ever freed, in each of many heaps: one
/// large request of a client would increase the size of the daemon for good. Has no effect with other allocators.
pub fn limit_heap_retention() {
    system::limit_allocator();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beyond_the_address_space_is_not_available() {
        assert!(is_available(0));
        assert!(is_available(1 << 20));
        assert!(!is_available(1 << 60));
        assert!(!is_available(usize::MAX));
    }
}
