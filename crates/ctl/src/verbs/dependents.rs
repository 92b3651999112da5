//! `start`, `stop` and `restart`, which with `--dependents` are also about all that depends on the named processes.

use std::collections::BTreeSet;

use supervisord_wire::fault::FaultCode;
use supervisord_wire::name::{Namespec, namespec};

use super::control::{self, STOPPED};
use super::selection::{expanded, programs, selected};
use super::start_progress::StartProgress;
use super::verb::{Flow, Invocation};
use crate::client::{ClientError, Outcome, ProgramStatus, StartResult};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// The word for it.
pub(super) const DEPENDENTS: &str = "--dependents";

/// What an action is about.
enum Concerned<'a> {
    /// The named processes, or all.
    Named(Vec<&'a str>),
    /// These, and what depends on them.
    WithDependents(Vec<&'a str>),
}

impl<'a> Concerned<'a> {
    /// None where no process is named, which has been said.
    fn of(session: &mut Session, invocation: &Invocation<'a>) -> Option<Concerned<'a>> {
        let (options, names): (Vec<&str>, Vec<&str>) = invocation.words.iter().partition(|word| **word == DEPENDENTS);
        if options.is_empty() || names.contains(&"all") {
            return Some(Concerned::Named(names));
        }
        if names.is_empty() {
            let text = format_args!("Error: {} --dependents requires a process name", invocation.verb.name);
            invocation.misuse(session, status::GENERIC, text);
            return None;
        }
        Some(Concerned::WithDependents(names))
    }
}

/// Starts processes and waits until they run.
pub(super) fn start(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let names = match Concerned::of(session, invocation) {
        Some(Concerned::Named(names)) => return control::start(session, &names),
        Some(Concerned::WithDependents(names)) => names,
        None => return Ok(Flow::Continue),
    };
    let Some(all) = programs(session, "start --dependents")? else { return Ok(Flow::Continue) };
    let named = selected(session, &all, &names).processes;
    start_programs(session, with_dependents(&all, named))
}

/// Stops processes, after what depends on them, and waits until they have ended.
pub(super) fn stop(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let names = match Concerned::of(session, invocation) {
        Some(Concerned::Named(names)) => return control::stop(session, &names),
        Some(Concerned::WithDependents(names)) => names,
        None => return Ok(Flow::Continue),
    };
    for name in expanded(session, &names)? {
        stop_with_dependents(session, &name)?;
    }
    Ok(Flow::Continue)
}

/// Stops all named processes, after what depends on them, then starts what was stopped and what was named.
pub(super) fn restart(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let names = match Concerned::of(session, invocation) {
        Some(Concerned::Named(names)) => return control::restart(session, &names),
        Some(Concerned::WithDependents(names)) => names,
        None => return Ok(Flow::Continue),
    };
    let Some(all) = programs(session, "restart --dependents")? else { return Ok(Flow::Continue) };
    let named: Vec<String> = selected(session, &all, &names).processes.iter().map(|named| named.namespec()).collect();
    let mut to_start = named.clone();
    for name in &named {
        // Another name may have stopped it already.
        if !to_start[named.len()..].contains(name) {
            to_start.extend(stop_with_dependents(session, name)?);
        }
    }
    start_programs(session, to_start)
}

/// Returns the names of those that were stopped.
fn stop_with_dependents(session: &mut Session, name: &str) -> Result<Vec<String>, Failure> {
    let outcomes = match session.client()?.stop_with_dependents(name, true) {
        Ok(outcomes) => outcomes,
        Err(ClientError::Fault(fault)) => {
            if fault.is(FaultCode::BadName) {
                session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
            }
            let Namespec { group, process } = Namespec::parse(name);
            vec![Outcome::refused(&group, process.as_deref().unwrap_or("*"), fault)]
        }
        Err(error) => return Err(error.into()),
    };
    STOPPED.report(session, &outcomes)?;
    let stopped = outcomes.iter().filter(|outcome| outcome.code() == Some(FaultCode::Success));
    Ok(stopped.map(|outcome| namespec(&outcome.group, &outcome.name)).collect())
}

/// The names of these programs, and of all that depend on them, directly or not.
fn with_dependents(all: &[ProgramStatus], named: Vec<&ProgramStatus>) -> Vec<String> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut reached: Vec<&ProgramStatus> = named;
    let mut seen = BTreeSet::new();
    while let Some(program) = reached.pop() {
        let (group, name) = (program.group.as_str(), program.name.as_str());
        if !seen.insert((group, name)) {
            continue;
        }
        names.push((group, name));
        reached
            .extend(all.iter().filter(|other| other.dependencies().any(|dependency| is_on(dependency, group, name))));
    }
    names.into_iter().map(|(group, name)| namespec(group, name)).collect()
}

/// Whether a dependency, `GROUP:NAME:CONDITION` with a star for all of a group, is on this program.
fn is_on(dependency: &str, group: &str, name: &str) -> bool {
    let mut parts = dependency.split(':');
    parts.next() == Some(group) && parts.next().is_some_and(|member| member == "*" || member == name)
}

fn start_programs(session: &mut Session, mut names: Vec<String>) -> Result<Flow, Failure> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    if names.is_empty() {
        return Ok(Flow::Continue);
    }
    let progress = StartProgress::begin(session, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let results = session.client()?.start_programs(&names)?;
    drop(progress);
    for result in &results {
        session.print(line(result));
        if !result.is_up {
            session.set_exit_status(status::NOT_RUNNING);
        }
    }
    Ok(Flow::Continue)
}

fn line(result: &StartResult) -> String {
    let name = namespec(&result.group, &result.name);
    match &result.detail {
        None => format!("{name}: started"),
        Some(_) if result.is_up => format!("{name}: ERROR (already started)"),
        Some(reason) => format!("{name}: ERROR ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::samples::program;

    fn depending(name: &str, on: &[&str]) -> ProgramStatus {
        let mut program = program(name, "STOPPED", "not_requested");
        program.json["dependencies"] = on.iter().map(|on| format!("{on}:ready")).collect::<Vec<_>>().into();
        program
    }

    #[test]
    fn whatever_depends_on_a_program_is_found_once() {
        let all = [
            depending("proxy", &["web:*", "cache:cache"]),
            depending("web", &["db:db"]),
            depending("cache", &["db:db"]),
            depending("db", &[]),
            depending("other", &["dbx:db"]),
        ];
        assert_eq!(with_dependents(&all, vec![&all[3]]), ["db", "cache", "proxy", "web"]);
        assert_eq!(with_dependents(&all, vec![&all[1], &all[0]]), ["proxy", "web"]);
        assert_eq!(with_dependents(&all, Vec::new()), Vec::<String>::new());
    }

    #[test]
    fn a_start_is_reported_like_any_other() {
        let result = |is_up, detail: Option<&str>| {
            let detail = detail.map(str::to_owned);
            line(&StartResult { group: "g".to_owned(), name: "p".to_owned(), is_up, detail })
        };
        assert_eq!(result(true, None), "g:p: started");
        assert_eq!(result(true, Some("g:p runs already")), "g:p: ERROR (already started)");
        assert_eq!(result(false, Some("waiting for db")), "g:p: ERROR (waiting for db)");
    }
}
