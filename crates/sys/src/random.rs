//! Numbers that nobody can guess.

use std::io;

/// So many random bytes, at most 256. May wait while the system is young and has gathered none yet.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    const { assert!(N <= 256, "the system gives no more at once") };
    let mut bytes = [0; N];
    if fill(&mut bytes) { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(target_os = "linux")]
fn fill(bytes: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length are those of one slice.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    usize::try_from(count) == Ok(bytes.len())
}

#[cfg(not(target_os = "linux"))]
fn fill(bytes: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length are those of one slice.
    unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(bytes::<16>().expect("random"), bytes::<16>().expect("random"));
    }
}
