//! `help`: lists and describes actions.

use super::{Flow, Request, VERBS, Verb, find, plugins, suggest};
use crate::failure::Failure;
use crate::render;
use crate::session::Session;

const HELP: &str = "help\t\tList the actions\nhelp <action>\tHow to use an action\n";

/// Lists the actions, or describes one.
pub(super) fn help(session: &mut Session, request: &Request<'_>) -> Result<Flow, Failure> {
    match request.argument {
        "" => list(session),
        "help" => session.console.raw(HELP.as_bytes()),
        topic => match find(topic).filter(|verb| verb.help.is_some()) {
            Some(verb) => describe(session, verb),
            None => {
                session.print(format_args!("*** No help on {topic}"));
                suggest(session, topic);
            }
        },
    }
    // Every plug-in is asked about any topic, as in the original.
    match request.argument {
        "" => plugins::list(session),
        "help" => {}
        topic => plugins::explain(session, topic)?,
    }
    Ok(Flow::Continue)
}

/// Prints how to use an action.
pub(super) fn describe(session: &mut Session, verb: &Verb) {
    session.console.raw(verb.help.unwrap_or_default().as_bytes());
}

fn list(session: &mut Session) {
    let names: Vec<&str> = VERBS.iter().filter(|verb| verb.help.is_some()).map(|verb| verb.name).collect();
    session.console.raw(render::help_block("default commands (type help <topic>):", &names).as_bytes());
}
