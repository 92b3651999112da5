//! `help`: lists and describes actions.

use supervisord_config::suggest::did_you_mean;
use supervisord_config::synonyms::advice_of_client;

use super::plugins;
use super::verb::{Flow, Interpreter, Invocation};
use crate::failure::Failure;
use crate::render;
use crate::session::Session;

const HELP: &str = "help\t\tList the actions\nhelp <action>\tHow to use an action\n";
/// Not listed: scripts use it, and only on the command line.
const COMPLETE: &str = "complete <line>\tPrint what can stand at the end of a line, one word a line\n\
                        \t\t(for the completion of shells; only on the command line)\n";

/// Lists the actions, or describes one.
pub(super) fn help(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    match invocation.argument {
        "" => list(session, invocation.interpreter),
        "help" => session.console.raw(HELP.as_bytes()),
        "complete" => session.console.raw(COMPLETE.as_bytes()),
        topic => match invocation.interpreter.find(topic).filter(|verb| verb.help.is_some()) {
            Some(verb) => verb.describe(session),
            None => {
                session.print(format_args!("*** No help on {topic}"));
                suggest(session, invocation.interpreter, topic);
            }
        },
    }
    // Every plug-in is asked about any topic, as in the original.
    match invocation.argument {
        "" => plugins::list(session),
        "help" | "complete" => {}
        topic => plugins::explain(session, invocation.interpreter, topic)?,
    }
    Ok(Flow::Continue)
}

fn list(session: &mut Session, interpreter: &Interpreter) {
    let names: Vec<&str> = interpreter.verbs.iter().filter(|verb| verb.help.is_some()).map(|verb| verb.name).collect();
    session.console.raw(render::help_block("default commands (type help <topic>):", &names).as_bytes());
}

/// Suggests on a terminal what to write in place of a word that is no action.
pub(super) fn suggest(session: &mut Session, interpreter: &Interpreter, name: &str) {
    if let Some(advice) = advice_of_client(name) {
        session.console.explain(advice);
        return;
    }
    let of_plugins = session.plugins.iter().flat_map(|process| &process.plugins).flat_map(|plugin| &plugin.actions);
    let names = interpreter.verbs.iter().map(|verb| verb.name).chain(of_plugins.map(|action| action.name.as_str()));
    if let Some(text) = did_you_mean(name, names) {
        session.console.explain(text);
    }
}
