//! Bytes of any kind as the text of a JSON string.

/// Appends what stands between the quotes of a JSON string. What is not UTF-8 becomes U+FFFD.
pub fn push(bytes: &[u8], out: &mut Vec<u8>) {
    // Nearly every line is plain ASCII, and looked at only once.
    let plain = length_of(bytes, |byte| is_special(byte) | !byte.is_ascii());
    out.extend_from_slice(&bytes[..plain]);
    let bytes = &bytes[plain..];
    if bytes.is_empty() {
        return;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return push_text(text.as_bytes(), out);
    }
    for chunk in bytes.utf8_chunks() {
        push_text(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Bytes are looked at in groups of so many, which processors compare at once.
const GROUP: usize = 16;

fn push_text(mut text: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, rest) = text.split_at(length_of(text, is_special));
        out.extend_from_slice(plain);
        let Some((byte, rest)) = rest.split_first() else { return };
        escape(*byte, out);
        text = rest;
    }
}

/// How many bytes at the beginning are none of these.
fn length_of(text: &[u8], is_stop: impl Fn(u8) -> bool) -> usize {
    let groups = text.chunks_exact(GROUP);
    let length = groups.take_while(|group| !group.iter().fold(false, |any, byte| any | is_stop(*byte))).count() * GROUP;
    let rest = &text[length..];
    length + rest.iter().position(|byte| is_stop(*byte)).unwrap_or(rest.len())
}

const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |number: u8| HEX[usize::from(number & 15)];
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_json_forbids_is_escaped() {
        assert_eq!(text(b"a\"b\\c\td\r\x00\x1f\x7f"), "a\\\"b\\\\c\\td\\r\\u0000\\u001f\x7f");
        assert_eq!(text(b"caf\xc3\xa9 \xff\xe2\x82x"), "caf\u{e9} \u{fffd}\u{fffd}x");
        let long = "0123456789abcdef".repeat(3) + "\"";
        assert_eq!(text(long.as_bytes()), format!("{}\\\"", &long[..48]));
    }

    proptest! {
        #[test]
        fn no_byte_is_special_in_the_text(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = text(&bytes);
            prop_assert!(text.bytes().all(|byte| byte >= 0x20));
            let quotes = text.replace("\\\\", "").matches('"').count();
            prop_assert_eq!(quotes, bytes.iter().filter(|byte| **byte == b'"').count());
        }
    }
}
