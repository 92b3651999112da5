//! Messages of the system log (RFC 5424), and how they stand in a connection (RFC 6587, RFC 5425).

use supervisord_wire::calendar::rfc_3339;

use super::ForwardedLine;

/// The most characters of the names in a message.
const MOST_HOSTNAME: usize = 255;
const MOST_APP_NAME: usize = 48;

/// Appends the message of a line:
///
/// ```text
/// <155>1 2026-11-30T12:00:00.123Z web1 shop 77 stderr - the line
/// ```
///
/// with the priority, the version, the time, the host, the tag, the process id, the stream as the type of the message, and no
/// structured data. What stands behind is the line byte by byte.
pub fn push_message(line: &ForwardedLine, out: &mut Vec<u8>) {
    let origin = &line.origin;
    let priority = u32::from(origin.facility.code()) * 8 + u32::from(line.severity.code());
    out.extend_from_slice(format!("<{priority}>1 {} ", rfc_3339(line.time)).as_bytes());
    push_name(&origin.hostname, MOST_HOSTNAME, out);
    out.push(b' ');
    push_name(&origin.tag, MOST_APP_NAME, out);
    let pid = origin.pid.map_or("-".to_owned(), |pid| pid.to_string());
    out.extend_from_slice(format!(" {pid} {} - ", origin.stream()).as_bytes());
    out.extend_from_slice(&line.text);
}

/// Appends the message of a line with its length before it, as it stands in a connection.
pub fn push_frame(line: &ForwardedLine, out: &mut Vec<u8>) {
    let mut message = Vec::with_capacity(line.text.len() + 128);
    push_message(line, &mut message);
    out.extend_from_slice(format!("{} ", message.len()).as_bytes());
    out.append(&mut message);
}

/// Appends a name, which has printable ASCII characters only: others become underscores, and none is `-`.
fn push_name(name: &str, most: usize, out: &mut Vec<u8>) {
    if name.is_empty() {
        out.push(b'-');
    }
    let printable = |letter: char| if letter.is_ascii_graphic() { letter as u8 } else { b'_' };
    out.extend(name.chars().take(most).map(printable));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::tests::plan;
    use super::super::{ForwardOrigin, ForwardPlan};
    use super::*;

    const TIME: Duration = Duration::from_millis(1_796_040_000_123);

    fn message(plan: &ForwardPlan, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_message(&plan.line(text, false, TIME), &mut out);
        out
    }

    fn named(hostname: &str, tag: &str) -> ForwardPlan {
        let plan = plan();
        let origin = (*plan.origin).clone();
        let origin = ForwardOrigin { hostname: hostname.to_owned(), tag: tag.to_owned(), pid: None, ..origin };
        ForwardPlan { origin: Arc::new(origin), ..plan }
    }

    #[test]
    fn a_message_has_all_fields() {
        let text = message(&plan(), b"ERROR \xff it broke\t");
        let expected = b"<155>1 2026-11-30T12:00:00.123Z web1 shop 77 stderr - ERROR \xff it broke\t";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_are_what_the_standard_allows() {
        let long = "x".repeat(300);
        let text = String::from_utf8(message(&named("", "a b\u{e9}"), b"m")).unwrap();
        assert_eq!(text, "<157>1 2026-11-30T12:00:00.123Z - a_b_ - stderr - m");
        let text = String::from_utf8(message(&named(&long, &long), b"m")).unwrap();
        let lengths: Vec<usize> = text.split(' ').skip(2).take(2).map(str::len).collect();
        assert_eq!(lengths, [255, 48]);
    }

    /// The messages of a stream of frames, as a server finds them.
    fn unframed(mut stream: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while !stream.is_empty() {
            let space = stream.iter().position(|byte| *byte == b' ').unwrap();
            let length: usize = std::str::from_utf8(&stream[..space]).unwrap().parse().unwrap();
            let (message, rest) = stream[space + 1..].split_at(length);
            messages.push(message.to_vec());
            stream = rest;
        }
        messages
    }

    proptest! {
        #[test]
        fn a_server_finds_each_message_of_a_connection(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..9)) {
            let (mut stream, mut expected) = (Vec::new(), Vec::new());
            for text in &texts {
                push_frame(&plan().line(text, false, TIME), &mut stream);
                expected.push(message(&plan(), text));
            }
            prop_assert_eq!(unframed(&stream), expected);
        }

        #[test]
        fn the_header_has_seven_fields_whatever_the_names_are(hostname in ".{0,300}", tag in ".{0,60}", text in ".{0,20}") {
            let text = text.replace('<', "");
            let message = message(&named(&hostname, &tag), text.as_bytes());
            let fields: Vec<&[u8]> = message.splitn(8, |byte| *byte == b' ').collect();
            prop_assert_eq!(fields.len(), 8);
            prop_assert!(fields[..7].iter().all(|field| !field.is_empty() && field.iter().all(u8::is_ascii_graphic)));
            prop_assert_eq!(fields[7], text.as_bytes());
        }
    }
}
