//! `scale`: another number of processes for programs that run.

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
    for word in &words {
        match word.split_once('=').map(|(name, number)| (name, number.parse::<i64>())) {
            Some((name, Ok(number))) if !name.is_empty() => wanted.push((name, number)),
            _ => {
                let text = format_args!("Error: {word} is no NAME=NUMBER, such as workers=12");
                invocation.misuse(session, status::GENERIC, text);
                return Ok(Flow::Continue);
            }
        }
    }
    if wanted.is_empty() {
        invocation.misuse(session, status::GENERIC, "Error: scale requires NAME=NUMBER, such as workers=12");
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
            session.print(format_args!("{name}: numprocs is {number} already"));
        }
    }
    Ok(Flow::Continue)
}
