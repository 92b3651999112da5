//! A regular expression for a line of output.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::complaint::Complaint;
use crate::pyrepr::repr;

/// How large a compiled expression may be, in bytes: one that needs more is a mistake.
const MOST_BYTES: usize = 1 << 20;

/// A regular expression, which may match any part of a line. It takes time in proportion to the length of the line, whatever
/// it is.
#[derive(Clone)]
pub struct LinePattern {
    /// As it is written.
    text: String,
    regex: Regex,
}

impl LinePattern {
    /// The expression of a text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<LinePattern, Complaint> {
        if text.is_empty() {
            let complaint = Complaint::quoting("not a regular expression: ", repr(text), " matches every line");
            return Err(
                complaint.advise("write what the line contains behind log:, such as log:listening on".to_owned())
            );
        }
        match RegexBuilder::new(text).size_limit(MOST_BYTES).build() {
            Ok(regex) => Ok(LinePattern { text: text.to_owned(), regex }),
            Err(error) => Err(Complaint::quoting("not a regular expression: ", repr(text), format!(" ({error})"))
                .advise("write a backslash before a sign that is to be itself, such as \\( or \\.".to_owned())),
        }
    }

    /// Whether it matches a part of a line, which has no line feed.
    pub fn is_match(&self, line: &str) -> bool {
        self.regex.is_match(line)
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &LinePattern) -> bool {
        self.text == other.text
    }
}

impl Eq for LinePattern {}

impl fmt::Debug for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// As it is written.
impl fmt::Display for LinePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_any_part_of_a_line() {
        let pattern = LinePattern::parse(r"(?i)listening on .*:\d+$").unwrap();
        assert!(pattern.is_match("INFO Listening on 0.0.0.0:8080"));
        assert!(!pattern.is_match("listening on nothing"));
        assert_eq!(pattern, LinePattern::parse(&pattern.to_string()).unwrap());
    }

    #[test]
    fn what_is_no_expression_or_says_nothing_is_refused() {
        for text in ["", "ready (", "x{1000}{1000}{1000}"] {
            let error = LinePattern::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("not a regular expression: "), "{error}");
        }
    }
}
