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

/// Whether so much more memory can be had at once. Where it cannot, because the address space is limited or the system
/// promises no more than it has, an attempt would end the process: who can do with less asks first. It is this moment's
/// answer, and nothing is held.
pub fn is_available(bytes: usize) -> bool {
    // SAFETY: a new mapping at a place of the system's choice, which nobody uses and which is given back whole.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON | UNRESERVED);
        let place = libc::mmap(std::ptr::null_mut(), bytes.max(1), access, kind, -1, 0);
        place != libc::MAP_FAILED && libc::munmap(place, bytes.max(1)) == 0
    }
}

/// Only limits count, not what the system guesses.
#[cfg(target_os = "linux")]
const UNRESERVED: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(target_os = "linux"))]
const UNRESERVED: libc::c_int = 0;

/// Lets go of the code and the constants of the program that have been used so far: most of it only starts the program.
/// What is needed again comes back from the file by itself. Elsewhere than on Linux nothing is done.
pub fn let_go_of_code() {
    #[cfg(target_os = "linux")]
    // SAFETY: the callback is called before this returns, and keeps nothing.
    unsafe {
        libc::dl_iterate_phdr(Some(let_go_of_object), std::ptr::null_mut())
    };
}

/// Lets go of the read-only segments of the object it is first called with, which is the program.
#[cfg(target_os = "linux")]
unsafe extern "C" fn let_go_of_object(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> libc::c_int {
    const IT_WAS_THE_LAST: libc::c_int = 1;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let Some(page) = page.and_then(|size| usize::try_from(size).ok()) else { return IT_WAS_THE_LAST };
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
            // SAFETY: whole pages of a segment that nobody can write: they are read again from the file when they are
            // touched. If the system will not, nothing has changed.
            unsafe { libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_DONTNEED) };
        }
    }
    IT_WAS_THE_LAST
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
