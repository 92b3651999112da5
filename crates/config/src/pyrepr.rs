//! Text as a Python literal shows it: the form in which messages quote what somebody wrote.

/// Whether Python shows this character as itself, and not as an escape.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // In a string, the standard library escapes what is not printable; the leading letter keeps a combining mark
    // from being escaped for its position alone.
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().count() == 2
}

fn quote_for(text: &str) -> char {
    if text.contains('\'') && !text.contains('"') { '"' } else { '\'' }
}

fn push_escape(out: &mut String, c: char) {
    let code = u32::from(c);
    match code {
        0..=0xff => out.push_str(&format!("\\x{code:02x}")),
        0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
        _ => out.push_str(&format!("\\U{code:08x}")),
    }
}

fn literal(text: &str, shown: fn(char) -> bool) -> String {
    let quote = quote_for(text);
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => {
                out.push('\\');
                out.push(c);
            }
            _ if shown(c) => out.push(c),
            _ => push_escape(&mut out, c),
        }
    }
    out.push(quote);
    out
}

/// `repr(text)`: in single quotes, or in double quotes where only single ones occur inside.
pub fn repr(text: &str) -> String {
    literal(text, is_printable)
}

/// `ascii(text)`: like [`repr`], with everything beyond ASCII escaped.
pub fn ascii(text: &str) -> String {
    literal(text, |c| (' '..='~').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quote_depends_on_the_quotes_inside() {
        assert_eq!(repr("a"), "'a'");
        assert_eq!(repr("it's"), "\"it's\"");
        assert_eq!(repr("say \"hi\""), "'say \"hi\"'");
        assert_eq!(repr("it's \"x\""), "'it\\'s \"x\"'");
    }

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        assert_eq!(repr("a\\b\n\t\r\0\x7f"), "'a\\\\b\\n\\t\\r\\x00\\x7f'");
        assert_eq!(repr("é\u{a0}\u{ad}\u{200b}\u{feff}\u{e0001}"), "'é\\xa0\\xad\\u200b\\ufeff\\U000e0001'");
        assert_eq!(repr("e\u{301}"), "'e\u{301}'");
    }

    #[test]
    fn ascii_escapes_everything_else() {
        assert_eq!(ascii("é€😀"), "'\\xe9\\u20ac\\U0001f600'");
    }
}
