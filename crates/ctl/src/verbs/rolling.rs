//! `restart --rolling`: some processes at a time, until the first fails.

use serde_json::Value;
use supervisord_wire::name::namespec;

use super::dependents;
use super::minimal::accepted;
use super::verb::{Flow, Invocation};
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

pub(super) const ROLLING: &str = "--rolling";

/// How many processes restart at a time; none where the restart is not rolling.
fn parallelism<'a>(words: &[&'a str]) -> Option<&'a str> {
    let flag = words.iter().find_map(|word| word.strip_prefix(ROLLING))?;
    Some(flag.strip_prefix('=').unwrap_or("1"))
}

/// A number of processes that is written as a word of its own behind the flag, where it would be a name.
fn count_apart<'a>(words: &[&'a str]) -> Option<&'a str> {
    let behind = words.iter().skip_while(|word| **word != ROLLING).nth(1)?;
    let digits = behind.strip_suffix('%').unwrap_or(behind);
    (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(behind)
}

/// Restarts processes: all at once, or so many at a time.
pub(super) fn restart(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let Some(parallelism) = parallelism(&invocation.words) else { return dependents::restart(session, invocation) };
    if invocation.words.contains(&dependents::DEPENDENTS) {
        let text = format_args!("Error: {ROLLING} and {} exclude each other", dependents::DEPENDENTS);
        invocation.misuse(session, status::GENERIC, text);
        return Ok(Flow::Continue);
    }
    if let Some(count) = count_apart(&invocation.words) {
        let text = format_args!(
            "Error: write {ROLLING}={count} for {count} at a time, or {ROLLING}=1 {count} for the program"
        );
        invocation.misuse(session, status::GENERIC, text);
        return Ok(Flow::Continue);
    }
    let named = invocation.words.iter().copied().filter(|word| !word.starts_with("--"));
    let names: Vec<&str> = named.map(|name| if name == "all" { "*" } else { name }).collect();
    if names.is_empty() {
        invocation.misuse(session, status::GENERIC, "Error: restart requires a process name");
        return Ok(Flow::Continue);
    }
    let answer = session.client()?.restart_rolling(&names, parallelism);
    let Some(answer) = accepted(session, "restart --rolling", answer)? else { return Ok(Flow::Continue) };
    for result in answer["results"].as_array().into_iter().flatten() {
        let member = |name: &str| result[name].as_str().unwrap_or_default();
        let name = namespec(member("group"), member("name"));
        match result["ok"] == Value::Bool(true) {
            true => session.print(format_args!("{name}: restarted")),
            false => {
                let detail = member("detail");
                let about_it = detail.strip_prefix(&name).and_then(|rest| rest.strip_prefix([':', ' ']));
                let detail = about_it.map_or(detail, str::trim_start);
                session.fail(status::GENERIC, format_args!("{name}: ERROR ({detail})"));
            }
        }
    }
    Ok(Flow::Continue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_blank_is_no_name() {
        for (words, count) in [
            (&["--rolling", "2", "web:*"][..], Some("2")),
            (&["--rolling", "25%", "web:*"], Some("25%")),
            (&["web:*", "--rolling", "2"], Some("2")),
            (&["--rolling", "web:2"], None),
            (&["--rolling=1", "2"], None),
            (&["2", "--rolling"], None),
            (&["web"], None),
        ] {
            assert_eq!(count_apart(words), count, "{words:?}");
        }
    }
}
