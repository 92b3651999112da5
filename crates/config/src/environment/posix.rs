//! The words of `environment=` by the rules of a POSIX shell, as Python's `shlex` has them in its POSIX mode: quotes may
//! stand in the middle of a word and are taken away, and a backslash takes the next character as it is, between double
//! quotes only before a double quote or a backslash.

use std::iter::Peekable;
use std::str::Chars;

use super::characters::{is_quote, is_space, is_word};

/// The words of a text; none where a quote or an escape has no end.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut rest = text.chars().peekable();
    let mut words = Vec::new();
    while let Some(&c) = rest.peek() {
        if is_space(c) {
            rest.next();
        } else if c == '#' {
            skip_line(&mut rest);
        } else if is_part(c) {
            words.extend(word(&mut rest)?);
        } else {
            rest.next();
            words.push(c.to_string());
        }
    }
    Some(words)
}

/// Besides those of the other mode, letters of Western Europe are parts of words.
fn is_part(c: char) -> bool {
    is_word(c) || is_quote(c) || c == '\\' || matches!(c, 'À'..='Ö' | 'Ø'..='Þ' | 'ß'..='ö' | 'ø'..='ÿ')
}

fn skip_line(rest: &mut Peekable<Chars<'_>>) {
    rest.find(|&c| c == '\n');
}

/// One word, or nothing where all of it is empty and without quotes.
fn word(rest: &mut Peekable<Chars<'_>>) -> Option<Option<String>> {
    let (mut word, mut is_quoted) = (String::new(), false);
    while let Some(c) = rest.next_if(|&c| is_part(c) || c == '#') {
        match c {
            '#' => {
                skip_line(rest);
                break;
            }
            '\\' => word.push(rest.next()?),
            '\'' | '"' => {
                is_quoted = true;
                quoted(rest, c, &mut word)?;
            }
            c => word.push(c),
        }
    }
    Some((!word.is_empty() || is_quoted).then_some(word))
}

/// Takes what stands up to the closing quote.
fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            c if c == quote => return Some(()),
            '\\' if quote == '"' => match rest.next()? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python 3.11 was seen to cut them.
    #[test]
    fn words_are_those_of_a_shell() {
        for (text, expected) in [
            (r#"A="a\"b""#, Some(&["A", "=", "a\"b"][..])),
            (r#"A='a\b'"#, Some(&["A", "=", "a\\b"])),
            (r#"A="a\nb""#, Some(&["A", "=", "a\\nb"])),
            (r#"A=a\ b"#, Some(&["A", "=", "a b"])),
            (r#"A=x"y z"'w',B="""#, Some(&["A", "=", "xy zw", ",", "B", "=", ""])),
            ("A=a#b\n,B=é", Some(&["A", "=", "a", ",", "B", "=", "é"])),
            ("A=$x", Some(&["A", "=", "$", "x"])),
            (r#"A="a"#, None),
            ("A=a\\", None),
            ("", Some(&[])),
        ] {
            let found = words(text);
            let found: Option<Vec<&str>> = found.as_ref().map(|words| words.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
