//! glibc's allocator, which retains much of the freed memory by default.

/// Blocks of at least this size return to the system when they are freed.
const LARGE: libc::c_int = 128 << 10;

/// The number of heaps that threads share.
const HEAPS: libc::c_int = 2;

pub(crate) fn trim_allocator() {
    // SAFETY: malloc_trim takes a number, touches only free memory, and locks the heaps itself.
    unsafe { libc::malloc_trim(0) };
}

pub(crate) fn limit_allocator() {
    for (parameter, value) in
        [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE), (libc::M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: mallopt takes two numbers, changes only the allocator's settings, and locks them itself.
        unsafe { libc::mallopt(parameter, value) };
    }
}
