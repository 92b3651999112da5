//! How severe a line says that it is.

use memchr::memmem;

use crate::byte_search::position;

/// How severe a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Trace,
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Critical,
}

/// How many letters the words have.
const SHORTEST_WORD: usize = 3;
const LONGEST_WORD: usize = 9;

/// In how many bytes at the beginning of a line a word is looked for.
const WITHIN: usize = 96;

/// In how many bytes at the beginning of a line that is a JSON object a member is looked for.
const WITHIN_OBJECT: usize = 1024;

/// The members of an object that tell it.
const MEMBERS: [&[u8]; 3] = [b"\"level\"", b"\"severity\"", b"\"lvl\""];

/// What the sequences that set colours begin with.
const ESCAPE: u8 = 0x1b;

/// What stands before the word in `key=value` lines.
const KEYS: [&[u8]; 3] = [b"level=", b"severity=", b"lvl="];

impl Severity {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Trace => "trace",
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Notice => "notice",
            Severity::Warn => "warn",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }

    /// The member of a JSON object that tells it, behind another one.
    pub const fn member(self) -> &'static str {
        match self {
            Severity::Trace => ",\"level\":\"trace\"",
            Severity::Debug => ",\"level\":\"debug\"",
            Severity::Info => ",\"level\":\"info\"",
            Severity::Notice => ",\"level\":\"notice\"",
            Severity::Warn => ",\"level\":\"warn\"",
            Severity::Error => ",\"level\":\"error\"",
            Severity::Critical => ",\"level\":\"critical\"",
        }
    }

    /// What a line says of itself, in one of the usual forms: `<3>`, `level=warn`, `"level":"error"` or `"level":50`, `ERROR`,
    /// `[warning]`, and `error:` at its beginning.
    pub fn of_line(line: &[u8]) -> Option<Severity> {
        match line.first()? {
            b'<' => of_priority(line).or_else(|| of_words(line)),
            b'{' => of_object(line),
            _ => of_words(line),
        }
    }

    /// What a word means, in any case.
    fn of_word(word: &[u8]) -> Option<Severity> {
        let mut lower = [0; LONGEST_WORD];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"trc" => Severity::Trace,
            b"debug" | b"dbg" => Severity::Debug,
            b"info" | b"inf" => Severity::Info,
            b"notice" => Severity::Notice,
            b"warn" | b"warning" | b"wrn" => Severity::Warn,
            b"error" | b"err" => Severity::Error,
            b"critical" | b"crit" | b"fatal" | b"ftl" | b"alert" | b"panic" | b"emerg" | b"emergency" => {
                Severity::Critical
            }
            _ => return None,
        })
    }

    /// The severity of this number in the system log.
    const fn of_system_log(number: u8) -> Severity {
        match number {
            0..=2 => Severity::Critical,
            3 => Severity::Error,
            4 => Severity::Warn,
            5 => Severity::Notice,
            6 => Severity::Info,
            _ => Severity::Debug,
        }
    }

    /// The severity of a number such as 30, which loggers for Node.js write.
    const fn of_number(number: u32) -> Option<Severity> {
        Some(match number {
            10..20 => Severity::Trace,
            20..30 => Severity::Debug,
            30..40 => Severity::Info,
            40..50 => Severity::Warn,
            50..60 => Severity::Error,
            60 => Severity::Critical,
            _ => return None,
        })
    }
}

/// `<0>` to `<7>`.
fn of_priority(line: &[u8]) -> Option<Severity> {
    match line {
        [b'<', digit @ b'0'..=b'7', b'>', ..] => Some(Severity::of_system_log(digit - b'0')),
        _ => None,
    }
}

