//! `start`, `stop`, `restart`, `signal` and `clear`: the same request for one process, a group or all.

use supervisord_wire::fault::FaultCode;
use supervisord_wire::name::{Namespec, namespec};

use super::selection::expanded;
use super::start_progress::StartProgress;
use super::verb::{Flow, Invocation};
use crate::client::{Client, ClientError, Outcome};
use crate::failure::Failure;
use crate::hints::{ExpectedName, HintRequest};
use crate::session::Session;
use crate::status;

/// A request for one process, a group or all processes.
#[derive(Clone, Copy)]
enum Operation<'a> {
    Start,
    Stop,
    /// The signal's name or number.
    Signal(&'a str),
    /// This request is not available for groups.
    Clear,
}

/// Why a program could not be started, where the daemon says that behind its name: `SPAWN_ERROR: NAME: REASON`. The original
/// does not.
fn stated_reason(outcome: &Outcome) -> Option<&str> {
    let is_about_start = matches!(outcome.code(), Some(FaultCode::AbnormalTermination | FaultCode::SpawnError));
    let (_, named) = outcome.description.split_once(": ").filter(|_| is_about_start)?;
    named.split_once(": ").map(|(_, reason)| reason)
}

/// How outcomes are reported.
#[derive(Clone, Copy)]
pub(super) struct Wording {
    /// The word for success.
    done: &'static str,
    /// A fault that counts as success.
    already: Option<FaultCode>,
    /// The exit status for an unknown group.
    no_such_group: u8,
    /// The messages for known faults.
    refusals: &'static [(FaultCode, &'static str)],
    /// A fault that is reported with its own text.
    verbatim: Option<FaultCode>,
}

const STARTED: Wording = Wording {
    done: "started",
    already: Some(FaultCode::AlreadyStarted),
    no_such_group: status::INVALID_ARGUMENTS,
    refusals: &[
        (FaultCode::BadName, "no such process"),
        (FaultCode::NoFile, "no such file"),
        (FaultCode::NotExecutable, "file is not executable"),
        (FaultCode::AlreadyStarted, "already started"),
        (FaultCode::SpawnError, "spawn error"),
        (FaultCode::AbnormalTermination, "abnormal termination"),
    ],
    verbatim: None,
};

pub(super) const STOPPED: Wording = Wording {
    done: "stopped",
    already: Some(FaultCode::NotRunning),
    no_such_group: status::GENERIC,
    refusals: &[(FaultCode::BadName, "no such process"), (FaultCode::NotRunning, "not running")],
    verbatim: Some(FaultCode::Failed),
};

const SIGNALLED: Wording = Wording {
    done: "signalled",
    already: None,
    no_such_group: status::GENERIC,
    refusals: &[
        (FaultCode::BadName, "no such process"),
        (FaultCode::BadSignal, "bad signal name"),
        (FaultCode::NotRunning, "not running"),
    ],
    verbatim: Some(FaultCode::Failed),
};

const CLEARED: Wording = Wording {
    done: "cleared",
    already: None,
    no_such_group: status::GENERIC,
    refusals: &[(FaultCode::BadName, "no such process"), (FaultCode::Failed, "failed")],
    verbatim: None,
};

/// Starts processes and waits until they run.
pub(super) fn start(session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
    let _progress = StartProgress::begin(session, names);
    Operation::Start.run(session, names)
}

/// Stops processes and waits until they have ended.
pub(super) fn stop(session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
    Operation::Stop.run(session, names)
}

/// Stops all named processes, then starts them.
pub(super) fn restart(session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
    // The states are those of before the stop.
    let names = expanded(session, names)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Operation::Stop.run_named(session, &names)?;
    let _progress = StartProgress::begin(session, &names);
    Operation::Start.run_named(session, &names)
}

/// Sends a signal: the first argument is its name or number.
pub(super) fn signal(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    match invocation.words.as_slice() {
        [signal, names @ ..] if !names.is_empty() => Operation::Signal(signal).run(session, names),
        _ => {
            let text = "Error: signal requires a signal name and a process name";
            invocation.misuse(session, status::GENERIC, text);
            Ok(Flow::Continue)
        }
    }
}

/// Clears logs.
pub(super) fn clear(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    Operation::Clear.run(session, &invocation.words)
}

