//! Runs lines: finds the action of each, and reports what went wrong.

mod configuration;
mod control;
mod daemon;
mod dependents;
mod enablement;
mod event_filter;
mod events;
mod follow;
mod foreground;
mod health;
mod help;
mod listing;
mod log_history;
mod logs;
mod mcp;
mod merged_logs;
mod minimal;
mod plugins;
mod reload;
mod rolling;
mod scale;
mod selection;
mod start_progress;
mod table;
mod top;
mod update;
mod verb;
mod wait;
mod watch;
mod why;
mod wide;

use crate::failure::Failure;
use crate::hints;
use crate::line::{self, Line};
use crate::session::Session;
use crate::status;
pub use verb::{Completion, Flow};
use verb::{Interpreter, Invocation};
pub use wait::goals;

/// The interpreter of the actions of this program.
pub static INTERPRETER: Interpreter = Interpreter { verbs: &table::VERBS, perform };

/// Starts the plug-in process and creates the plug-ins of the configuration. The error is the text after `Error: `.
pub fn prepare_plugins(session: &mut Session) -> Result<(), String> {
    plugins::prepare(session, &INTERPRETER)
}

/// Runs one line to its end. If the daemon refuses the credentials and the session is interactive, asks for others and
/// repeats the action.
pub fn perform(session: &mut Session, text: &str) -> Flow {
    loop {
        let result = run_line(session, text);
        print_hints(session);
        session.disconnect();
        let failure = match result {
            Ok(flow) => return flow,
            Err(failure) => failure,
        };
        let unauthorized = matches!(&failure, Failure::Client(error) if error.is_unauthorized());
        if unauthorized && session.settings.interactive {
            match session.ask_credentials() {
                Ok(()) => continue,
                Err(failure) => report_failure(session, &failure),
            }
        } else if unauthorized {
            session.fail(status::GENERIC, "Server requires authentication");
            explain(session, &failure);
        } else {
            report_failure(session, &failure);
        }
        return Flow::Continue;
    }
}

/// Prints the hints of the action, each once. If the daemon does not answer, there is no hint.
fn print_hints(session: &mut Session) {
    let mut hints = std::mem::take(&mut session.hints);
    if !session.console.explains() {
        return;
    }
    while let Some(hint) = hints.first().cloned() {
        hints.retain(|other| *other != hint);
        if let Ok(Some(text)) = session.client().and_then(|client| hints::explain(client, &hint)) {
            session.console.explain(text);
        }
    }
}

fn run_line(session: &mut Session, text: &str) -> Result<Flow, Failure> {
    let (verb, argument) = match line::parse(text) {
        Line::Empty => return Ok(Flow::Continue),
        Line::Action { name, argument } => match INTERPRETER.find(name) {
            Some(verb) => (verb, argument),
            None => match plugins::act(session, &INTERPRETER, name, argument)? {
                Some(flow) => return Ok(flow),
                None => {
                    let flow = unknown(session, text);
                    // `dry-run` is an action of this name to the parser of lines only up to its dash.
                    help::suggest(session, &INTERPRETER, text.split_whitespace().next().unwrap_or(name));
                    return Ok(flow);
                }
            },
        },
        Line::Unknown => return Ok(unknown(session, text)),
    };
    Invocation::new(&INTERPRETER, verb, argument).run(session)
}

/// An unknown action.
fn unknown(session: &mut Session, line: &str) -> Flow {
    session.fail(status::GENERIC, format_args!("*** Unknown syntax: {}", line.trim()));
    Flow::Continue
}

fn report_failure(session: &mut Session, failure: &Failure) {
    session.fail(status::GENERIC, failure.line());
    explain(session, failure);
}

fn explain(session: &mut Session, failure: &Failure) {
    if let Failure::Client(error) = failure {
        session.explain(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive() {
        assert!(INTERPRETER.find("status").is_some());
        assert!(INTERPRETER.find("Status").is_none());
    }
}
