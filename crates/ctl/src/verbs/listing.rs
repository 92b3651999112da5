//! `status`, `avail` and `pid`: lists of processes.

use supervisord_wire::fault::FaultCode;

use super::selection::selected;
use super::verb::{Flow, Invocation};
use super::wide;
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::render;
use crate::session::Session;
use crate::status;

/// Prints the states of all processes, or of the named ones.
pub(super) fn status(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let (options, names): (Vec<&str>, Vec<&str>) =
        invocation.words.iter().partition(|word| [wide::WIDE, wide::JSON].contains(word));
    if let Some(option) = options.iter().max_by_key(|option| **option == wide::JSON) {
        return wide::status(session, option, &names);
    }
    let infos = session.client()?.all_process_info()?;
    let listed = selected(session, &infos, &names);
    if listed.iter().any(|info| info.state.is_stopped()) {
        session.set_exit_status(status::STATUS_NOT_RUNNING);
    }
    let colour = session.console.colour();
    let text = render::status(&listed, colour, |text| session.console.printable(text));
    session.console.raw(text.as_bytes());
    Ok(Flow::Continue)
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
