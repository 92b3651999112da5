//! `mcp`: the actions of this client as a server of the Model Context Protocol over standard input and output.
//!
//! One thread reads messages, and answers at once what need not wait; actions are carried out one after the other.

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;
use supervisord_sys::signal::Signal;

use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Interpreter, Invocation, Verb};
use crate::console::Console;
use crate::failure::Failure;
use crate::input::Input;
use crate::interrupt::{Interrupts, exit_by_signal};
use crate::mcp::{McpServer, ToolReport, Urgent, request_id};
use crate::session::Session;
use crate::status;

const ALLOW_CONTROL: &str = "--allow-control";

/// How many messages may wait for their turn before no more are read.
const QUEUE_CAPACITY: usize = 256;

/// How many cancellations of requests that have not come are remembered.
const MOST_CANCELLED: usize = 256;

pub(super) const VERB: Verb = Verb {
    name: "mcp",
    daemon_check: DaemonCheck::Unchecked,
    arguments: Arguments::None,
    flags: Flags::Only(&[ALLOW_CONTROL]),
    completion: Completion::None,
    help: Some(
        "mcp\t\t\tServe the Model Context Protocol on standard input and output: tools that read\n\
         mcp --allow-control\tAlso tools that start, stop, disable, scale, signal and update\n",
    ),
    run: serve,
};

/// Which request is carried out, and which need not be any more.
#[derive(Default)]
struct Requests {
    current: Option<Value>,
    cancelled: Vec<Value>,
    /// Whether what the current one waits for is being interrupted.
    is_interrupting: bool,
}

/// The same, for the thread that reads and the one that acts.
#[derive(Clone, Default)]
struct SharedRequests(Arc<Mutex<Requests>>);

impl SharedRequests {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request, unless it has been cancelled already.
    fn begin(&self, id: Option<Value>) -> bool {
        let mut requests = self.lock();
        let before = requests.cancelled.len();
        requests.cancelled.retain(|cancelled| Some(cancelled) != id.as_ref());
        let is_wanted = requests.cancelled.len() == before;
        requests.current = id.filter(|_| is_wanted);
        is_wanted
    }

    /// Ends the current request. Whether somebody still needs its answer.
    fn end(&self) -> bool {
        let mut requests = self.lock();
        requests.is_interrupting = false;
        let current = requests.current.take();
        let before = requests.cancelled.len();
        requests.cancelled.retain(|cancelled| Some(cancelled) != current.as_ref());
        requests.cancelled.len() == before
    }

    /// Notes that nobody needs an answer. Whether that is the one being made.
    fn cancel(&self, id: Value) -> bool {
        let mut requests = self.lock();
        let is_current = requests.current.as_ref() == Some(&id);
        requests.is_interrupting = is_current;
        if requests.cancelled.len() >= MOST_CANCELLED {
            requests.cancelled.remove(0);
        }
        requests.cancelled.push(id);
        is_current
    }
}

/// Answers messages, one a line, until the input ends.
fn serve(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if session.settings.interactive {
        session.fail(status::GENERIC, "ERROR: mcp is for programs, which run supervisorctl mcp");
        return Ok(Flow::Continue);
    }
    let server = McpServer { may_control: invocation.words.contains(&ALLOW_CONTROL) };
    let requests = SharedRequests::default();
    let handled = requests.clone();
    // An action that can be interrupted has a handler of its own. One that cannot goes on to its end.
    let _handler = session.interrupts.handle(move || {
        if !handled.lock().is_interrupting {
            exit_by_signal(Signal::Interrupt);
        }
    })?;
    let (sender, messages) = sync_channel(QUEUE_CAPACITY);
    let (input, reading, interrupts) = (Input::standard()?, requests.clone(), session.interrupts.clone());
    let reader =
        thread::Builder::new().name("mcp".into()).spawn(move || read(input, &reading, &interrupts, &sender))?;
    for message in messages {
        if !requests.begin(request_id(&message)) {
            continue;
        }
        let answer = server.answer(&message, |line| perform(session, invocation.interpreter, line));
        if let (true, Some(answer)) = (requests.end(), answer) {
            session.console.raw(format!("{answer}\n").as_bytes());
        }
        if session.console.is_closed() {
            return Ok(Flow::Continue);
        }
    }
    match reader.join() {
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(())) | Err(_) => Ok(Flow::Continue),
    }
}

/// Reads messages until the input ends or nobody takes them.
fn read(
    mut input: Input,
    requests: &SharedRequests,
    interrupts: &Interrupts,
    sender: &SyncSender<String>,
) -> io::Result<()> {
    while let Some(message) = input.line()? {
        match Urgent::of(&message) {
            Some(Urgent::Ping(answer)) => io::stdout().write_all(format!("{answer}\n").as_bytes())?,
            Some(Urgent::Cancelled(id)) => {
                if requests.cancel(id) {
                    interrupts.call_handler();
                }
            }
            None if message.trim().is_empty() => {}
            None => {
                if sender.send(message).is_err() {
                    break;
                }
            }
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cancelled_request_is_not_answered_whenever_that_comes() {
        let requests = SharedRequests::default();
        assert!(!requests.cancel(json!(1)), "it has not come yet");
        assert!(!requests.begin(Some(json!(1))));
        assert!(requests.begin(Some(json!(2))));
        assert!(requests.cancel(json!(2)) && requests.lock().is_interrupting);
        assert!(!requests.end() && !requests.lock().is_interrupting);
        assert!(requests.begin(Some(json!(3))) && requests.end());
        assert!(requests.begin(None) && requests.end());
    }
}
