//! `tail` and `maintail`: the end of a log, once or followed.

use supervisord_config::pyrepr::repr;
use supervisord_wire::fault::FaultCode;

use super::follow::{self, Log};
use super::verb::{Flow, Invocation};
use crate::client::{Channel, ClientError};
use crate::failure::Failure;
use crate::hints::HintRequest;
use crate::line;
use crate::session::Session;
use crate::status;

/// The default size of the shown part, in bytes from the end.
const DEFAULT_BYTES: i64 = 1600;

/// Which part of a log to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// `-f`.
    Follow,
    /// `-N`: N bytes from the end.
    Last(i64),
}

impl Extent {
    /// Parses `-f`, `-100`, or nothing. `-0` means everything, and `--5` means everything but the first five bytes,
    /// because the daemon takes non-negative offsets from the beginning.
    fn parse(modifier: Option<&str>) -> Option<Extent> {
        match modifier {
            None => Some(Extent::Last(DEFAULT_BYTES)),
            Some("-f") => Some(Extent::Follow),
            Some(modifier) => line::number(modifier.strip_prefix('-')?).map(Extent::Last),
        }
    }
}

/// The log of a process.
pub(super) fn tail(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let Some((modifier, name, channel)) = tail_arguments(session, invocation) else {
        return Ok(Flow::Continue);
    };
    match Extent::parse(modifier) {
        None => session.fail(status::GENERIC, bad_argument(modifier)),
        Some(Extent::Follow) => follow::follow(session, &Log::Process { name, channel })?,
        Some(Extent::Last(bytes)) => {
            let log = session.client()?.read_log(name, channel, bytes.saturating_neg(), 0);
            if matches!(log, Err(ClientError::Fault(_))) {
                session.hints.push(HintRequest::no_log(name, channel));
            }
            show(session, name, log, &[REFUSALS.as_slice(), &[UNKNOWN_PROCESS]].concat())?;
        }
    }
    Ok(Flow::Continue)
}

/// Modifier, name and channel; prints an error if they are invalid.
fn tail_arguments<'a>(
    session: &mut Session,
    invocation: &'a Invocation<'_>,
) -> Option<(Option<&'a str>, &'a str, Channel)> {
    let words = invocation.words.as_slice();
    match words.len() {
        0 => invocation.misuse(session, status::GENERIC, "Error: too few arguments"),
        1..=3 => {}
        _ => invocation.misuse(session, status::GENERIC, "Error: too many arguments"),
    }
    if !(1..=3).contains(&words.len()) {
        return None;
    }
    let (modifier, names) = match words {
        [modifier, names @ ..] if modifier.starts_with('-') => (Some(*modifier), names),
        names => (None, names),
    };
    let (name, channel) = match names {
        [] => {
            session.fail(status::GENERIC, "Error: tail requires process name");
            return None;
        }
        [name] => return Some((modifier, name, Channel::Stdout)),
        [name, .., channel] => (name, channel.to_lowercase()),
    };
    let Some(channel) = Channel::from_name(&channel) else {
        session.fail(status::GENERIC, format_args!("Error: bad channel {}", repr(&channel)));
        return None;
    };
    Some((modifier, name, channel))
}

/// The log of the daemon.
pub(super) fn maintail(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let modifier = match invocation.words.as_slice() {
        [] => None,
        [modifier] => Some(*modifier),
        _ => {
            invocation.misuse(session, status::GENERIC, "Error: too many arguments");
            return Ok(Flow::Continue);
        }
    };
    match Extent::parse(modifier) {
        None => session.fail(status::GENERIC, bad_argument(modifier)),
        Some(Extent::Follow) => follow::follow(session, &Log::Main)?,
        Some(Extent::Last(bytes)) => {
            let log = session.client()?.read_main_log(bytes.saturating_neg(), 0);
            show(session, "supervisord", log, &REFUSALS)?;
        }
    }
    Ok(Flow::Continue)
}

fn bad_argument(modifier: Option<&str>) -> String {
    format!("Error: bad argument {}", modifier.unwrap_or_default())
}

/// The messages for logs that cannot be shown.
const REFUSALS: [(FaultCode, &str); 2] =
    [(FaultCode::NoFile, "no log file"), (FaultCode::Failed, "unknown error reading log")];

const UNKNOWN_PROCESS: (FaultCode, &str) = (FaultCode::BadName, "no such process name");

fn show(
    session: &mut Session,
    name: &str,
    log: Result<String, ClientError>,
    refusals: &[(FaultCode, &str)],
) -> Result<(), Failure> {
    let error = match log {
        Ok(text) => {
            session.console.log(&text);
            return Ok(());
        }
        Err(error) => error,
    };
    match refusals.iter().find(|(code, _)| error.is_fault(*code)) {
        Some((_, reason)) => session.fail(status::GENERIC, format_args!("{name}: ERROR ({reason})")),
        None => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents() {
        let cases = [
            (None, Some(Extent::Last(1600))),
            (Some("-f"), Some(Extent::Follow)),
            (Some("-100"), Some(Extent::Last(100))),
            (Some("-0"), Some(Extent::Last(0))),
            (Some("--5"), Some(Extent::Last(-5))),
            (Some("-"), None),
            (Some("-x"), None),
            (Some("5"), None),
            (Some("x"), None),
        ];
        for (modifier, expected) in cases {
            assert_eq!(Extent::parse(modifier), expected, "{modifier:?}");
        }
    }
}
