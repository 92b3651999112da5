//! Shell patterns as Python's `glob.glob` and `fnmatch` read them, which is not quite how a shell does: `**` is one
//! level, and a pattern that begins with a dot finds hidden names.

use crate::host::DaemonHost;
use crate::path::{join, parent};

/// The existing paths that match a pattern, sorted by code point.
pub(crate) fn glob(pattern: &str, host: &dyn DaemonHost) -> Vec<String> {
    let (literal, components) = split(pattern);
    if components.is_empty() {
        return if exists(literal, host) { vec![literal.to_owned()] } else { Vec::new() };
    }
    let mut paths = vec![literal.to_owned()];
    for (place, component) in components.iter().enumerate() {
        let is_last = place + 1 == components.len();
        paths = paths.iter().flat_map(|directory| below(directory, component, is_last, host)).collect();
    }
    paths.sort();
    paths
}

/// The part without wildcards that a pattern begins with, and each component after it.
fn split(pattern: &str) -> (&str, Vec<&str>) {
    let (mut literal, mut components) = (pattern, Vec::new());
    while has_wildcard(literal) {
        components.push(&literal[literal.rfind('/').map_or(0, |slash| slash + 1)..]);
        literal = parent(literal);
    }
    components.reverse();
    (literal, components)
}

/// The paths in a directory that one component of a pattern finds; directories only unless it is the last one.
fn below(directory: &str, component: &str, is_last: bool, host: &dyn DaemonHost) -> Vec<String> {
    if !has_wildcard(component) {
        let path = if component.is_empty() { format!("{directory}/") } else { join(directory, component) };
        return if exists(&path, host) { vec![path] } else { Vec::new() };
    }
    let pattern = Pattern::parse(component);
    let mut names = host.names_in(if directory.is_empty() { "." } else { directory });
    names.retain(|name| (component.starts_with('.') || !name.starts_with('.')) && pattern.matches(name));
    let paths = names.into_iter().map(|name| join(directory, &name));
    paths.filter(|path| is_last || host.is_dir(path)).collect()
}

/// Whether there is something of this name, be it a link to nowhere; a slash at its end asks for a directory.
fn exists(path: &str, host: &dyn DaemonHost) -> bool {
    if path.ends_with('/') { host.is_dir(path) } else { !path.is_empty() && host.exists(path) }
}

pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// One component of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

/// What a pattern is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Any text.
    Star,
    /// One character of these.
    One(Class),
}

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Class {
    ranges: Vec<(char, char)>,
    is_negated: bool,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Pattern {
        let characters: Vec<char> = text.chars().collect();
        let (mut pieces, mut at) = (Vec::new(), 0);
        while at < characters.len() {
            let (piece, length) = match characters[at] {
                '*' => (Piece::Star, 1),
                '?' => (Piece::One(Class { is_negated: true, ..Class::default() }), 1),
                '[' => match end_of_class(&characters[at..]) {
                    Some(end) => (Piece::One(Class::parse(&characters[at + 1..at + end])), end + 1),
                    None => (Piece::One(Class::only('[')), 1),
                },
                character => (Piece::One(Class::only(character)), 1),
            };
            pieces.push(piece);
            at += length;
        }
        Pattern(pieces)
    }

    /// Whether the whole name matches. After a mismatch only the last star takes more, which is enough.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pieces, name): (&[Piece], Vec<char>) = (&self.0, name.chars().collect());
        let (mut piece, mut at) = (0, 0);
        let mut last_star = None;
        loop {
            match (pieces.get(piece), name.get(at)) {
                (None, None) => return true,
                (Some(Piece::Star), _) => {
                    last_star = Some((piece, at));
                    piece += 1;
                    continue;
                }
                (Some(Piece::One(class)), Some(character)) if class.contains(*character) => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            match last_star {
                Some((star, taken)) if taken < name.len() => {
                    last_star = Some((star, taken + 1));
                    (piece, at) = (star + 1, taken + 1);
                }
                _ => return false,
            }
        }
    }
}

/// Where the bracket is that closes the class at the beginning. One that comes first belongs to the class.
fn end_of_class(characters: &[char]) -> Option<usize> {
    let mut end = 1;
    if characters.get(end) == Some(&'!') {
        end += 1;
    }
    if characters.get(end) == Some(&']') {
        end += 1;
    }
    let rest = characters.get(end..)?;
    Some(end + rest.iter().position(|&character| character == ']')?)
}

impl Class {
    fn only(character: char) -> Class {
        Class { ranges: vec![(character, character)], is_negated: false }
    }

