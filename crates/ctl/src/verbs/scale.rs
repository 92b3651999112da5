//! `scale`: another number of processes for programs that run.

use supervisord_config::scale::WantedCount;

use super::minimal::{accepted, done};
use super::verb::{Flow, Invocation};
use super::wide::{JSON, print_json};
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

/// Writes it down.
pub(super) const PERSIST: &str = "--persist";

/// Gives programs, one after the other, the numbers of processes that are behind their names.
pub(super) fn scale(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let words: Vec<&str> = invocation.words.iter().copied().filter(|word| !word.starts_with("--")).collect();
    let mut wanted = Vec::new();
    for (place, word) in words.iter().enumerate() {
        match sized(word) {
            Some(sized) => wanted.push(sized),
            None => {
                let meant = meant(word, words.get(place + 1).copied());
                let text = format_args!("Error: {word} is no NAME=NUMBER, such as workers=12 or workers=+2{meant}");
                invocation.misuse(session, status::GENERIC, text);
                return Ok(Flow::Continue);
            }
        }
    }
    if wanted.is_empty() {
        invocation.misuse(
            session,
            status::GENERIC,
            "Error: scale requires NAME=NUMBER, such as workers=12 or workers=+2",
        );
        return Ok(Flow::Continue);
    }
    for (name, number) in wanted {
        let answer = session.client()?.scale(name, number, invocation.words.contains(&PERSIST));
        let Some(plan) = accepted(session, "scale", answer)? else { return Ok(Flow::Continue) };
        if invocation.words.contains(&JSON) {
            print_json(session, &plan);
            continue;
        }
        let lines = done(&plan);
        lines.iter().for_each(|line| session.print(line));
        if lines.is_empty() {
            session.print(match number {
                WantedCount::Exactly(number) => format!("{name}: numprocs is {number} already"),
                WantedCount::Change(_) => format!("{name}: nothing to change"),
            });
        }
    }
    Ok(Flow::Continue)
}

/// A name with the number of processes behind it.
fn sized(word: &str) -> Option<(&str, WantedCount)> {
    let (name, number) = word.split_once('=')?;
    if name.is_empty() { None } else { Some((name, WantedCount::parse(number)?)) }
}

/// What was probably meant by a word, with the one behind it: `web 4` and `web +4`, as other tools have it, or `web+4`.
fn meant(word: &str, next: Option<&str>) -> String {
    let (name, number) = match (next.filter(|next| WantedCount::parse(next).is_some()), word.rfind(['+', '-'])) {
        (Some(number), _) if !word.contains('=') => (word, number),
        (_, Some(place)) if !word.contains('=') => word.split_at(place),
        _ => return String::new(),
    };
    match WantedCount::parse(number) {
        Some(number) if !name.is_empty() => format!("; did you mean {name}={number}?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_tools_write_is_told_in_our_words() {
        for (word, next, expected) in [
            ("web", Some("+4"), "; did you mean web=+4?"),
            ("web", Some("4"), "; did you mean web=4?"),
            ("web+2", None, "; did you mean web=+2?"),
            ("web-1", None, "; did you mean web=-1?"),
            ("web", Some("db=2"), ""),
            ("web=many", Some("+4"), ""),
            ("web", None, ""),
            ("+4", None, ""),
            ("web-worker", None, ""),
        ] {
            assert_eq!(meant(word, next), expected, "{word} {next:?}");
        }
    }

    #[test]
    fn a_sign_is_kept() {
        assert_eq!(sized("web=+4"), Some(("web", WantedCount::Change(4))));
        assert_eq!(sized("web=-1"), Some(("web", WantedCount::Change(-1))));
        assert_eq!(sized("a:b=12"), Some(("a:b", WantedCount::Exactly(12))));
        for word in ["=4", "web=", "web=4x", "web"] {
            assert_eq!(sized(word), None, "{word}");
        }
    }
}
