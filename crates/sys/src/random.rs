//! Numbers that nobody can guess.

use std::io;

/// So many random bytes, at most 256. May wait while the system is young and has gathered none yet.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the pointer and the length are those of an array that nobody else uses.
    match unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), N) } {
        0 => Ok(bytes),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(bytes::<16>().expect("random"), bytes::<16>().expect("random"));
    }
}
