//! Entries of systemd's journal in its native protocol: fields, one after the other.
//!
//! ```text
//! MESSAGE=the line
//! PRIORITY=6
//! ```
//!
//! A value with a line feed or another control character stands behind its length: the name, a line feed, eight bytes with the least
//! significant first, the value, and a line feed.

use super::ForwardedLine;

/// Appends the entry of a line.
pub fn push_entry(line: &ForwardedLine, out: &mut Vec<u8>) {
    let origin = &line.origin;
    push_field("MESSAGE", &line.text, out);
    push_field("PRIORITY", line.severity.code().to_string().as_bytes(), out);
    push_field("SYSLOG_FACILITY", origin.facility.code().to_string().as_bytes(), out);
    push_field("SYSLOG_IDENTIFIER", origin.tag.as_bytes(), out);
    if let Some(pid) = origin.pid {
        // What the journal finds out itself (`_PID`) is the daemon.
        push_field("SYSLOG_PID", pid.to_string().as_bytes(), out);
        push_field("SUPERVISOR_PID", pid.to_string().as_bytes(), out);
    }
    if origin.channel.is_some() {
        push_field("SUPERVISOR_PROGRAM", origin.program.as_bytes(), out);
        push_field("SUPERVISOR_GROUP", origin.group.as_bytes(), out);
        push_field("SUPERVISOR_PROCESS", origin.process.as_bytes(), out);
    }
    push_field("SUPERVISOR_STREAM", origin.stream().as_bytes(), out);
}

fn push_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    if value.iter().any(|byte| *byte < b' ' && *byte != b'\t') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::tests::plan;
    use super::*;

    fn entry(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_entry(&plan().line(text, false, Duration::ZERO), &mut out);
        out
    }

    /// The fields of an entry, as the journal reads them.
    fn fields(mut entry: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        while !entry.is_empty() {
            let end = entry.iter().position(|byte| *byte == b'\n').expect("a line feed");
            let (line, rest) = (&entry[..end], &entry[end + 1..]);
            let (name, value) = match line.iter().position(|byte| *byte == b'=') {
                Some(at) => {
                    entry = rest;
                    (&line[..at], &line[at + 1..])
                }
                None => {
                    let (length, rest) = rest.split_first_chunk().expect("a length");
                    let (value, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
                    entry = rest.strip_prefix(b"\n").expect("a line feed");
                    (line, value)
                }
            };
            fields.push((String::from_utf8(name.to_vec()).expect("a name"), value.to_vec()));
        }
        fields
    }

    #[test]
    fn an_entry_has_all_fields() {
        let expected = "MESSAGE=ERROR it broke\nPRIORITY=3\nSYSLOG_FACILITY=19\nSYSLOG_IDENTIFIER=shop\nSYSLOG_PID=77\n\
                        SUPERVISOR_PID=77\nSUPERVISOR_PROGRAM=web\nSUPERVISOR_GROUP=app\nSUPERVISOR_PROCESS=web_03\n\
                        SUPERVISOR_STREAM=stderr\n";
        assert_eq!(String::from_utf8(entry(b"ERROR it broke")).unwrap(), expected);
        assert!(entry(b"a\x1b[1mb").starts_with(b"MESSAGE\n\x06\0\0\0\0\0\0\0a\x1b[1mb\nPRIORITY=5\n"));
    }

    proptest! {
        #[test]
        fn the_journal_reads_what_was_written(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let expected = plan().line(&text, false, Duration::ZERO).text;
            let found = fields(&entry(&text));
            prop_assert_eq!(found.len(), 10);
            prop_assert_eq!(&found[0], &("MESSAGE".to_owned(), expected));
            let is_name = |name: &str| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
            prop_assert!(found.iter().all(|(name, _)| is_name(name)));
        }
    }
}
