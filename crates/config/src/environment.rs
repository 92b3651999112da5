//! The `environment=` option: `KEY=value` pairs in the small language of the original's lexer.
//!
//! Its oddities are kept, because existing files depend on them: quotes join nothing, there are no escapes, every
//! character outside `[A-Za-z0-9_/.+():-]` is a word of its own, and whatever stands where a comma belongs is skipped.
//!
//! Version 4.4 reads it by the rules of a POSIX shell. Texts that 4.3.0 refuses are read like that.

mod characters;
mod posix;

use crate::complaint::Complaint;
use crate::ordered::Ordered;
use characters::{is_quote, is_space, is_word};

/// A part of the text that has no effect, and the variable it may have been meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Text between the value and the next comma.
    BehindValue(String),
    /// The rest of a line behind a `#` in the value.
    Comment(String),
    /// The value of a variable that is set again.
    Earlier(String),
}

impl Loss {
    /// What is lost, in words that show no value.
    pub(crate) fn describe(&self) -> String {
        match self {
            Loss::BehindValue(name) => format!("the text after the value of {name} has no effect"),
            Loss::Comment(name) => format!("the # in the value of {name} begins a comment"),
            Loss::Earlier(name) => format!("{name} is set twice, the last value counts"),
        }
    }

    /// What to write instead.
    pub(crate) fn advice(&self) -> String {
        match self {
            Loss::BehindValue(name) | Loss::Comment(name) => format!(
                "write {name}=\"...\" with one pair of quotes around the whole value; a value with \" in it stands in \
                 single quotes, a backslash has no meaning"
            ),
            Loss::Earlier(_) => "remove one of them".to_owned(),
        }
    }
}

/// What is in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedEnvironment {
    /// The variables.
    pub pairs: Vec<(String, String)>,
    /// What has no effect.
    pub losses: Vec<Loss>,
}

/// The variables of several environments: of repeated names the last value wins, in the place of the first.
pub(crate) fn merged(environments: Vec<Vec<(String, String)>>) -> Vec<(String, String)> {
    let mut merged = Ordered::default();
    for (name, value) in environments.into_iter().flatten() {
        merged.insert(&name, value);
    }
    merged.into_entries()
}

/// The pairs of an already expanded text; of repeated names the last value wins, in the place of the first.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Complaint> {
    read(text).map(|environment| environment.pairs)
}

/// The pairs, and what has no effect: as 4.3.0 has them, or else 4.4.
pub fn read(text: &str) -> Result<ParsedEnvironment, Complaint> {
    read_4_3(text).or_else(|complaint| read_4_4(text).ok_or(complaint))
}

/// The pairs by the rules of a shell; none where there are others than pairs.
pub(crate) fn read_4_4(text: &str) -> Option<ParsedEnvironment> {
    let words = posix::words(text)?;
    let mut pairs = Ordered::default();
    for group in words.chunks(4) {
        match group {
            [key, equals, value, ..] if equals == "=" => drop(pairs.insert(key, value.clone())),
            _ => return None,
        }
    }
    Some(ParsedEnvironment { pairs: pairs.into_entries(), losses: Vec::new() })
}

/// The pairs by the rules of the original.
pub(crate) fn read_4_3(text: &str) -> Result<ParsedEnvironment, Complaint> {
    let tokens = Lexer::new(text).tokens()?;
    let mut pairs = Ordered::default();
    let mut losses = Vec::new();
    for group in tokens.chunks(4) {
        match group {
            [key, equals, value, separator @ ..] if equals.text == "=" => {
                let name = key.text.clone();
                if value.is_cut {
                    losses.push(Loss::Comment(name.clone()));
                } else if separator.iter().any(|separator| !matches!(separator.text.as_str(), "," | ";")) {
                    losses.push(Loss::BehindValue(name.clone()));
                }
                if pairs.insert(&name, value.text.trim_matches(['\'', '"']).to_owned()).is_some() {
                    losses.push(Loss::Earlier(name));
                }
            }
            _ => return Err(Complaint::quoting("Unexpected end of key/value pairs in value '", text, "'")),
        }
    }
    Ok(ParsedEnvironment { pairs: pairs.into_entries(), losses })
}

struct Token {
    text: String,
    /// Whether a comment stood in it.
    is_cut: bool,
}

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token { text, is_cut: false }
    }
}

struct Lexer<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
}

impl<'t> Lexer<'t> {
    fn new(text: &'t str) -> Lexer<'t> {
        Lexer { rest: text.chars().peekable() }
    }

    fn tokens(mut self) -> Result<Vec<Token>, Complaint> {
        let mut tokens = Vec::new();
        while let Some(c) = self.rest.next() {
            match c {
                _ if is_space(c) => {}
                '#' => self.skip_line(),
                _ if is_quote(c) => tokens.push(self.quoted(c)?.into()),
                _ if is_word(c) => tokens.push(self.word(c)),
                _ => tokens.push(c.to_string().into()),
            }
        }
        Ok(tokens)
    }

    fn skip_line(&mut self) {
        self.rest.by_ref().find(|&c| c == '\n');
    }

    /// Up to the same quote, with both quotes.
    fn quoted(&mut self, quote: char) -> Result<String, Complaint> {
        let mut token = String::from(quote);
        for c in self.rest.by_ref() {
            token.push(c);
            if c == quote {
                return Ok(token);
            }
        }
        Err(Complaint::from("No closing quotation".to_owned()).advise(format!("a {quote} is not closed")))
    }

    /// A word goes on with the next line after a comment in its middle.
    fn word(&mut self, first: char) -> Token {
        let mut token = Token::from(String::from(first));
        while let Some(c) = self.rest.next_if(|&c| is_word(c) || is_quote(c) || c == '#') {
            if c == '#' {
                self.skip_line();
                token.is_cut = true;
            } else {
                token.text.push(c);
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
        assert_eq!(
            pairs("A='x'\n,B").unwrap_err().to_string(),
            "Unexpected end of key/value pairs in value 'A='x'\n,B'"
        );
    }

    #[test]
    fn what_has_no_effect_is_known() {
        let losses = |text: &str| read(text).unwrap().losses;
        let a = || "A".to_owned();
        for text in ["A=b c", "A=\"a\"\"b\"", "A=\"x\\\"y\"", "A=pass!", "A=$HOME", "B=1,A=x y"] {
            assert_eq!(losses(text), [Loss::BehindValue(a())], "{text}");
        }
        for text in ["A=p#q", "A=p#q,B=2", "B=1,A=p#q\n,C=3"] {
            assert_eq!(losses(text), [Loss::Comment(a())], "{text}");
        }
        assert_eq!(losses("A=1,B=2,A=3"), [Loss::Earlier(a())]);
        for text in ["", "A=1", "A=1,", "A=1;B=2;", "A=\"p#q; r\",\nB='x\"y'", "A=\"\""] {
            assert_eq!(losses(text), [], "{text}");
        }
        assert!(!Loss::BehindValue(a()).advice().contains("c\""), "no value is shown");
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
