//! The plan of an update, and updates that restart only what cannot do without.

use std::collections::HashSet;

use serde_json::Value;
use supervisord_config::model::UpdateMode;
use supervisord_wire::name::namespec;

use super::selection::{lacks_json, say_json_is_missing};
use super::wide::print_json;
use crate::client::ClientError;
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// What `reread` and `update` say where nothing differs.
const NOTHING: &str = "No config updates to processes";

/// Says what an update would do.
pub(super) fn plan(
    session: &mut Session,
    mode: Option<UpdateMode>,
    groups: &[&str],
    is_json: bool,
) -> Result<(), Failure> {
    let answer = session.client()?.plan_update(mode, groups);
    let Some(plan) = accepted(session, "update --plan", answer)? else { return Ok(()) };
    refuse_unknown(session, groups, &plan)?;
    match is_json {
        true => print_json(session, &plan),
        false => {
            let lines = lines(&plan);
            session.print_lines(&lines);
            let is_empty = lines.is_empty();
            session.print(if is_empty { NOTHING.to_owned() } else { summary(&plan) });
        }
    }
    Ok(())
}

/// Says which names are those of no group, neither of an active one nor of one that the plan adds.
fn refuse_unknown(session: &mut Session, groups: &[&str], plan: &Value) -> Result<(), Failure> {
    if groups.is_empty() {
        return Ok(());
    }
    let active = session.client()?.all_process_info()?;
    for name in groups {
        let is_known = active.iter().any(|info| info.group == *name);
        if !is_known && !items(plan, "groups").any(|group| group["group"] == *name) {
            session.fail(status::GENERIC, format_args!("ERROR: no such group: {name}"));
            session.hints.push(HintRequest::unknown(name, ExpectedName::Group));
        }
    }
    Ok(())
}

/// Updates, and says what has been done.
pub(super) fn update(session: &mut Session, groups: &[&str]) -> Result<(), Failure> {
    let Some(plan) = carried_out(session, groups)? else { return Ok(()) };
    let lines = done(&plan);
    session.print_lines(&lines);
    if lines.is_empty() {
        session.print(NOTHING);
    }
    Ok(())
}

/// The same as JSON.
pub(super) fn update_as_json(session: &mut Session, groups: &[&str]) -> Result<(), Failure> {
    if let Some(plan) = carried_out(session, groups)? {
        print_json(session, &plan);
    }
    Ok(())
}

fn carried_out(session: &mut Session, groups: &[&str]) -> Result<Option<Value>, Failure> {
    let answer = session.client()?.update(UpdateMode::Minimal, groups);
    let updated = accepted(session, "update --minimal", answer)?;
    Ok(updated.map(|mut updated| updated["plan"].take()))
}