    /// Reads what stands between the brackets. The text is cut at the hyphens that join two ends of a range; a range
    /// that goes backwards is dropped with both its ends, and only then an exclamation mark at the beginning negates.
    fn parse(text: &[char]) -> Class {
        let mut chunks = chunks(text);
        for right in (1..chunks.len()).rev() {
            if chunks[right - 1].last() > chunks[right].first() {
                let rest = chunks.remove(right);
                chunks[right - 1].pop();
                chunks[right - 1].extend(&rest[1..]);
            }
        }
        let is_negated = chunks[0].first() == Some(&'!');
        let mut ranges = Vec::new();
        for (place, chunk) in chunks.iter().enumerate() {
            let singles = if place == 0 { &chunk[usize::from(is_negated)..] } else { &chunk[1..] };
            ranges.extend(singles.iter().map(|&character| (character, character)));
            if let (Some(&from), Some(&to)) = (chunk.last(), chunks.get(place + 1).and_then(|next| next.first())) {
                ranges.push((from, to));
            }
        }
        Class { ranges, is_negated }
    }

    fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|&(from, to)| (from..=to).contains(&character)) != self.is_negated
    }
}

/// The pieces of a class between which there are ranges: from the last character of one to the first of the next.
/// None but the first can be empty.
fn chunks(text: &[char]) -> Vec<Vec<char>> {
    let hyphen = |from: usize| Some(from + text.get(from..)?.iter().position(|&character| character == '-')?);
    let mut chunks: Vec<Vec<char>> = Vec::new();
    let mut begin = 0;
    let mut next = hyphen(if text.first() == Some(&'!') { 2 } else { 1 });
    while let Some(end) = next {
        chunks.push(text[begin..end].to_vec());
        begin = end + 1;
        next = hyphen(end + 3);
    }
    match chunks.last_mut() {
        // Nothing follows the hyphen: it stands for itself.
        Some(last) if begin == text.len() => last.push('-'),
        _ => chunks.push(text[begin..].to_vec()),
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).matches(name)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name) in [("*", "x"), ("**", "x"), ("*.c*f", "a.c.cf"), ("a?c", "aéc"), ("*a*b*", "xaxbx")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("?", ""), ("?", "ab"), ("*a", "ab"), ("a*b*c", "abcd"), ("a", "")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    /// Every set of characters as the `fnmatch` of Python 3.11 was seen to take it.
    #[test]
    fn classes() {
        for (class, expected) in [
            ("[abc]", "abc"),
            ("[!abc]", "!-[\\]^x"),
            ("[a-c]", "abc"),
            ("[c-a]", ""),
            ("[!c-a]", "!-[\\]^abcx"),
            ("[a-]", "-a"),
            ("[-a]", "-a"),
            ("[!-]", "![\\]^abcx"),
            ("[]]", "]"),
            ("[!]]", "!-[\\^abcx"),
            ("[]a]", "]a"),
            ("[^a]", "^a"),
            ("[[a]", "[a"),
            ("[\\a]", "\\a"),
            ("[a-b-c]", "-abc"),
            ("[c-a!b]", "!-[\\]^acx"),
            ("[a-bx-a]", "ab"),
            ("[z--a]", "a"),
        ] {
            let found: String = "!-[\\]^abcx".chars().filter(|c| matches(class, &c.to_string())).collect();
            assert_eq!(found, expected, "{class}");
        }
        assert!(matches("[a", "[a") && matches("[!", "[!") && matches("[]", "[]"));
    }

    fn host() -> FakeHost {
        let mut host = FakeHost::new();
        host.directories.extend(["/d", "/d/s", "/d/s/t", "/d/.h"].map(str::to_owned));
        for file in ["/d/a.c", "/d/.x.c", "/d/s/b.c", "/d/s/t/c.c", "/d/.h/h.c"] {
            host.files.insert(file.to_owned(), Vec::new());
        }
        host
    }

    #[test]
    fn paths() {
        for (pattern, expected) in [
            ("/d/*", "/d/a.c /d/s"),
            ("/d/**", "/d/a.c /d/s"),
            ("/d/**/*.c", "/d/s/b.c"),
            ("/d/.*.c", "/d/.x.c"),
            ("/d/.*/*", "/d/.h/h.c"),
            ("/d/*/", "/d/s/"),
            ("/d/*//b.c", "/d/s/b.c"),
            ("/d//s", "/d//s"),
            ("/d/a.c", "/d/a.c"),
            ("/d/a.c/", ""),
            ("/d/s/", "/d/s/"),
            ("/*/s/t/*", "/d/s/t/c.c"),
            ("/*/*/*/*", "/d/s/t/c.c"),
            ("/d/nothing*", ""),
            ("", ""),
        ] {
            assert_eq!(glob(pattern, &host()).join(" "), expected, "{pattern}");
        }
        let deep = "/*".repeat(100_000);
        assert_eq!(glob(&deep, &host()), [""; 0]);
    }
}
