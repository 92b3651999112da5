//! Random numbers for secrets.

use std::io;

/// Random bytes, at most 256. May block early after boot, until the system has gathered entropy.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    const { assert!(N <= 256, "the system gives no more at once") };
    let mut bytes = [0; N];
    crate::system::fill_with_random(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(bytes::<16>().expect("random"), bytes::<16>().expect("random"));
    }
}