impl Operation<'_> {
    fn run(self, session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
        let names = expanded(session, names)?;
        self.run_named(session, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Without selectors.
    fn run_named(self, session: &mut Session, names: &[&str]) -> Result<Flow, Failure> {
        if names.contains(&"all") {
            let outcomes = self.ask_for_all(session.client()?)?;
            self.wording().report(session, &outcomes)?;
        } else {
            for name in names {
                self.run_one(session, name)?;
            }
        }
        Ok(Flow::Continue)
    }

    fn run_one(self, session: &mut Session, name: &str) -> Result<(), Failure> {
        let Namespec { group, process } = Namespec::parse(name);
        if process.is_none()
            && let Some(answer) = self.ask_for_group(session.client()?, &group)
        {
            return self.report_group(session, &group, answer);
        }
        let process = process.as_deref().unwrap_or("*");
        let wanted = if self.takes_groups() { ExpectedName::ProcessOrGroup } else { ExpectedName::Process };
        let outcome = match self.ask_for_one(session.client()?, name) {
            Ok(()) => Outcome::success(&group, process),
            Err(ClientError::Fault(fault)) => {
                if fault.is(FaultCode::BadName) {
                    session.hints.push(HintRequest::unknown(name, wanted));
                }
                Outcome::refused(&group, process, fault)
            }
            Err(error) => return Err(error.into()),
        };
        self.wording().report(session, &[outcome])
    }

    fn report_group(
        self,
        session: &mut Session,
        group: &str,
        answer: Result<Vec<Outcome>, ClientError>,
    ) -> Result<(), Failure> {
        match answer {
            Ok(outcomes) => self.wording().report(session, &outcomes),
            Err(error) if error.is_fault(FaultCode::BadName) => {
                session.fail(self.wording().no_such_group, format_args!("{group}: ERROR (no such group)"));
                session.hints.push(HintRequest::unknown(&format!("{group}:*"), ExpectedName::ProcessOrGroup));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ask_for_one(self, client: &mut Client, name: &str) -> Result<(), ClientError> {
        match self {
            Operation::Start => client.start_process(name, true),
            Operation::Stop => client.stop_process(name, true),
            Operation::Signal(signal) => client.signal_process(name, signal),
            Operation::Clear => client.clear_logs(name),
        }
    }

    fn takes_groups(self) -> bool {
        !matches!(self, Operation::Clear)
    }

    /// None if groups cannot be addressed.
    fn ask_for_group(self, client: &mut Client, group: &str) -> Option<Result<Vec<Outcome>, ClientError>> {
        match self {
            Operation::Start => Some(client.start_group(group, true)),
            Operation::Stop => Some(client.stop_group(group, true)),
            Operation::Signal(signal) => Some(client.signal_group(group, signal)),
            Operation::Clear => None,
        }
    }

    fn ask_for_all(self, client: &mut Client) -> Result<Vec<Outcome>, ClientError> {
        match self {
            Operation::Start => client.start_all(true),
            Operation::Stop => client.stop_all(true),
            Operation::Signal(signal) => client.signal_all(signal),
            Operation::Clear => client.clear_all_logs(),
        }
    }

    fn wording(self) -> Wording {
        match self {
            Operation::Start => STARTED,
            Operation::Stop => STOPPED,
            Operation::Signal(_) => SIGNALLED,
            Operation::Clear => CLEARED,
        }
    }
}

/// Explains on a terminal why a process could not be started, and which log has more information.
fn explain(session: &mut Session, outcome: &Outcome) {
    if !session.console.explains() {
        return;
    }
    let name = namespec(&outcome.group, &outcome.name);
    match outcome.code() {
        Some(FaultCode::NoFile | FaultCode::NotExecutable) => {
            let (_, reason) = outcome.description.split_once(": ").unwrap_or_default();
            session.console.explain(format_args!("{name}: {reason}"));
        }
        Some(_) if stated_reason(outcome).is_some() => {}
        Some(FaultCode::SpawnError | FaultCode::AbnormalTermination) => {
            // A daemon without the JSON API, such as the original, knows no more than the spawn error.
            let program = session.client().and_then(|client| client.program(&outcome.group, &outcome.name));
            if let Some(reason) = program.ok().flatten().and_then(|program| program.reason) {
                return session.console.explain(format_args!("{name}: {reason} (supervisorctl why {name})"));
            }
            let Ok(info) = session.client().and_then(|client| client.process_info(&name)) else { return };
            let reason = info.spawnerr;
            match (reason.starts_with("Exited too quickly"), info.stderr_logfile.is_empty()) {
                (true, true) => session.console.explain(format_args!("{name}: {reason}: tail {name}")),
                (true, false) => session.console.explain(format_args!("{name}: {reason}: tail {name} stderr")),
                (false, _) => session.console.explain(format_args!("{name}: {reason}")),
            }
        }
        _ => {}
    }
}

impl Wording {
    pub(super) fn report(&self, session: &mut Session, outcomes: &[Outcome]) -> Result<(), Failure> {
        for outcome in outcomes {
            let line = self.line(outcome)?;
            session.print(line);
            explain(session, outcome);
            if let Some(status) = self.exit_status(outcome) {
                session.set_exit_status(status);
            }
        }
        Ok(())
    }

    fn line(&self, outcome: &Outcome) -> Result<String, Failure> {
        let name = namespec(&outcome.group, &outcome.name);
        let code = outcome.code();
        if code == Some(FaultCode::Success) {
            return Ok(format!("{name}: {}", self.done));
        }
        if code.is_some() && code == self.verbatim {
            return Ok(outcome.description.clone());
        }
        // That says more than that it does not run.
        if let Some(reason) = stated_reason(outcome) {
            return Ok(format!("{name}: ERROR ({reason})"));
        }
        match self.refusals.iter().find(|(refusal, _)| code == Some(*refusal)) {
            Some((_, words)) => Ok(format!("{name}: ERROR ({words})")),
            None => Err(Failure::UnknownResult { code: outcome.status, name }),
        }
    }

    /// The exit status of an outcome; none to leave it unchanged.
    fn exit_status(&self, outcome: &Outcome) -> Option<u8> {
        match outcome.code() {
            Some(FaultCode::Success) => None,
            code if code.is_some() && code == self.already => None,
            Some(FaultCode::AbnormalTermination | FaultCode::SpawnError | FaultCode::NotRunning) => {
                Some(status::NOT_RUNNING)
            }
            _ => Some(status::GENERIC),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: i64) -> Outcome {
        Outcome { name: "p".into(), group: "g".into(), status: code, description: "FAILED: x".into() }
    }

    fn seen(wording: Wording, code: i64) -> (String, Option<u8>) {
        (wording.line(&outcome(code)).unwrap(), wording.exit_status(&outcome(code)))
    }

    #[test]
    fn start_has_messages_for_its_faults() {
        let expected = [
            (80, "g:p: started", None),
            (60, "g:p: ERROR (already started)", None),
            (10, "g:p: ERROR (no such process)", Some(1)),
            (20, "g:p: ERROR (no such file)", Some(1)),
            (21, "g:p: ERROR (file is not executable)", Some(1)),
            (50, "g:p: ERROR (spawn error)", Some(7)),
            (40, "g:p: ERROR (abnormal termination)", Some(7)),
        ];
        for (code, line, status) in expected {
            assert_eq!(seen(STARTED, code), (line.to_owned(), status));
        }
        assert!(STARTED.line(&outcome(30)).is_err());
        assert!(STARTED.line(&outcome(4711)).is_err());
    }

    #[test]
    fn a_start_that_waits_in_vain_says_for_what() {
        let description = "ABNORMAL_TERMINATION: g:p: waiting for db to be ready (db is FATAL)".to_owned();
        let outcome = Outcome { description, ..outcome(40) };
        assert_eq!(STARTED.line(&outcome).unwrap(), "g:p: ERROR (waiting for db to be ready (db is FATAL))");
        assert_eq!(STARTED.exit_status(&outcome), Some(7));
        for (code, word) in [(40, "ABNORMAL_TERMINATION"), (50, "SPAWN_ERROR")] {
            let description = format!("{word}: p: not ready within 90s (fd:3)");
            let outcome = Outcome { description, ..self::outcome(code) };
            assert_eq!(STARTED.line(&outcome).unwrap(), "g:p: ERROR (not ready within 90s (fd:3))");
            assert_eq!(STARTED.exit_status(&outcome), Some(7));
        }
    }

    #[test]
    fn stop_and_signal_differ_for_stopped_processes() {
        assert_eq!(seen(STOPPED, 70), ("g:p: ERROR (not running)".into(), None));
        assert_eq!(seen(SIGNALLED, 70), ("g:p: ERROR (not running)".into(), Some(7)));
    }

    #[test]
    fn a_failed_stop_is_reported_by_the_daemons_text() {
        assert_eq!(seen(STOPPED, 30), ("FAILED: x".into(), Some(1)));
        assert_eq!(seen(CLEARED, 30), ("g:p: ERROR (failed)".into(), Some(1)));
    }
}
