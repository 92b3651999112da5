//! How the allocator treats memory that is not used any more.

/// From this size on a piece of memory goes back to the system when it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 128 << 10;

/// How many heaps threads share.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;

/// Gives all memory back to the system that the allocator of glibc keeps between pieces in use: after a rush it can be
/// many times as much as is needed. Takes some milliseconds at the most. Elsewhere nothing is done.
pub fn give_back_what_is_unused() {
    // SAFETY: malloc_trim takes a number, touches only what is free, and locks the heaps itself.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Has large pieces of memory go back to the system as soon as they are freed, for the whole life of the process.
///
/// Without it the allocator of glibc keeps up to twice the largest piece it has ever freed, once for each of many
/// heaps: one client with one large request would change the size of a daemon for good. Elsewhere nothing is done.
pub fn give_back_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE), (libc::M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: mallopt takes two numbers, touches only the allocator's own settings, and locks them itself.
        unsafe { libc::mallopt(parameter, value) };
    }
}
