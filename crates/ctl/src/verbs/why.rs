//! `why`: the chain of causes behind the state of a process.

use serde_json::Value;
use supervisord_wire::terminal_text::escaped;

use super::selection::{programs, selected};
use super::verb::{Flow, Invocation};
use super::wide::print_json;
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

/// Explains the states of the named processes.
pub(super) fn why(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let (options, names): (Vec<&str>, Vec<&str>) = invocation.words.iter().partition(|word| word.starts_with("--"));
    if names.is_empty() {
        invocation.misuse(session, status::GENERIC, "Error: why requires a process name");
        return Ok(Flow::Continue);
    }
    let Some(programs) = programs(session, "why")? else { return Ok(Flow::Continue) };
    let mut explanations = Vec::new();
    for program in selected(session, &programs, &names).processes {
        match session.client()?.why(&program.group, &program.name) {
            Ok(explanation) => explanations.push(explanation),
            // It has been removed meanwhile.
            Err(error) if error.is_status(404) => {
                session.fail(status::STATUS_UNKNOWN, format_args!("{}: ERROR (no such process)", program.namespec()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !options.is_empty() {
        let all = explanations.into_iter().map(|explanation| Value::Object(explanation.json)).collect();
        print_json(session, &Value::Array(all));
        return Ok(Flow::Continue);
    }
    for (position, explanation) in explanations.iter().enumerate() {
        if position > 0 {
            session.print("");
        }
        // Names and users may have any characters.
        explanation.explanation.iter().for_each(|line| session.print(escaped(&line.replace('\n', "\\n"))));
    }
    Ok(Flow::Continue)
}