/// The answer of the JSON API; none where there is none, or where it refuses, which is said.
pub(super) fn accepted(
    session: &mut Session,
    action: &str,
    answer: Result<Value, ClientError>,
) -> Result<Option<Value>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if lacks_json(&error) => {
            say_json_is_missing(session, action);
            Ok(None)
        }
        Err(ClientError::Refused { detail, .. }) => {
            session.fail(status::GENERIC, format_args!("ERROR: {detail}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn items<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    value[member].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_default()
}

/// A line for each process and each group that is concerned, with a line for each option below.
fn lines(plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for group in items(plan, "groups").filter(|group| items(group, "changes").next().is_some()) {
        lines.push(format!("group {}: {}", text(group, "group"), text(group, "action")));
        lines.extend(items(group, "changes").map(change));
    }
    let replaced: HashSet<&str> =
        items(plan, "groups").filter(|group| group["action"] == "replace").map(|group| text(group, "group")).collect();
    for step in items(plan, "steps") {
        let is_replaced = replaced.contains(text(step, "group"));
        let has_reason = items(step, "changes").next().is_some() || matches!(text(step, "action"), "add" | "remove");
        let reason = if is_replaced && !has_reason { " (its group changes and is replaced as a whole)" } else { "" };
        lines.push(format!("{}: {}{reason}", name(step), intent(step)));
        lines.extend(items(step, "changes").map(change));
    }
    for scale in items(plan, "scaled") {
        let (numprocs, configured) = (&scale["numprocs"], &scale["configured"]);
        let section = text(scale, "section");
        lines.push(format!(
            "{section}: scaled to {numprocs}; an update keeps that until numprocs={configured} changes in the file"
        ));
    }
    lines
}

fn name(step: &Value) -> String {
    namespec(text(step, "group"), text(step, "name"))
}

fn change(change: &Value) -> String {
    let value = |member: &str| match text(change, member) {
        "" => "(not set)",
        value => value,
    };
    format!("    {}: {} -> {} ({})", text(change, "option"), value("old"), value("new"), text(change, "needs"))
}

/// What is to be done with a process, in words.
fn intent(step: &Value) -> &'static str {
    let (stops, starts) = (step["stops"] == true, step["starts"] == true);
    match text(step, "action") {
        "remove" if stops => "stop and remove",
        "remove" => "remove",
        "stop" => "stop",
        "restart" => "restart",
        "start" => "start",
        "apply" => "apply without a restart",
        "next_start" => "apply at its next start",
        "add" if starts => "add and start",
        _ => "add",
    }
}

fn summary(plan: &Value) -> String {
    let count = |action: &str| items(plan, "steps").filter(|step| step["action"] == action).count();
    let counts = [
        ("restart", "restart"),
        ("start", "start"),
        ("stop", "stop"),
        ("add", "add"),
        ("remove", "remove"),
        ("apply", "apply without a restart"),
        ("next_start", "apply at the next start"),
    ];
    let counts = counts.map(|(action, words)| (count(action), words)).into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, words)| format!("{count} {words}")).collect();
    let all = if counts.is_empty() { "no process is concerned".to_owned() } else { counts.join(", ") };
    format!("update={}: {all}; nothing else is touched", text(plan, "mode"))
}

/// What has been done, a line for each process.
pub(super) fn done(plan: &Value) -> Vec<String> {
    let word = |step: &Value| match text(step, "action") {
        "remove" => "removed process",
        "stop" => "stopped",
        "restart" => "restarted",
        "start" => "started",
        "apply" => "updated without a restart",
        "next_start" => "updated, for its next start",
        _ => "added process",
    };
    let mut lines: Vec<String> = items(plan, "steps").map(|step| format!("{}: {}", name(step), word(step))).collect();
    if lines.is_empty() {
        lines.extend(items(plan, "groups").map(|group| format!("{}: updated process group", text(group, "group"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_shown_with_old_and_new_values() {
        let plan = json!({ "mode": "minimal",
        "groups": [{ "group": "web", "action": "change",
            "changes": [{ "option": "priority", "old": "999", "new": "5", "needs": "live" }] }],
        "steps": [
            { "group": "old", "name": "old", "action": "remove", "stops": true, "starts": false, "changes": [] },
            { "group": "web", "name": "web_1", "action": "restart", "stops": true, "starts": true,
              "changes": [{ "option": "user", "old": "", "new": "www", "needs": "restart" }] },
            { "group": "web", "name": "web_2", "action": "add", "stops": false, "starts": true, "changes": [] },
        ]});
        let expected = [
            "group web: change",
            "    priority: 999 -> 5 (live)",
            "old: stop and remove",
            "web:web_1: restart",
            "    user: (not set) -> www (restart)",
            "web:web_2: add and start",
        ];
        assert_eq!(lines(&plan), expected);
        let grown = json!({ "mode": "groups", "groups": [{ "group": "w", "action": "replace", "changes": [] }], "steps": [
            { "group": "w", "name": "w_0", "action": "restart", "stops": true, "starts": true, "changes": [] },
            { "group": "w", "name": "w_1", "action": "add", "stops": false, "starts": true, "changes": [] },
        ]});
        assert_eq!(
            lines(&grown),
            ["w:w_0: restart (its group changes and is replaced as a whole)", "w:w_1: add and start"]
        );
        assert_eq!(summary(&plan), "update=minimal: 1 restart, 1 add, 1 remove; nothing else is touched");
        assert_eq!(done(&plan), ["old: removed process", "web:web_1: restarted", "web:web_2: added process"]);
    }
}
