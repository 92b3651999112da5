//! `reread`, `add`, `remove` and `update`: activate the configuration on disk.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use supervisord_config::model::UpdateMode;
use supervisord_wire::fault::FaultCode;

use super::minimal;
use super::verb::{Flow, Invocation};
use super::wide::print_json;
use crate::client::{Client, ClientError, ConfigChanges};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;
use crate::update_order::GroupDependencies;

/// Prints the differences between the configuration on disk and the active one.
pub(super) fn reread(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    match session.client()?.reload_config() {
        Ok(changes) if !invocation.words.is_empty() => {
            let ConfigChanges { added, changed, removed } = changes;
            // A daemon without this method has no warnings.
            let warnings = session.client()?.config_warnings().unwrap_or_default();
            let changes = json!({ "added": added, "changed": changed, "removed": removed, "warnings": warnings });
            print_json(session, &changes);
        }
        Ok(changes) => {
            report(session, &changes);
            warn(session);
        }
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail(status::GENERIC, "ERROR: supervisor shutting down");
        }
        Err(ClientError::Fault(fault)) if fault.is(FaultCode::CantReread) => {
            session.fail(status::GENERIC, format_args!("ERROR: {fault}"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Flow::Continue)
}

/// Shows the daemon's configuration warnings on a terminal. A daemon without this method has none to show.
pub(super) fn warn(session: &mut Session) {
    if !session.console.explains() {
        return;
    }
    for warning in session.client().and_then(Client::config_warnings).unwrap_or_default() {
        session.console.explain(format_args!("warning: {warning}"));
    }
}

fn report(session: &mut Session, changes: &ConfigChanges) {
    let kinds = [(&changes.added, "available"), (&changes.changed, "changed"), (&changes.removed, "disappeared")];
    let lines: BTreeMap<&String, &str> =
        kinds.into_iter().flat_map(|(names, word)| names.iter().map(move |name| (name, word))).collect();
    for (name, word) in &lines {
        session.print(format_args!("{name}: {word}"));
    }
    if lines.is_empty() {
        session.print("No config updates to processes");
    }
}

/// Activates groups.
pub(super) fn add(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    for name in &invocation.words {
        let Err(error) = session.client()?.add_group(name) else {
            session.print(format_args!("{name}: added process group"));
            continue;
        };
        if error.is_fault(FaultCode::ShutdownState) {
            session.fail(status::GENERIC, "ERROR: shutting down");
        } else if error.is_fault(FaultCode::AlreadyAdded) {
            session.print("ERROR: process group already active");
        } else if error.is_fault(FaultCode::BadName) {
            session.fail(status::GENERIC, format_args!("ERROR: no such process/group: {name}"));
            session.hints.push(HintRequest::unknown(name, ExpectedName::Group));
        } else {
            return Err(error.into());
        }
    }
    Ok(Flow::Continue)
}

/// Removes groups.
pub(super) fn remove(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    for name in &invocation.words {
        let Err(error) = session.client()?.remove_group(name) else {
            session.print(format_args!("{name}: removed process group"));
            continue;
        };
        if error.is_fault(FaultCode::StillRunning) {
            session.fail(status::GENERIC, format_args!("ERROR: process/group still running: {name}"));
        } else if error.is_fault(FaultCode::BadName) {
            session.fail(status::GENERIC, format_args!("ERROR: no such process/group: {name}"));
            session.hints.push(HintRequest::unknown(name, ExpectedName::Group));
        } else {
            return Err(error.into());
        }
    }
    Ok(Flow::Continue)
}

/// Activates the configuration on disk, in the way of the daemon's `update` option: all of it, or the named groups. Another
/// way is `forced`.
pub(super) fn update(session: &mut Session, names: &[&str], forced: Option<UpdateMode>) -> Result<Flow, Failure> {
    let mut changes = match session.client()?.reload_config() {
        Ok(changes) => changes,
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail(status::GENERIC, "ERROR: already shutting down");
            return Ok(Flow::Continue);
        }
        Err(error) => return Err(error.into()),
    };
    if !names.is_empty() {
        restrict(session, &mut changes, names)?;
    }
    let differs = [&changes.added, &changes.changed, &changes.removed].iter().any(|groups| !groups.is_empty());
    let applied = match differs && forced.is_none() && is_minimal(session) {
        true => minimal::update(session, names),
        false => apply(session, &changes),
    };
    // Behind what the original prints, where it is read.
    warn(session);
    applied?;
    Ok(Flow::Continue)
}

/// Whether the configuration says that only what needs it is restarted. A daemon without the JSON API knows no such option.
fn is_minimal(session: &mut Session) -> bool {
    let daemon = session.client().and_then(Client::daemon);
    daemon.is_ok_and(|daemon| daemon["update"] == UpdateMode::Minimal.word())
}

/// Restricts the changes to these groups; prints the names that are neither active nor new.
fn restrict(session: &mut Session, changes: &mut ConfigChanges, names: &[&str]) -> Result<(), Failure> {
    let active = session.client()?.all_process_info()?;
    let active: BTreeSet<&str> = active.iter().map(|info| info.group.as_str()).collect();
    let wanted: BTreeSet<&str> = names.iter().copied().collect();
    for name in &wanted {
        if !active.contains(name) && !changes.added.iter().any(|added| added == name) {
            session.fail(status::GENERIC, format_args!("ERROR: no such group: {name}"));
            session.hints.push(HintRequest::unknown(name, ExpectedName::Group));
        }
    }
    for groups in [&mut changes.added, &mut changes.changed, &mut changes.removed] {
        groups.retain(|group| wanted.contains(group.as_str()));
    }
    Ok(())
}

fn apply(session: &mut Session, changes: &ConfigChanges) -> Result<(), Failure> {
    let stopped = [changes.removed.as_slice(), &changes.changed].concat();
    if stopped.len() > 1 {
        // A daemon without the JSON API knows no dependencies.
        let programs = session.client()?.programs().unwrap_or_default();
        let dependencies = GroupDependencies::of(&programs);
        if !dependencies.is_empty() {
            return apply_in_order(session, changes, &dependencies.dependents_first(&stopped));
        }
    }
    for group in &changes.removed {
        let outcomes = session.client()?.stop_group(group, true)?;
        session.print(format_args!("{group}: stopped"));
        if outcomes.iter().any(|outcome| outcome.code() == Some(FaultCode::Failed)) {
            session.fail(status::GENERIC, format_args!("{group}: has problems; not removing"));
            continue;
        }
        session.client()?.remove_group(group)?;
        session.print(format_args!("{group}: removed process group"));
    }
    for group in &changes.changed {
        session.client()?.stop_group(group, true)?;
        session.print(format_args!("{group}: stopped"));
        replace(session.client()?, group)?;
        session.print(format_args!("{group}: updated process group"));
    }
    for group in &changes.added {
        session.client()?.add_group(group)?;
        session.print(format_args!("{group}: added process group"));
    }
    Ok(())
}

/// Stops what others depend on after them, and starts in the reverse order. A group that is in the way of an update is added again
/// when all that depends on it has been stopped.
fn apply_in_order(session: &mut Session, changes: &ConfigChanges, stops: &[String]) -> Result<(), Failure> {
    for group in stops {
        let is_removed = changes.removed.contains(group);
        let outcomes = session.client()?.stop_group(group, true)?;
        session.print(format_args!("{group}: stopped"));
        if is_removed && outcomes.iter().any(|outcome| outcome.code() == Some(FaultCode::Failed)) {
            session.fail(status::GENERIC, format_args!("{group}: has problems; not removing"));
            continue;
        }
        session.client()?.remove_group(group)?;
        if is_removed {
            session.print(format_args!("{group}: removed process group"));
        }
    }
    for group in stops.iter().rev().filter(|group| changes.changed.contains(group)) {
        session.client()?.add_group(group)?;
        session.print(format_args!("{group}: updated process group"));
    }
    for group in &changes.added {
        session.client()?.add_group(group)?;
        session.print(format_args!("{group}: added process group"));
    }
    Ok(())
}

fn replace(client: &mut Client, group: &str) -> Result<(), ClientError> {
    client.remove_group(group)?;
    client.add_group(group)
}
