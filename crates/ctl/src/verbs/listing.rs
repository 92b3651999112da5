//! `status`, `avail` and `pid`: lists of processes.

use supervisord_wire::fault::FaultCode;
use supervisord_wire::info::ProcessInfo;
use supervisord_wire::name::Namespec;

use super::verb::{Flow, Invocation};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::render;
use crate::session::Session;
use crate::status;

/// Prints the states of all processes, or of the named ones.
pub(super) fn status(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let infos = session.client()?.all_process_info()?;
    let listed = if invocation.words.is_empty() || invocation.means_all() {
        infos.iter().collect()
    } else {
        named(session, &infos, &invocation.words)
    };
    if listed.iter().any(|info| info.state.is_stopped()) {
        session.set_exit_status(status::STATUS_NOT_RUNNING);
    }
    let colour = session.console.colour();
    let text = render::status(&listed, colour, |text| session.console.printable(text));
    session.console.raw(text.as_bytes());
    Ok(Flow::Continue)
}

/// The processes with these names, in order; prints unknown names.
fn named<'a>(session: &mut Session, infos: &'a [ProcessInfo], names: &[&str]) -> Vec<&'a ProcessInfo> {
    let mut listed = Vec::new();
    for name in names {
        let Namespec { group, process } = Namespec::parse(name);
        let matches = |info: &&ProcessInfo| info.group == group && process.as_ref().is_none_or(|p| *p == info.name);
        let before = listed.len();
        listed.extend(infos.iter().filter(matches));
        if listed.len() == before {
            let text = match process {
                Some(_) => format!("{name}: ERROR (no such process)"),
                None => format!("{group}: ERROR (no such group)"),
            };
            session.fail(status::STATUS_UNKNOWN, text);
            session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
        }
    }
    listed
}

/// Prints all configured processes.
pub(super) fn avail(session: &mut Session, _: &Invocation<'_>) -> Result<Flow, Failure> {
    match session.client()?.all_config_info() {
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
    if invocation.words.is_empty() {
        let pid = session.client()?.pid()?;
        session.print(pid);
    } else if invocation.means_all() {
        for info in session.client()?.all_process_info()? {
            session.print(info.pid);
        }
    } else {
        for name in &invocation.words {
            pid_of(session, name)?;
        }
    }
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
