//! `reload`: of programs, which read their configurations again, or of the daemon.

use supervisord_wire::fault::FaultCode;
use supervisord_wire::name::{Namespec, namespec};

use super::daemon;
use super::verb::{Flow, Invocation};
use crate::client::{ClientError, Outcome};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// What stands before the reason of a fault of this kind.
const FAILED: &str = "FAILED: ";

/// Reloads the named programs; without a name, the daemon begins again.
pub(super) fn reload(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if invocation.words.is_empty() {
        return daemon::reload(session, invocation);
    }
    for name in &invocation.words {
        match session.client()?.reload_process(name) {
            Ok(outcomes) => outcomes.iter().for_each(|outcome| report(session, outcome)),
            Err(ClientError::Fault(fault)) if fault.is(FaultCode::BadName) => {
                session.hints.push(HintRequest::unknown(name, ExpectedName::ProcessOrGroup));
                let Namespec { group, process } = Namespec::parse(name);
                report(session, &Outcome::refused(&group, process.as_deref().unwrap_or("*"), fault));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Flow::Continue)
}

fn report(session: &mut Session, outcome: &Outcome) {
    let name = namespec(&outcome.group, &outcome.name);
    let (reason, status) = match outcome.code() {
        Some(FaultCode::Success) => return session.print(format_args!("{name}: reloaded")),
        Some(FaultCode::BadName) => ("no such process", status::GENERIC),
        Some(FaultCode::NotRunning) => ("not running", status::NOT_RUNNING),
        _ => (outcome.description.strip_prefix(FAILED).unwrap_or(&outcome.description), status::GENERIC),
    };
    session.fail(status, format_args!("{name}: ERROR ({reason})"));
}
