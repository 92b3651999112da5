//! Removes our additions from messages, so that the rest can be compared with the original to the letter.
//!
//! Other tests check that the additions are present and right.

/// Text before a secret that messages of the original quote and ours hide, and the text after it.
const SECRETS: [(&str, &str); 5] = [
    ("Format string ", " for 'environment'"),
    ("Format string ", " for 'supervisord.environment'"),
    ("Format string ", " for 'inet_http_server.password'"),
    ("Format string ", " for 'unix_http_server.password'"),
    ("Unexpected end of key/value pairs in value '", "'"),
];

/// Messages of the original that do not concern a configuration file and that we extend by a reason.
const EXTENDED: [&str; 2] = ["could not read config file ", "could not write pidfile "];

/// The message about code that cannot be imported.
const UNRESOLVED: &str = " cannot be resolved within [";

/// Removes the places in configuration files that we add in parentheses and the WARN lines about such a place, and
/// replaces secrets that the original shows by our mask.
pub fn without_additions(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    let is_added = |line: &str| is_member(line) || (line.contains(" WARN ") && place(line).is_some());
    lines.filter(|line| !is_added(line)).map(cut).collect()
}

/// Whether this is a struct member that version 4.4 adds.
fn is_member(line: &str) -> bool {
    line.starts_with("  autorestart: ")
}

fn cut(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some((start, end)) = place(&line) {
        line.replace_range(start..end, "");
    }
    // The reason why code cannot be imported, as in version 4.4.
    if let Some((before, after)) = line.split_once(UNRESOLVED)
        && let Some((section, why)) = after.split_once(']')
        && why.starts_with(": ")
    {
        let end = if why.ends_with('\n') { "\n" } else { "" };
        line = format!("{before}{UNRESOLVED}{section}]{end}");
    }
    for (before, after) in SECRETS {
        let Some(start) = line.find(before).map(|at| at + before.len()) else { continue };
        if let Some(length) = line[start..].find(after) {
            line.replace_range(start..start + length, "***");
            break;
        }
    }
    line
}

/// The position of ` (FILE:LINE...)` in a line.
fn place(line: &str) -> Option<(usize, usize)> {
    line.match_indices(" (").map(|(start, _)| start).find_map(|start| {
        let inside = &line[start + 2..];
        if EXTENDED.iter().any(|extended| line[..start].contains(extended)) {
            return inside.rfind(')').map(|at| (start, start + 2 + at + 1));
        }
        let is_server = ["[inet_http_server", "[unix_http_server"].iter().any(|section| inside.starts_with(section));
        if is_server {
            return inside.rfind(')').map(|at| (start, start + 2 + at + 1));
        }
        let file = inside.find(".conf").map(|at| at + 5).or_else(|| inside.find(".ini").map(|at| at + 4))?;
        let is_file =
            !inside[..file].contains([' ', '(', ')', '\'', '"']) && inside[file..].starts_with([':', ',', ')']);
        if !is_file {
            return None;
        }
        let mut depth = 1;
        for (at, c) in inside.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((start, start + 2 + at + 1));
            }
        }
        // A value with an unclosed parenthesis.
        inside.rfind(')').map(|at| (start, start + 2 + at + 1))
    })
}

#[test]
fn only_additions_are_removed() {
    for (text, expected) in [
        (
            "Error: no (in 'x' (file: 'c.conf')) (c.conf:3, [a] b=%(c)s: write d)\nnext",
            "Error: no (in 'x' (file: 'c.conf'))\nnext",
        ),
        ("a (/d/c.conf: add a line)", "a"),
        ("could not read config file /d (/d: Is a directory)", "could not read config file /d"),
        ("a (c.conf:1, [b] c=%(d: write %%)\n", "a\n"),
        ("exited: x (exit status 0)", "exited: x (exit status 0)"),
        ("t WARN what (c.conf:3)\nt WARN what\n", "t WARN what\n"),
        ("[{\n  autorestart: true\n  uid: 0\n}]", "[{\n  uid: 0\n}]"),
        (
            "Error: x:y cannot be resolved within [a:b]: No module named 'x' (c.conf:3, [a:b] c)\n",
            "Error: x:y cannot be resolved within [a:b]\n",
        ),
        ("Format string 'a' for 'environment' is", "Format string *** for 'environment' is"),
        ("Format string 'a' for 'program:p.command' is", "Format string 'a' for 'program:p.command' is"),
    ] {
        assert_eq!(without_additions(text), expected);
    }
}
