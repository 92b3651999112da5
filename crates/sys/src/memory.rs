//! How the allocator treats memory that is not used any more.

use std::sync::LazyLock;

use crate::system;

/// Gives all memory back to the system that the allocator of glibc keeps between pieces in use: after a rush it can be
/// many times as much as is needed. Takes some milliseconds at the most. Elsewhere nothing is done.
pub fn give_back_what_is_unused() {
    system::trim_allocator();
}

/// Whether so much more memory can be had at once. Where it cannot, because the address space is limited or the system
/// promises no more than it has, an attempt would end the process: who can do with less asks first. It is this moment's
/// answer, and nothing is held.
pub fn is_available(bytes: usize) -> bool {
    if bytes < MORE_THAN_ANY && !is_limited() {
        return true;
    }
    // SAFETY: a new mapping at a place of the system's choice, which nobody uses and which is given back whole.
    unsafe {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON | system::MAP_UNRESERVED);
        let place = libc::mmap(std::ptr::null_mut(), bytes.max(1), access, kind, -1, 0);
        place != libc::MAP_FAILED && libc::munmap(place, bytes.max(1)) == 0
    }
}

/// No address space has as much, whether it is limited or not.
const MORE_THAN_ANY: usize = usize::MAX >> 16;

/// Whether the system may refuse memory to this process. The limit can be changed from outside at any time.
fn is_limited() -> bool {
    static NEVER_OVERCOMMITS: LazyLock<bool> = LazyLock::new(|| {
        let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
        policy.map_or(true, |policy| policy.trim() == "2")
    });
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    *NEVER_OVERCOMMITS || !told || limit.rlim_cur != libc::RLIM_INFINITY
}

/// Lets go of the code and the constants of the program that have been used so far: most of it only starts the program.
/// What is needed again comes back from the file by itself. Elsewhere than on Linux nothing is done.
pub fn let_go_of_code() {
    system::let_go_of_code();
}

/// Has large pieces of memory go back to the system as soon as they are freed, for the whole life of the process.
///
/// Without it the allocator of glibc keeps up to twice the largest piece it has ever freed, once for each of many
/// heaps: one client with one large request would change the size of a daemon for good. Elsewhere nothing is done.
pub fn give_back_what_is_freed() {
    system::limit_allocator();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_much_is_available() {
        assert!(is_available(0));
        assert!(is_available(1 << 20));
        assert!(!is_available(1 << 60));
        assert!(!is_available(usize::MAX));
    }
}
