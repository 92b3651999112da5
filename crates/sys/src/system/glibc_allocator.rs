//! The allocator of glibc, which keeps much of what is freed unless it is told otherwise.

/// From this size on a piece of memory goes back to the system when it is freed.
const LARGE: libc::c_int = 128 << 10;

/// How many heaps threads share.
const HEAPS: libc::c_int = 2;

pub(crate) fn trim_allocator() {
    // SAFETY: malloc_trim takes a number, touches only what is free, and locks the heaps itself.
    unsafe { libc::malloc_trim(0) };
}

pub(crate) fn limit_allocator() {
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE), (libc::M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: mallopt takes two numbers, touches only the allocator's own settings, and locks them itself.
        unsafe { libc::mallopt(parameter, value) };
    }
}
