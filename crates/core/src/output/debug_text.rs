//! The activity log's text about output at the debug level.

use std::fmt::Write;

use supervisord_config::pyrepr::repr;

use super::Channel;

/// A copy of a piece of output. Text that is not UTF-8 is shown as a bytes literal.
pub fn copy(process: &str, channel: Channel, bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => headed(process, channel, text),
        Err(_) => headed(process, channel, &format!("Undecodable: {}", bytes_literal(bytes))),
    }
}

/// A copy of a listener's output, which is always shown as a bytes literal, as in the original.
pub fn listener_copy(process: &str, channel: Channel, bytes: &[u8]) -> String {
    headed(process, channel, &bytes_literal(bytes))
}

/// A capture section is complete.
pub fn section(process: &str, channel: Channel) -> String {
    format!("{} {} emitted a comm event", repr(process), channel.name())
}

/// The pipe on descriptor `fd` has no writer any more.
pub fn closed(process: &str, channel: Channel, fd: i32) -> String {
    format!("fd {fd} closed, stopped monitoring <{} of {process}>", channel.name())
}

/// Output can be read.
pub fn readable(process: &str, channel: Channel) -> String {
    format!("read event caused by <{} of {process}>", channel.name())
}

/// The stdin of a process can be written.
pub fn writable(process: &str) -> String {
    format!("write event caused by <stdin of {process}>")
}

fn headed(process: &str, channel: Channel, text: &str) -> String {
    format!("{} {} output:\n{text}", repr(process), channel.name())
}

/// Bytes as a Python literal: `b'…'`.
pub(crate) fn bytes_literal(bytes: &[u8]) -> String {
    let quote = quote_for(bytes);
    let mut out = format!("b{quote}");
    for byte in bytes {
        match *byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if byte == quote as u8 => out.extend(['\\', quote]),
            byte @ 0x20..=0x7e => out.push(byte.into()),
            other => write_hex(&mut out, other),
        }
    }
    out.push(quote);
    out
}

fn quote_for(bytes: &[u8]) -> char {
    if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' }
}

fn write_hex(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_name_their_source() {
        assert_eq!(copy("web", Channel::Stdout, "é\n".as_bytes()), "'web' stdout output:\né\n");
        assert_eq!(copy("it's", Channel::Stderr, b"a\xff'\n"), "\"it's\" stderr output:\nUndecodable: b\"a\\xff'\\n\"");
        assert_eq!(listener_copy("l", Channel::Stdout, b"READY\n"), "'l' stdout output:\nb'READY\\n'");
    }

    #[test]
    fn notes_name_their_source() {
        assert_eq!(section("web", Channel::Stderr), "'web' stderr emitted a comm event");
        assert_eq!(closed("web", Channel::Stdout, 7), "fd 7 closed, stopped monitoring <stdout of web>");
    }
}
