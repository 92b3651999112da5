//! Files of variables: `KEY=VALUE` lines as shells, containers and systemd write them.
//!
//! A value goes to the end of its line, without blanks around it and without a comment, which begins at a `#` behind a blank. In
//! single quotes it is taken as it is; in double quotes `\n`, `\t`, `\"`, `\$`, `` \` `` and `\\` mean what they mean in a shell.
//! Values in quotes may go on in further lines. Nothing is expanded: `%` and `$` are ordinary characters.

use std::fmt;

/// A file of variables that a program is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// Its path, absolute.
    pub path: String,
    /// Whether it need not be there.
    pub is_optional: bool,
}

impl EnvironmentFile {
    /// The file of a text of the form that [`Display`](fmt::Display) gives: a path, behind a `-` if it need not be there.
    pub fn from_text(text: &str) -> EnvironmentFile {
        let path = text.strip_prefix('-');
        EnvironmentFile { path: path.unwrap_or(text).to_owned(), is_optional: path.is_some() }
    }
}

impl fmt::Display for EnvironmentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_optional { "-" } else { "" }, self.path)
    }
}

/// What is wrong with the content of such a file. It quotes nothing of it, because that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what to write.
    pub reason: &'static str,
}

const EXPECTED: &str = "expected NAME=VALUE, with letters, digits and underscores in NAME";

/// The variables of a content, in its order; of repeated names the last counts.
///
/// # Errors
/// The first line that is no assignment.
pub fn variables(content: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut reader = FileReader { rest: content.strip_prefix('\u{feff}').unwrap_or(content), line: 1 };
    let mut variables = Vec::new();
    while let Some(variable) = reader.variable()? {
        variables.push(variable);
    }
    Ok(variables)
}

struct FileReader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> FileReader<'t> {
    fn bad(&self, reason: &'static str) -> BadLine {
        BadLine { line: self.line, reason }
    }

    /// The rest of the line.
    fn take_line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn variable(&mut self) -> Result<Option<(String, String)>, BadLine> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if self.rest.is_empty() {
                return Ok(None);
            }
            if self.rest.starts_with(['#', ';', '\n']) {
                self.take_line();
                continue;
            }
            return self.assignment().map(Some);
        }
    }

    fn assignment(&mut self) -> Result<(String, String), BadLine> {
        if let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            self.rest = rest.trim_start_matches([' ', '\t']);
        }
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || ['_', '.', '-'].contains(&letter);
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=');
        let Some(value) =
            value.filter(|_| name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_'))
        else {
            return Err(self.bad(EXPECTED));
        };
        self.rest = value.trim_start_matches([' ', '\t']);
        let begun = self.bad(EXPECTED);
        let value = match self.rest.chars().next() {
            Some('\'') => self.quoted('\'')?,
            Some('"') => self.quoted('"')?,
            _ => without_comment(self.take_line()).to_owned(),
        };
        if value.contains('\0') {
            return Err(BadLine { reason: "a value cannot contain a zero byte", ..begun });
        }
        Ok((name.to_owned(), value))
    }

    /// A value in quotes, and the rest of the line behind it.
    fn quoted(&mut self, quote: char) -> Result<String, BadLine> {
        let begun = self.bad("the quotes of the value are never closed");
        let mut value = String::new();
        let mut letters = self.rest.char_indices().skip(1).peekable();
        while let Some((place, letter)) = letters.next() {
            match letter {
                _ if letter == quote => {
                    self.rest = &self.rest[place + 1..];
                    let behind = self.bad("there is text behind the quotes; put them around the whole value");
                    let tail = self.take_line().trim();
                    return if tail.is_empty() || tail.starts_with('#') { Ok(value) } else { Err(behind) };
                }
                '\\' if quote == '"' => match letters.next().map(|(_, escaped)| escaped) {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('\n') => self.line += 1,
                    Some(escaped @ ('"' | '\\' | '$' | '`')) => value.push(escaped),
                    Some(other) => value.extend(['\\', other]),
                    None => break,
                },
                _ => {
                    self.line += usize::from(letter == '\n');
                    value.push(letter);
                }
            }
        }
        Err(begun)
    }
}

/// A value without quotes: what stands before a comment, without the blanks at its end.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices('#').map(|(place, _)| place);
    let is_comment = |place: &usize| *place == 0 || line[..*place].ends_with([' ', '\t']);
    line[..comment.into_iter().find(is_comment).unwrap_or(line.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<String, String> {
        let variables = variables(content).map_err(|BadLine { line, reason }| format!("{line}: {reason}"))?;
        Ok(variables.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_shells_and_containers_write_is_read() {
        for (content, expected) in [
            ("A=1\nB=2", r#"A="1" B="2""#),
            ("\u{feff}# comment\r\n\r\nexport A=1\r\n  ; comment\n\tB = 2 \n", r#"A="1" B="2""#),
            ("A=100% $HOME ${X} `x`\n", r#"A="100% $HOME ${X} `x`""#),
            ("A=a#b # c\nB=#c\nC=\n", r#"A="a#b" B="" C="""#),
            ("A='a \"b\" \\n $x # c'  # d\n", r#"A="a \"b\" \\n $x # c""#),
            ("A=\"a\\n\\t\\\"\\\\\\$\\x 'b'\"\n", "A=\"a\\n\\t\\\"\\\\$\\\\x 'b'\""),
            ("A=\"one\ntwo\\\nthree\"\nB=2\n", r#"A="one\ntwothree" B="2""#),
            ("exported=1\na.b-c=2\n", r#"exported="1" a.b-c="2""#),
            ("A=b=c;d\n", r#"A="b=c;d""#),
            ("A=1\nA=2\n", r#"A="1" A="2""#),
            ("", ""),
        ] {
            assert_eq!(read(content).as_deref(), Ok(expected), "{content:?}");
        }
    }

    #[test]
    fn what_is_no_assignment_is_refused_with_its_line_and_without_its_text() {
        for (content, line, reason) in [
            ("A=1\nSECRET\n", 2, EXPECTED),
            ("\n\n1A=x\n", 3, EXPECTED),
            ("export\n", 1, EXPECTED),
            ("A=1\nB=a\0b\nC=2\n", 2, "a value cannot contain a zero byte"),
            ("A=1\nB='a\n\0b'\n", 2, "a value cannot contain a zero byte"),
            ("=x", 1, EXPECTED),
            ("A=1\n\nB='x\n\n", 3, "the quotes of the value are never closed"),
            ("A=\"x\\", 1, "the quotes of the value are never closed"),
            ("A=\"x\ny\" z\n", 2, "there is text behind the quotes; put them around the whole value"),
        ] {
            assert_eq!(variables(content), Err(BadLine { line, reason }), "{content:?}");
        }
    }

    #[test]
    fn a_file_is_read_back_from_its_text() {
        for text in ["/etc/app.env", "-/etc/app.env"] {
            assert_eq!(EnvironmentFile::from_text(text).to_string(), text);
        }
        assert!(EnvironmentFile::from_text("-/a").is_optional);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(content in "[A-C='\"\\\\ #\n\r$%a-c-]{0,40}|.{0,40}") {
            let _ = variables(&content);
        }

        #[test]
        fn a_value_in_single_quotes_is_taken_as_it_is(value in "[^'\0]{0,30}") {
            let read = variables(&format!("A='{value}'\n")).unwrap();
            proptest::prop_assert_eq!(&read, &[("A".to_owned(), value)]);
        }
    }
}
