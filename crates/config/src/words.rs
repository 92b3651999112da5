//! Splitting a command line into words: the quoting of a POSIX shell, and nothing else of it.

use std::fmt;

/// Why a command line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordError {
    /// A quote is not closed.
    NoClosingQuotation,
    /// It ends in a backslash.
    NoEscapedCharacter,
    /// It contains a NUL, which ends an argument for the system.
    Nul,
}

impl fmt::Display for WordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WordError::NoClosingQuotation => "No closing quotation",
            WordError::NoEscapedCharacter => "No escaped character",
            WordError::Nul => "no argument of a program can contain a NUL byte",
        })
    }
}

impl std::error::Error for WordError {}

/// The words of a command line. Words are separated by space, tab, CR and LF; `'…'` is literal; in `"…"` a
/// backslash escapes `"` and `\`, elsewhere any character; adjacent pieces join. An empty quotation is a word. The words
/// can be arguments of a program.
///
/// # Errors
/// Why the text is no command line.
pub fn split(command: &str) -> Result<Vec<String>, WordError> {
    if command.contains('\0') {
        return Err(WordError::Nul);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => single_quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().ok_or(WordError::NoEscapedCharacter)?),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), WordError> {
    for c in rest {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err(WordError::NoClosingQuotation)
}

fn double_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), WordError> {
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(()),
            '\\' => {
                let escaped = rest.next().ok_or(WordError::NoEscapedCharacter)?;
                if !matches!(escaped, '"' | '\\') {
                    word.push('\\');
                }
                word.push(escaped);
            }
            _ => word.push(c),
        }
    }
    Err(WordError::NoClosingQuotation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_work_like_in_a_shell() {
        let command = r#"/bin/sh -c 'echo "a  b" $0' 'x y' "q\"r" z\ w"#;
        assert_eq!(split(command).unwrap(), ["/bin/sh", "-c", "echo \"a  b\" $0", "x y", "q\"r", "z w"]);
        assert_eq!(split("a\"b\"'c' '' \"\\n\\\\\"").unwrap(), ["abc", "", "\\n\\"]);
    }

    #[test]
    fn the_rest_of_the_shell_is_plain_text() {
        assert_eq!(split("a;b #c $D * ~ | > &\n\te").unwrap(), ["a;b", "#c", "$D", "*", "~", "|", ">", "&", "e"]);
        assert_eq!(split(" \t ").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_finished_is_refused() {
        for text in ["'a", "\"a", "a '"] {
            assert_eq!(split(text), Err(WordError::NoClosingQuotation), "{text}");
        }
        for text in ["a\\", "\"a\\"] {
            assert_eq!(split(text), Err(WordError::NoEscapedCharacter), "{text}");
        }
    }

    #[test]
    fn what_no_program_can_be_given_is_refused() {
        for text in ["a\0b", "a 'b\0'", "\0"] {
            assert_eq!(split(text), Err(WordError::Nul), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_split_or_refused(text in "[a'\"\\\\ \n]{0,24}|.{0,40}") {
            let _ = split(&text);
        }

        #[test]
        fn quoted_words_come_back(words in proptest::collection::vec("[^\0]{0,10}", 0..6)) {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
            proptest::prop_assert_eq!(split(&quoted.join(" ")).unwrap(), words);
        }
    }
}
