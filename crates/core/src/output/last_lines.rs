//! The last lines that a process wrote, as text that is safe to show.

use supervisord_wire::terminal_text::escaped;

use super::strip::Stripper;

/// How many bytes of a stream are kept to make the lines from, and how long the text may be.
pub const MOST: usize = 512;

/// The last lines of a stream of which these are the last bytes: at most [`MOST`] bytes of text, without colours, with other
/// control characters escaped. Where bytes before these may have been dropped, the text begins with a whole line if it can.
pub fn last_lines(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut stripper = Stripper::default();
    stripper.push(bytes, &mut plain);
    stripper.finish(&mut plain);
    let text = String::from_utf8_lossy(&plain);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = escaped(text.trim_end());
    let whole = if bytes.len() < MOST { &text } else { from_whole_line(&text) };
    let end = match whole.len() {
        ..=MOST => whole,
        long => {
            let start = (long - MOST..long).find(|at| whole.is_char_boundary(*at)).unwrap_or(long);
            from_whole_line(&whole[start..])
        }
    };
    let is_blank = |line: &&str| line.trim().is_empty();
    let lines: Vec<&str> = end.lines().map(str::trim_end).skip_while(is_blank).collect();
    lines.join("\n")
}

/// What follows the first line feed; everything where nothing does.
fn from_whole_line(text: &str) -> &str {
    match text.split_once('\n') {
        Some((_, rest)) if !rest.trim().is_empty() => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_was_written_becomes_a_short_safe_text(bytes in proptest::collection::vec(any::<u8>(), 0..=MOST)) {
            let text = last_lines(&bytes);
            prop_assert!(text.len() <= MOST);
            prop_assert_eq!(&*escaped(&text), &text);
            prop_assert!(text.lines().all(|line| line == line.trim_end()));
        }
    }

    #[test]
    fn a_short_output_is_kept_as_it_is() {
        assert_eq!(last_lines(b""), "");
        assert_eq!(last_lines(b"\n\n"), "");
        assert_eq!(
            last_lines(b"Traceback:\n  File \"a.py\"\nValueError: x\n\n"),
            "Traceback:\n  File \"a.py\"\nValueError: x"
        );
        assert_eq!(last_lines("über\r\nzwei\rdrei".as_bytes()), "über\nzwei\ndrei");
    }

    #[test]
    fn a_long_output_begins_with_a_whole_line() {
        let mut bytes = vec![b'x'; MOST - 10];
        bytes.extend_from_slice(b"\nlast line");
        assert_eq!(last_lines(&bytes), "last line");
        let endless = vec![b'x'; MOST];
        assert_eq!(last_lines(&endless).len(), MOST, "there is no other line to begin with");
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_interpret() {
        let hostile = b"\x1b]0;title\x07\x1b[31mred\x1b[0m \xff\x9b2J\x00 \xe2\x80\xae";
        let text = last_lines(hostile);
        assert!(text.contains("red"), "{text:?}");
        assert_eq!(escaped(&text), text);
        assert!(!text.chars().any(char::is_control), "{text:?}");
        // Escapes are longer than what they stand for.
        let controls = vec![0x01; MOST];
        assert!(last_lines(&controls).len() <= MOST);
    }
}
