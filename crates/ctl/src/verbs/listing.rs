//! `status`, `avail` and `pid`: lists of processes.

use serde_json::{Value, json};
use supervisord_wire::fault::FaultCode;
use supervisord_wire::info::{ConfigInfo, ProcessInfo};

use super::selection::{expanded, matching, selected, without_tags};
use super::verb::{Flow, Invocation};
use super::watch::{WATCH, watch};
use super::wide::{self, print_json};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::render;
use crate::session::Session;
use crate::status;

/// Prints the states of all processes, or of the named ones.
pub(super) fn status(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let is_option = |word: &&&str| [wide::WIDE, wide::JSON, WATCH].contains(word);
    let (options, names): (Vec<&str>, Vec<&str>) = invocation.words.iter().partition(is_option);
    if options.contains(&WATCH) {
        return watch_status(session, options.contains(&wide::WIDE), &names);
    }
    if let Some(option) = options.iter().max_by_key(|option| **option == wide::JSON) {
        return wide::status(session, option, &names);
    }
    let names = without_tags(session, &names)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let infos = session.client()?.all_process_info()?;
    let listed = selected(session, &infos, &names).processes;
    if listed.iter().any(|info| info.state.is_stopped()) {
        session.set_exit_status(status::STATUS_NOT_RUNNING);
    }
    session.console.raw(table(session, &listed).as_bytes());
    Ok(Flow::Continue)
}

fn table(session: &Session, infos: &[&ProcessInfo]) -> String {
    render::status(infos, session.console.colour(), |text| session.console.printable(text))
}

/// Shows the states until Ctrl-C. The exit status says only whether all names are known.
fn watch_status(session: &mut Session, is_wide: bool, names: &[&str]) -> Result<Flow, Failure> {
    let names = &without_tags(session, names)?;
    let names: &[&str] = &names.iter().map(String::as_str).collect::<Vec<_>>();
    let infos = session.client()?.all_process_info()?;
    if selected(session, &infos, names).is_complete {
        watch(session, |session| {
            if is_wide {
                let programs = session.client()?.programs()?;
                return Ok(wide::table(session, &matching(&programs, names).processes));
            }
            let infos = session.client()?.all_process_info()?;
            Ok(table(session, &matching(&infos, names).processes))
        })?;
    }
    Ok(Flow::Continue)
}

/// Prints all configured processes.
pub(super) fn avail(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    match session.client()?.all_config_info() {
        Ok(infos) if !invocation.words.is_empty() => {
            let program = |info: &ConfigInfo| {
                json!({
                    "group": info.group,
                    "name": info.name,
                    "in_use": info.in_use,
                    "autostart": info.autostart,
                    "group_priority": info.group_priority,
                    "process_priority": info.process_priority,
                })
            };
            print_json(session, &json!({ "programs": infos.iter().map(program).collect::<Vec<Value>>() }));
        }
        Ok(infos) => {
            let text = render::avail(&infos);
            session.console.raw(session.console.printable(&text).into_owned().as_bytes());
        }
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail(status::GENERIC, "ERROR: supervisor shutting down");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Flow::Continue)
}

/// Prints the process id of the daemon, of all processes or of the named ones.
pub(super) fn pid(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let (options, names): (Vec<&str>, Vec<&str>) = invocation.words.iter().partition(|word| **word == wide::JSON);
    if !options.is_empty() {
        return pid_json(session, &names);
    }
    if invocation.words.is_empty() {
        let pid = session.client()?.pid()?;
        session.print(pid);
    } else if invocation.means_all() {
        for info in session.client()?.all_process_info()? {
            session.print(info.pid);
        }
    } else {
        for name in expanded(session, &invocation.words)? {
            pid_of(session, &name)?;
        }
    }
    Ok(Flow::Continue)
}

/// The process id of the daemon, or of processes, which is null where there is none.
fn pid_json(session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
    if names.is_empty() {
        let pid = session.client()?.pid()?;
        print_json(session, &json!({ "pid": pid }));
        return Ok(Flow::Continue);
    }
    let names = without_tags(session, names)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let infos = session.client()?.all_process_info()?;
    let processes = selected(session, &infos, &names).processes;
    let pid = |info: &&ProcessInfo| json!({ "group": info.group, "name": info.name, "pid": Some(info.pid).filter(|pid| *pid != 0) });
    print_json(session, &json!({ "programs": processes.iter().map(pid).collect::<Vec<Value>>() }));
    Ok(Flow::Continue)
}

fn pid_of(session: &mut Session, name: &str) -> Result<(), Failure> {
    match session.client()?.process_info(name) {
        Ok(info) if info.pid == 0 => session.fail(status::NOT_RUNNING, 0),
        Ok(info) => session.print(info.pid),
        Err(error) if error.is_fault(FaultCode::BadName) => {
            session.fail(status::GENERIC, format_args!("No such process {name}"));
            session.hints.push(HintRequest::unknown(name, ExpectedName::Process));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
