//! `status --wide` and `status --json`: what the JSON API knows of processes.

use serde_json::{Value, json};
use supervisord_wire::terminal_text::escaped;

use super::selection::{programs, selected};
use super::verb::Flow;
use crate::client::ProgramStatus;
use crate::failure::Failure;
use crate::local_clock;
use crate::session::Session;
use crate::status;
use crate::wide_table;

pub(super) const WIDE: &str = "--wide";
pub(super) const JSON: &str = "--json";

/// Prints a table with more columns, or JSON. The exit status is that of `status`.
pub(super) fn status(session: &mut Session, option: &str, names: &[&str]) -> Result<Flow, Failure> {
    let Some(programs) = programs(session, &format!("status {option}"))? else { return Ok(Flow::Continue) };
    let listed = selected(session, &programs, names).processes;
    if listed.iter().any(|program| program.state.is_stopped()) {
        session.set_exit_status(status::STATUS_NOT_RUNNING);
    }
    if option == JSON {
        let listed: Vec<&Value> = listed.iter().map(|program| &program.json).collect();
        print_json(session, &json!({ "programs": listed }));
    } else {
        session.console.raw(table(session, &listed).as_bytes());
    }
    Ok(Flow::Continue)
}

/// The table of `status --wide`.
pub(super) fn table(session: &Session, programs: &[&ProgramStatus]) -> String {
    wide_table::table(programs, local_clock::now(), session.console.colour(), escaped)
}

/// Prints JSON, of which nothing is a control character.
pub(super) fn print_json(session: &mut Session, json: &Value) {
    // A tree of values can always be written.
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    session.print(text);
}
