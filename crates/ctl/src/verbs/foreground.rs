//! `fg`: connects the terminal to a process.

use std::time::Duration;

use supervisord_wire::fault::FaultCode;
use supervisord_wire::state::ProcessState;

use super::follow::{ForegroundEvent, ForegroundEvents, HOW_TO_LEAVE, Log};
use super::verb::{Flow, Invocation};
use crate::client::{Channel, ClientError};
use crate::failure::{Failure, fault};
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// How often to check whether the process still runs.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Prints the output of a process and sends the input to it, until Ctrl-C, the end of the input or the end of the
/// process.
pub(super) fn fg(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    match invocation.words.as_slice() {
        [] => invocation.misuse(session, status::GENERIC, "ERROR: no process name supplied"),
        [name] if is_ready(session, name)? => run_foreground(session, name)?,
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
            session.hints.push(HintRequest::unknown(name, ExpectedName::Process));
        }
        Err(ClientError::Fault(refusal)) => session.print(format_args!("ERROR: {}", fault(&refusal))),
        Err(error) => return Err(error.into()),
    }
    Ok(false)
}

fn run_foreground(session: &mut Session, name: &str) -> Result<(), Failure> {
    session.print(HOW_TO_LEAVE);
    let events = ForegroundEvents::new(session)?;
    let mut streams = Vec::new();
    for channel in [Channel::Stdout, Channel::Stderr] {
        if let Some(stream) = (Log::Process { name, channel }).open(session)? {
            streams.push(events.follow(stream, session.console.log_filter())?);
        }
    }
    let sender = events.sender();
    let typing = session.input.watch(move |line| {
        let event = line.map_or(ForegroundEvent::InputEnded, ForegroundEvent::Line);
        sender.send(event).is_ok()
    })?;
    let end = relay(session, name, &events);
    // Drops the receiver, so that the sending threads can end.
    drop((streams, events));
    session.input.resume(typing);
    if end? == ForegroundEnd::ProcessGone {
        session.print("Process got killed");
    }
    session.print("Exiting foreground");
    Ok(())
}

/// Why `fg` ended.
#[derive(PartialEq, Eq)]
enum ForegroundEnd {
    /// The user or the end of the input ended it.
    Wanted,
    /// The process does not run any more.
    ProcessGone,
}

fn relay(session: &mut Session, name: &str, events: &ForegroundEvents) -> Result<ForegroundEnd, Failure> {
    loop {
        match events.next(Some(POLL_INTERVAL)) {
            ForegroundEvent::Chunk(bytes) => session.console.raw(&bytes),
            ForegroundEvent::Line(line) => {
                if let Some(end) = send(session, name, &line)? {
                    return Ok(end);
                }
            }
            ForegroundEvent::Interrupted | ForegroundEvent::InputEnded => return Ok(ForegroundEnd::Wanted),
            ForegroundEvent::StreamEnded => {}
            ForegroundEvent::Timeout => {
                if !is_running(session, name)? {
                    return Ok(ForegroundEnd::ProcessGone);
                }
            }
        }
    }
}

fn send(session: &mut Session, name: &str, line: &str) -> Result<Option<ForegroundEnd>, Failure> {
    match session.client()?.send_stdin(name, &format!("{line}\n")) {
        Ok(()) => Ok((!is_running(session, name)?).then_some(ForegroundEnd::ProcessGone)),
        Err(ClientError::Fault(refusal)) if refusal.is(FaultCode::NotRunning) => Ok(Some(ForegroundEnd::ProcessGone)),
        Err(ClientError::Fault(refusal)) => {
            session.print(format_args!("ERROR: {}", fault(&refusal)));
            Ok(Some(ForegroundEnd::Wanted))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_running(session: &mut Session, name: &str) -> Result<bool, Failure> {
    Ok(session.client()?.process_info(name)?.state == ProcessState::Running)
}
