//! `fg`: a process as if it ran in this terminal.

use std::time::Duration;

use supervisord_wire::fault::FaultCode;
use supervisord_wire::state::ProcessState;

use super::follow::{HOW_TO_LEAVE, Happening, Happenings, Log};
use super::{Flow, Request};
use crate::client::{Channel, ClientError};
use crate::doubts::{Doubt, Wanted};
use crate::failure::{Failure, fault};
use crate::session::Session;
use crate::status;

/// How often to look whether the process still runs.
const LOOK: Duration = Duration::from_secs(1);

/// Shows the output of a process and sends it what is typed, until Ctrl-C or the end of the input or the process.
pub(super) fn fg(session: &mut Session, request: &Request<'_>) -> Result<Flow, Failure> {
    match request.words.as_slice() {
        [] => request.misuse(session, status::GENERIC, "ERROR: no process name supplied"),
        [name] if is_ready(session, name)? => converse(session, name)?,
        [_] => {}
        _ => session.fail(status::GENERIC, "ERROR: too many process names supplied"),
    }
    Ok(Flow::Continue)
}

fn is_ready(session: &mut Session, name: &str) -> Result<bool, Failure> {
    match session.client()?.process_info(name) {
        Ok(info) if info.state == ProcessState::Running => return Ok(true),
        Ok(_) => session.fail(status::GENERIC, "ERROR: process not running"),
        Err(error) if error.is_fault(FaultCode::BadName) => {
            session.fail(status::GENERIC, "ERROR: bad process name supplied");
            session.doubts.push(Doubt::unknown(name, Wanted::Process));
        }
        Err(ClientError::Fault(refusal)) => session.say(format_args!("ERROR: {}", fault(&refusal))),
        Err(error) => return Err(error.into()),
    }
    Ok(false)
}

fn converse(session: &mut Session, name: &str) -> Result<(), Failure> {
    session.say(HOW_TO_LEAVE);
    let happenings = Happenings::new(session)?;
    let mut streams = Vec::new();
    for channel in [Channel::Stdout, Channel::Stderr] {
        if let Some(stream) = (Log::Process { name, channel }).open(session)? {
            streams.push(happenings.follow(stream, session.console.log_filter())?);
        }
    }
    let sender = happenings.sender();
    let typing = session.input.watch(move |line| {
        let happening = line.map_or(Happening::InputEnded, Happening::Line);
        sender.send(happening).is_ok()
    })?;
    let end = relay(session, name, &happenings);
    // Nobody listens from here on, so that the threads that still report can end.
    drop((streams, happenings));
    session.input.resume(typing);
    if end? == End::ProcessGone {
        session.say("Process got killed");
    }
    session.say("Exiting foreground");
    Ok(())
}

/// Why a conversation is over.
#[derive(PartialEq, Eq)]
enum End {
    /// Somebody wanted it to be.
    Wanted,
    /// The process does not run any more.
    ProcessGone,
}

fn relay(session: &mut Session, name: &str, happenings: &Happenings) -> Result<End, Failure> {
    loop {
        match happenings.next(Some(LOOK)) {
            Happening::Piece(bytes) => session.console.raw(&bytes),
            Happening::Line(line) => {
                if let Some(end) = send(session, name, &line)? {
                    return Ok(end);
                }
            }
            Happening::Interrupted | Happening::InputEnded => return Ok(End::Wanted),
            Happening::StreamEnded => {}
            Happening::Nothing => {
                if !is_running(session, name)? {
                    return Ok(End::ProcessGone);
                }
            }
        }
    }
}

fn send(session: &mut Session, name: &str, line: &str) -> Result<Option<End>, Failure> {
    match session.client()?.send_stdin(name, &format!("{line}\n")) {
        Ok(()) => Ok((!is_running(session, name)?).then_some(End::ProcessGone)),
        Err(ClientError::Fault(refusal)) if refusal.is(FaultCode::NotRunning) => Ok(Some(End::ProcessGone)),
        Err(ClientError::Fault(refusal)) => {
            session.say(format_args!("ERROR: {}", fault(&refusal)));
            Ok(Some(End::Wanted))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_running(session: &mut Session, name: &str) -> Result<bool, Failure> {
    Ok(session.client()?.process_info(name)?.state == ProcessState::Running)
}
