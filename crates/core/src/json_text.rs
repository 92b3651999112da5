//! Bytes of any kind as the text of a JSON string.

use crate::byte_search::position;

/// Appends what stands between the quotes of a JSON string. What is not UTF-8 becomes U+FFFD.
pub fn push(bytes: &[u8], out: &mut Vec<u8>) {
    // Nearly every line is plain ASCII, and looked at only once.
    let Some(plain) = position(bytes, |byte| is_special(byte) | !byte.is_ascii()) else {
        return out.extend_from_slice(bytes);
    };
    let (plain, bytes) = bytes.split_at(plain);
    out.extend_from_slice(plain);
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

fn push_text(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = position(text, is_special) {
        out.extend_from_slice(&text[..at]);
        escape(text[at], out);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
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
