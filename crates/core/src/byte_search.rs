//! A search for the first byte of some kind, for kinds that are rare: many bytes are looked at with few instructions.

/// So many bytes are looked at together, as many as every processor compares at once.
const GROUP: usize = 16;

/// Where the first byte is of which this is true. It is asked of every byte of a group, and so should be made of comparisons without
/// branches (`|` in place of `||`).
pub fn position(bytes: &[u8], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (groups, _) = bytes.as_chunks::<GROUP>();
    let is_without = |group: &&[u8; GROUP]| !group.iter().fold(false, |any, byte| any | is_wanted(*byte));
    let passed = groups.iter().take_while(is_without).count() * GROUP;
    bytes[passed..].iter().position(|byte| is_wanted(*byte)).map(|at| passed + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_found_wherever_it_is() {
        for length in 0..50 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(position(&bytes, |byte| byte == b'b'), None);
            for at in (0..length).rev() {
                bytes[at] = b'b';
                assert_eq!(position(&bytes, |byte| byte == b'b'), Some(at));
            }
        }
    }
}
