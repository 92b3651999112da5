//! The `environment=` option: `KEY=value` pairs in the small language of the original's lexer.
//!
//! Its oddities are kept, because existing files depend on them: quotes join nothing, there are no escapes, every
//! character outside `[A-Za-z0-9_/.+():-]` is a word of its own, and whatever stands where a comma belongs is skipped.

/// The pairs of an already expanded text; of repeated names the last value wins, in the place of the first.
///
/// The error is the message.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let tokens = Lexer::new(text).tokens()?;
    let mut pairs = crate::ordered::Ordered::default();
    for group in tokens.chunks(4) {
        match group {
            [key, equals, value, ..] if equals == "=" => {
                pairs.insert(key, value.trim_matches(['\'', '"']).to_owned());
            }
            _ => return Err(format!("Unexpected end of key/value pairs in value '{text}'")),
        }
    }
    Ok(pairs.into_entries())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/.+-():".contains(c)
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '"')
}

struct Lexer<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
}

impl<'t> Lexer<'t> {
    fn new(text: &'t str) -> Lexer<'t> {
        Lexer { rest: text.chars().peekable() }
    }

    fn tokens(mut self) -> Result<Vec<String>, String> {
        let mut tokens = Vec::new();
        while let Some(c) = self.rest.next() {
            match c {
                _ if is_space(c) => {}
                '#' => self.skip_line(),
                _ if is_quote(c) => tokens.push(self.quoted(c)?),
                _ if is_word(c) => tokens.push(self.word(c)),
                _ => tokens.push(c.to_string()),
            }
        }
        Ok(tokens)
    }

    fn skip_line(&mut self) {
        self.rest.by_ref().find(|&c| c == '\n');
    }

    /// Up to the same quote, with both quotes.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut token = String::from(quote);
        for c in self.rest.by_ref() {
            token.push(c);
            if c == quote {
                return Ok(token);
            }
        }
        Err("No closing quotation".to_owned())
    }

    /// A word goes on with the next line after a comment in its middle.
    fn word(&mut self, first: char) -> String {
        let mut token = String::from(first);
        while let Some(c) = self.rest.next_if(|&c| is_word(c) || is_quote(c) || c == '#') {
            if c == '#' {
                self.skip_line();
            } else {
                token.push(c);
            }
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_may_be_any_word() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(pairs("A=1;B=2").unwrap(), [pair("A", "1"), pair("B", "2")]);
        assert_eq!(pairs("A=a b").unwrap(), [pair("A", "a")]);
    }

    #[test]
    fn the_text_in_the_error_is_not_escaped() {
        assert_eq!(pairs("A='x'\n,B").unwrap_err(), "Unexpected end of key/value pairs in value 'A='x'\n,B'");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-C=,'\"# \n;é\\\\]{0,24}|.{0,40}") {
            let _ = pairs(&text);
        }

        #[test]
        fn quoted_values_come_back(value in "[^\"'\r]{0,20}") {
            let read = pairs(&format!("A=\"{value}\",B=1")).unwrap();
            proptest::prop_assert_eq!(&read[0].1, &value);
            proptest::prop_assert_eq!(&read[1].0, "B");
        }
    }
}
