//! `status --wide` and `status --json`: what the JSON API knows of processes.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::selection::{programs, selected};
use super::verb::Flow;
use crate::failure::Failure;
use crate::session::Session;
use crate::status;
use crate::wide_table;

pub(super) const WIDE: &str = "--wide";
pub(super) const JSON: &str = "--json";

/// Prints a table with more columns, or JSON. The exit status is that of `status`.
pub(super) fn status(session: &mut Session, option: &str, names: &[&str]) -> Result<Flow, Failure> {
    let Some(programs) = programs(session, &format!("status {option}"))? else { return Ok(Flow::Continue) };
    let listed = selected(session, &programs, names);
    if listed.iter().any(|program| program.state.is_stopped()) {
        session.set_exit_status(status::STATUS_NOT_RUNNING);
    }
    if option == JSON {
        let listed: Vec<&Value> = listed.iter().map(|program| &program.json).collect();
        print_json(session, &json!({ "programs": listed }));
        return Ok(Flow::Continue);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let colour = session.console.colour();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let text = wide_table::table(&listed, now, colour, |text| session.console.printable(text));
    session.console.raw(text.as_bytes());
    Ok(Flow::Continue)
}

/// Prints JSON, of which nothing is a control character.
pub(super) fn print_json(session: &mut Session, json: &Value) {
    // A tree of values can always be written.
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    session.print(text);
}