/// Of at most three digits.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let length = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&length) {
        return None;
    }
    let (digits, rest) = text.split_at(length);
    Some((digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')), rest))
}

fn of_object(line: &[u8]) -> Option<Severity> {
    let line = &line[..line.len().min(WITHIN_OBJECT)];
    MEMBERS.iter().find_map(|member| {
        let behind = memmem::find(line, member)? + member.len();
        let value = line[behind..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        match value.strip_prefix(b"\"") {
            Some(text) => Severity::of_word(&text[..letters(text)]),
            None => Severity::of_number(number(value)?.0),
        }
    })
}

/// How many letters a text begins with; of more than make a word, some.
fn letters(text: &[u8]) -> usize {
    text.iter().take(LONGEST_WORD + 1).take_while(|byte| byte.is_ascii_alphabetic()).count()
}

fn of_words(line: &[u8]) -> Option<Severity> {
    let line = &line[..line.len().min(WITHIN)];
    let mut start = 0;
    loop {
        let end = start + letters(&line[start..]);
        if (SHORTEST_WORD..=LONGEST_WORD).contains(&(end - start))
            && is_marked(line, start, end)
            && let Some(severity) = Severity::of_word(&line[start..end])
        {
            return Some(severity);
        }
        let next = end + position(&line[end..], announces_word)?;
        start = match line[next] {
            ESCAPE => behind_escape(line, next),
            byte if !byte.is_ascii_uppercase() => next + 1,
            _ if line[..next].last().is_some_and(u8::is_ascii_alphabetic) => behind_word(line, next),
            _ => next,
        };
    }
}

/// Whether a word that means something can only begin here, or behind this. Words in small letters, which most of a line is, are not
/// looked at but for the first.
const fn announces_word(byte: u8) -> bool {
    byte.is_ascii_uppercase() | (byte == b'[') | (byte == b'=') | (byte == b'"') | (byte == ESCAPE)
}

/// Behind the rest of a word.
fn behind_word(line: &[u8], at: usize) -> usize {
    at + line[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count()
}

/// Behind a colour, of which the last letter is no part of a word.
fn behind_escape(line: &[u8], at: usize) -> usize {
    let rest = &line[at + 1..];
    at + 1 + rest.iter().position(u8::is_ascii_alphabetic).map_or(rest.len(), |end| end + 1)
}

/// Whether a word stands where, and as, loggers write how severe a line is.
fn is_marked(line: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = (&line[..start], line.get(end));
    let last = before.last();
    let is_alone = !after.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !last.is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    is_alone
        && match last {
            None if after == Some(&b':') => true,
            Some(b'[') if after == Some(&b']') => true,
            Some(b'=') => KEYS.iter().any(|key| before.ends_with(key)),
            Some(b'"') => KEYS.iter().any(|key| before[..start - 1].ends_with(key)),
            _ => line[start..end].iter().all(u8::is_ascii_uppercase),
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_forms_are_recognized() {
        for (line, expected) in [
            ("<3>disk failed", Severity::Error),
            ("ts=1 level=warn msg=slow", Severity::Warn),
            ("time=\"now\" lvl=\"eror\" severity=\"fatal\"", Severity::Critical),
            (r#"{"ts":1,"level":"error","msg":"x"}"#, Severity::Error),
            (r#"{"severity": "NOTICE"}"#, Severity::Notice),
            (r#"{"level":50,"time":1}"#, Severity::Error),
            ("2026-11-30 12:00:00,123 ERROR worker failed", Severity::Error),
            ("ERROR:root:failed", Severity::Error),
            ("\x1b[33mWARN\x1b[0m slow", Severity::Warn),
            ("2026/11/30 12:00:00 [warning] 7#7: slow", Severity::Warn),
            ("[2026-11-30] DEBUG: x", Severity::Debug),
            ("error: no such file", Severity::Error),
            ("12:00 [main] TRACE x", Severity::Trace),
            ("emerg: it burns", Severity::Critical),
        ] {
            assert_eq!(Severity::of_line(line.as_bytes()), Some(expected), "{line}");
        }
    }

    #[test]
    fn words_that_only_mean_something_tell_nothing() {
        for line in [
            "",
            "<",
            "<x>",
            "<999>x",
            "<8>x",
            "<30>started",
            "an error occurred",
            "no warning",
            "ERROR_CODE=3",
            "PRE-ERROR",
            "INFORMATION",
            "{\"levels\":1}",
            "{\"level\":5}",
            "{\"level\":",
            "{}",
            "GET /error HTTP/1.1",
            "\x1b[",
            "level=high",
        ] {
            assert_eq!(Severity::of_line(line.as_bytes()), None, "{line}");
        }
        let late = format!("{} ERROR", "x ".repeat(WITHIN));
        assert_eq!(Severity::of_line(late.as_bytes()), None);
    }

    /// What one of all words says, none of which is passed over.
    fn of_all_words(line: &[u8]) -> Option<Severity> {
        let mut start = 0;
        while start < line.len() {
            match line[start] {
                ESCAPE => start = behind_escape(line, start),
                byte if !byte.is_ascii_alphabetic() => start += 1,
                _ => {
                    let end = behind_word(line, start);
                    if end - start >= SHORTEST_WORD && is_marked(line, start, end) {
                        let severity = Severity::of_word(&line[start..end]);
                        if severity.is_some() {
                            return severity;
                        }
                    }
                    start = end;
                }
            }
        }
        None
    }

    proptest! {
        #[test]
        fn no_word_that_says_something_is_passed_over(
            pieces in proptest::collection::vec(prop::sample::select(vec![
                "error", "ERROR", "warning", "Err", "level=", "lvl=", "=", "[", "]", "\"", ":", " ", "_", "7", "x", "X", "x X",
                "\x1b[33m", "\x1b", "\u{e9}", "0123456789abcdef", "abcdefghijklmnop", "ABCDEFGHIJKLMNOP",
            ]), 0..9),
        ) {
            let line = pieces.concat();
            let line = &line.as_bytes()[..line.len().min(WITHIN)];
            prop_assert_eq!(of_words(line), of_all_words(line));
        }
    }
}
