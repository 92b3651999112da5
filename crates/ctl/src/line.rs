//! One input line: an action and its argument.

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// An empty line.
    Empty,
    /// An action, known or not, with its argument.
    Action {
        /// The longest prefix of letters, digits and underscores.
        name: &'a str,
        /// The rest without surrounding spaces.
        argument: &'a str,
    },
    /// A line that does not begin with an action.
    Unknown,
}

/// Splits a line. There is no quoting: `status;x` is `status` with the argument `;x`, and `?` means `help`.
pub fn parse(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.is_empty() {
        return Line::Empty;
    }
    if let Some(topic) = line.strip_prefix('?') {
        return Line::Action { name: "help", argument: topic.trim() };
    }
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
    match line.split_at(end) {
        ("", _) => Line::Unknown,
        (name, rest) => Line::Action { name, argument: rest.trim() },
    }
}

/// A whole number in Python's spelling: a sign, digits, single underscores between them.
pub fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action<'a>(name: &'a str, argument: &'a str) -> Line<'a> {
        Line::Action { name, argument }
    }

    #[test]
    fn the_action_ends_where_letters_and_digits_end() {
        assert_eq!(parse("  pid cat  "), action("pid", "cat"));
        assert_eq!(parse("status;pid"), action("status", ";pid"));
        assert_eq!(parse("tail -5  x"), action("tail", "-5  x"));
        assert_eq!(parse("EOF"), action("EOF", ""));
    }

    #[test]
    fn a_question_mark_is_help() {
        assert_eq!(parse("?"), action("help", ""));
        assert_eq!(parse(" ? start"), action("help", "start"));
    }

    #[test]
    fn blank_lines_and_lines_without_action() {
        assert_eq!(parse(" \t "), Line::Empty);
        for line in ["!x", "*", "-5", "ä"] {
            assert_eq!(parse(line), Line::Unknown, "{line}");
        }
    }

    #[test]
    fn numbers_may_be_signed_and_grouped() {
        for (text, expected) in [("5", 5), ("-5", -5), ("+5", 5), ("1_000", 1000), ("0", 0)] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for text in ["", "-", "x", "1_", "_1", "1__0", "5x", "--5", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
