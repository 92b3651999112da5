//! `version`, `reload`, `shutdown`, `open` and the ways to leave.

use std::io::ErrorKind;

use serde_json::{Value, json};
use supervisord_wire::SUPERVISOR_VERSION;
use supervisord_wire::fault::FaultCode;

use super::verb::{Flow, Invocation};
use super::wide::{JSON, print_json};
use crate::failure::Failure;
use crate::session::Session;
use crate::settings::UrlSource;
use crate::status;

/// Leaves the shell; outside of it, just prints an empty line.
pub(super) fn leave(session: &mut Session, _: &Invocation<'_>) -> Result<Flow, Failure> {
    session.print("");
    Ok(Flow::Leave)
}

pub(super) const LONG: &str = "--long";

/// The version of the daemon: that of the original which it is like, or all versions there are.
pub(super) fn version(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if invocation.words.is_empty() {
        let version = session.client()?.supervisor_version()?;
        session.print(version);
        return Ok(Flow::Continue);
    }
    let daemon = match session.client()?.daemon() {
        Ok(daemon) => daemon,
        // The original has one version.
        Err(error) if error.is_status(404) => json!({ "supervisor_version": session.client()?.supervisor_version()? }),
        Err(error) => return Err(error.into()),
    };
    let own = env!("CARGO_PKG_VERSION");
    if invocation.words.contains(&JSON) {
        print_json(session, &json!({ "supervisord": daemon, "supervisorctl": { "version": own } }));
        return Ok(Flow::Continue);
    }
    let text = |member: &str| daemon.get(member).and_then(Value::as_str);
    let compatible = text("supervisor_version").unwrap_or("?");
    session.print(match text("version") {
        Some(version) => format!("supervisord {version}, compatible with Supervisor {compatible}"),
        None => format!("supervisord of Supervisor {compatible}"),
    });
    session.print(format_args!("supervisorctl {own}, compatible with Supervisor {SUPERVISOR_VERSION}"));
    Ok(Flow::Continue)
}

/// Restarts the daemon in place.
pub(super) fn reload(session: &mut Session, _: &Invocation<'_>) -> Result<Flow, Failure> {
    if !session.confirm("Really restart the remote supervisord process y/N? ")? {
        return Ok(Flow::Continue);
    }
    match session.client()?.restart() {
        Ok(()) => session.print("Restarted supervisord"),
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail(status::GENERIC, "ERROR: already shutting down");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Flow::Continue)
}

/// Replaces the running daemon by the program that is now on disk.
pub(super) fn upgrade(session: &mut Session, _: &Invocation<'_>) -> Result<Flow, Failure> {
    match session.client()?.upgrade() {
        Ok(()) => session.print("Upgraded supervisord"),
        Err(error) if error.is_fault(FaultCode::Failed) => {
            session.fail(status::GENERIC, format_args!("ERROR: {error}"))
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Flow::Continue)
}

/// Shuts the daemon down.
pub(super) fn shutdown(session: &mut Session, _: &Invocation<'_>) -> Result<Flow, Failure> {
    if !session.confirm("Really shut the remote supervisord process down y/N? ")? {
        return Ok(Flow::Continue);
    }
    let Err(error) = session.client()?.shutdown() else {
        session.print("Shut down");
        return Ok(Flow::Continue);
    };
    if error.is_fault(FaultCode::ShutdownState) {
        session.print("ERROR: already shutting down");
        return Ok(Flow::Continue);
    }
    let reason = match error.connect_kind() {
        Some(ErrorKind::ConnectionRefused) => "refused connection",
        Some(ErrorKind::NotFound) => "no such file",
        _ => return Err(error.into()),
    };
    let url = session.settings.server_url.clone();
    session.fail(status::GENERIC, format_args!("ERROR: {url} {reason} (already shut down?)"));
    session.explain(&error);
    Ok(Flow::Continue)
}

/// Switches to another daemon and prints its status, which does not change the exit status.
pub(super) fn open(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let scheme = invocation.argument.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https" | "unix")) {
        session.fail(status::GENERIC, "ERROR: url must be http:// or unix://");
        return Ok(Flow::Continue);
    }
    session.settings.server_url = invocation.argument.to_owned();
    session.settings.url_source = UrlSource::Request;
    session.disconnect();
    let before = session.exit_status();
    let status = invocation.interpreter.find("status").expect("the table of actions has it");
    Invocation::new(invocation.interpreter, status, "").run(session)?;
    session.set_exit_status(before);
    Ok(Flow::Continue)
}
