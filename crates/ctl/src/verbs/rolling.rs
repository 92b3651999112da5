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

/// Restarts processes: all at once, or so many at a time.
pub(super) fn restart(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let Some(parallelism) = parallelism(&invocation.words) else { return dependents::restart(session, invocation) };
    if invocation.words.contains(&dependents::DEPENDENTS) {
        let text = format_args!("Error: {ROLLING} and {} exclude each other", dependents::DEPENDENTS);
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
                let detail = detail.strip_prefix(&format!("{name}: ")).unwrap_or(detail);
                session.fail(status::GENERIC, format_args!("{name}: ERROR ({detail})"));
            }
        }
    }
    Ok(Flow::Continue)
}
