//! Replaces what varies from run to run by placeholders of the same width, so that columns stay aligned.

use super::scene::Place;

/// Shapes of times: `9` stands for a digit, `A` for a capital and `a` for a small letter.
const TIMES: [&str; 5] = [
    "9999-99-99 99:99:99,999",
    "Aaa 99 99:99 AA",
    "Aaa Aaa 99 99:99:99 9999",
    "Aaa, 99 Aaa 9999 99:99:99 GMT",
    "99/Aaa/9999:99:99:99 +9999",
];

/// Text before a pid.
const BEFORE_PID: [&str; 7] = ["pid ", "' (", "pid:", "PID ", "with pid ", "pid: ", ".sock."];

/// Replaces directories, ports, times and pids.
pub fn redact(place: &Place, text: &str) -> String {
    let directory = place.dir().display().to_string();
    let mut text = text.replace(&directory, &pad("{dir}", directory.len()));
    for shape in TIMES {
        text = replace_shape(&text, shape, "time");
    }
    text = replace_after(&text, "uptime ", |c| c.is_ascii_digit() || c == ':', "uptime");
    text = replace_after(&text, "---supervisor-", |c| c.is_ascii_alphanumeric() || c == '_', "random");
    for before in BEFORE_PID {
        text = replace_after(&text, before, |c| c.is_ascii_digit(), "pid");
    }
    // A process may have the number of a port.
    for (port, name) in place.ports.iter().zip(["{prt}", "{prt2}", "{prt3}"]) {
        text = text.replace(&port.to_string(), &pad(name, port.to_string().len()));
    }
    text
}

/// Replaces every piece of text of a shape by a placeholder of the same width.
pub fn replace_shape(text: &str, shape: &str, name: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let shape: Vec<char> = shape.chars().collect();
    let matches = |at: usize| {
        characters.len() >= at + shape.len()
            && shape.iter().zip(&characters[at..]).all(|(&want, &have)| match want {
                '9' => have.is_ascii_digit(),
                'A' => have.is_ascii_uppercase(),
                'a' => have.is_ascii_lowercase(),
                other => have == other,
            })
    };
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        if matches(at) {
            result.push_str(&pad(&format!("<{name}>"), shape.len()));
            at += shape.len();
        } else {
            result.push(characters[at]);
            at += 1;
        }
    }
    result
}

/// Replaces the characters after `before` as long as they qualify. Their number varies, so the placeholder has a fixed
/// width.
pub fn replace_after(text: &str, before: &str, qualifies: impl Fn(char) -> bool, name: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        result.push_str(head);
        let end = tail.find(|c| !qualifies(c)).unwrap_or(tail.len());
        if end > 0 {
            result.push_str(&format!("<{name}>"));
        }
        rest = &tail[end..];
    }
    result.push_str(rest);
    result
}

fn pad(name: &str, width: usize) -> String {
    format!("{name:~<width$}")
}

#[test]
fn placeholders_keep_the_width_of_times() {
    let text = "at 2026-11-20 09:21:27,123 INFO x";
    assert_eq!(replace_shape(text, TIMES[0], "time"), "at <time>~~~~~~~~~~~~~~~~~ INFO x");
}

#[test]
fn only_what_follows_is_replaced() {
    let text = "pid 17, uptime 0:00:05, rapid 3, pid none";
    let text = replace_after(text, "pid ", |c| c.is_ascii_digit(), "pid");
    assert_eq!(text, "pid <pid>, uptime 0:00:05, rapid <pid>, pid none");
}
