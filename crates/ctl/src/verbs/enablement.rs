//! `disable` and `enable`: programs that nothing starts, and those that may be started again.

use serde_json::{Value, json};
use supervisord_wire::name::namespec;

use super::minimal::accepted;
use super::verb::{Flow, Invocation};
use super::wide::{JSON, print_json};
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

/// Starts what is enabled.
pub(super) const NOW: &str = "--now";

/// Prints what is disabled.
pub(super) const LIST: &str = "--list";

/// Stops programs, and has nothing start them any more.
pub(super) fn disable(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if invocation.words.contains(&LIST) {
        return list(session, invocation);
    }
    let Some(names) = names(session, invocation) else { return Ok(Flow::Continue) };
    let results = ask(session, "disable", &names)?;
    report(session, invocation, results, "disabled");
    Ok(Flow::Continue)
}

/// Lets programs be started again, and starts them where that is asked for.
pub(super) fn enable(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let Some(names) = names(session, invocation) else { return Ok(Flow::Continue) };
    let results = ask(session, "enable", &names)?;
    let enabled: Vec<String> = results.iter().filter(|result| is_done(result)).map(name).collect();
    let is_now = invocation.words.contains(&NOW);
    let is_json = invocation.words.contains(&JSON);
    if !is_now || enabled.is_empty() {
        report(session, invocation, results, "enabled");
        return Ok(Flow::Continue);
    }
    if !is_json {
        report(session, invocation, results, "enabled");
    }
    let enabled: Vec<&str> = enabled.iter().map(String::as_str).collect();
    let started = ask(session, "start", &enabled)?;
    report(session, invocation, started, "started");
    Ok(Flow::Continue)
}

/// Prints the disabled programs, those among them that were removed from the configuration.
fn list(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if let Some(name) = invocation.words.iter().find(|word| !word.starts_with("--")) {
        let text = format_args!("Error: disable {LIST} takes no name, such as {name}");
        invocation.misuse(session, status::GENERIC, text);
        return Ok(Flow::Continue);
    }
    let answer = session.client()?.disabled();
    let Some(answer) = accepted(session, "disable --list", answer)? else { return Ok(Flow::Continue) };
    if invocation.words.contains(&JSON) {
        print_json(session, &answer);
        return Ok(Flow::Continue);
    }
    let programs = answer["programs"].as_array().map(Vec::as_slice).unwrap_or_default();
    for program in programs {
        session.print(line(program));
    }
    if programs.is_empty() {
        session.print("no program is disabled");
    }
    Ok(Flow::Continue)
}

/// The line about a disabled program.
fn line(program: &Value) -> String {
    let reason = program["reason"].as_str().unwrap_or_default();
    let place = if program["active"] == true { "" } else { "; no active group has it" };
    format!("{}: {reason}{place}", name(program))
}

/// The selectors; none where there are none, which has been said.
fn names<'a>(session: &mut Session, invocation: &Invocation<'a>) -> Option<Vec<&'a str>> {
    let names = invocation.words.iter().copied().filter(|word| !word.starts_with("--"));
    let names: Vec<&str> = names.map(|name| if name == "all" { "*" } else { name }).collect();
    if names.is_empty() {
        let text = format_args!("Error: {} requires a process name", invocation.verb.name);
        invocation.misuse(session, status::GENERIC, text);
        return None;
    }
    Some(names)
}

fn ask(session: &mut Session, action: &str, names: &[&str]) -> Result<Vec<Value>, Failure> {
    let answer = session.client()?.act_on(action, names);
    let Some(mut answer) = accepted(session, action, answer)? else { return Ok(Vec::new()) };
    Ok(match answer["results"].take() {
        Value::Array(results) => results,
        _ => Vec::new(),
    })
}

fn is_done(result: &Value) -> bool {
    result["ok"] == Value::Bool(true)
}

fn name(result: &Value) -> String {
    namespec(result["group"].as_str().unwrap_or_default(), result["name"].as_str().unwrap_or_default())
}

fn report(session: &mut Session, invocation: &Invocation<'_>, results: Vec<Value>, done: &str) {
    if !results.iter().all(is_done) {
        session.set_exit_status(status::GENERIC);
    }
    if invocation.words.contains(&JSON) {
        return print_json(session, &json!({ "results": results }));
    }
    for result in &results {
        let name = name(result);
        let detail = result["detail"].as_str().unwrap_or_default();
        let detail = detail.strip_prefix(&format!("{name}: ")).unwrap_or(detail);
        match is_done(result) {
            true if done == "started" && detail.ends_with("already started") => {
                session.print(format_args!("{name}: already started"));
            }
            true => session.print(format_args!("{name}: {done}")),
            false => session.print(format_args!("{name}: ERROR ({detail})")),
        }
    }
}
