//! `mcp`: the actions of this client as a server of the Model Context Protocol over standard input and output.

use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Interpreter, Invocation, Verb};
use crate::console::Console;
use crate::failure::Failure;
use crate::mcp::{McpServer, ToolReport};
use crate::session::Session;
use crate::status;

const ALLOW_CONTROL: &str = "--allow-control";

pub(super) const VERB: Verb = Verb {
    name: "mcp",
    daemon_check: DaemonCheck::Unchecked,
    arguments: Arguments::None,
    flags: Flags::Only(&[ALLOW_CONTROL]),
    completion: Completion::None,
    help: Some(
        "mcp\t\t\tServe the Model Context Protocol on standard input and output: tools that read\n\
         mcp --allow-control\tAlso tools that start, stop, signal and update\n",
    ),
    run: serve,
};

/// Answers messages, one a line, until the input ends.
fn serve(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if session.settings.interactive {
        session.fail(status::GENERIC, "ERROR: mcp is for programs, which run supervisorctl mcp");
        return Ok(Flow::Continue);
    }
    let server = McpServer { may_control: invocation.words.contains(&ALLOW_CONTROL) };
    while let Some(message) = session.input.line()? {
        if message.trim().is_empty() {
            continue;
        }
        if let Some(answer) = server.answer(&message, |line| perform(session, invocation.interpreter, line)) {
            session.console.raw(format!("{answer}\n").as_bytes());
        }
        if session.console.is_closed() {
            break;
        }
    }
    Ok(Flow::Continue)
}

/// Carries out the line of an action, and returns what it prints instead of printing it.
fn perform(session: &mut Session, interpreter: &Interpreter, line: &str) -> ToolReport {
    let (console, printed) = Console::recording();
    let console = std::mem::replace(&mut session.console, console);
    session.set_exit_status(status::SUCCESS);
    (interpreter.perform)(session, line);
    session.console = console;
    let status = session.exit_status();
    session.set_exit_status(status::SUCCESS);
    ToolReport { output: printed.text(), status }
}
