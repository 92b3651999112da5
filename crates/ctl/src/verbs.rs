//! The table of actions, and the dispatch of a line to an action.

mod configuration;
mod control;
mod daemon;
mod follow;
mod foreground;
mod help;
mod listing;
mod logs;
mod plugins;

use supervisord_config::suggest::did_you_mean;

use crate::failure::Failure;
use crate::hints;
use crate::line::{self, Line};
use crate::session::Session;
use crate::status;
pub use plugins::prepare as prepare_plugins;

/// Whether the shell goes on after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Read the next line.
    Continue,
    /// Leave the shell.
    Leave,
}

/// An action.
pub struct Verb {
    /// The name that users type.
    pub name: &'static str,
    /// Whether the daemon's interface is checked before the action does anything.
    daemon_check: DaemonCheck,
    /// The arguments that it accepts.
    arguments: Arguments,
    /// The kind of its arguments, for completion.
    pub completion: Completion,
    /// The text that `help` prints; none for an action that `help` does not list.
    help: Option<&'static str>,
    /// The implementation.
    run: fn(&mut Session, &Request<'_>) -> Result<Flow, Failure>,
}

/// One use of an action.
struct Request<'a> {
    /// The action.
    verb: &'static Verb,
    /// The text after the name.
    argument: &'a str,
    /// The words of `argument`, split at whitespace.
    words: Vec<&'a str>,
}

/// The check of the daemon before an action.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DaemonCheck {
    /// No check: the action fails at its first call.
    Unchecked,
    /// The action does not run; the exit status depends on the error.
    Checked,
    /// The action does not run; every error has this exit status.
    CheckedAs(u8),
}

/// The arguments that an action accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// None.
    None,
    /// At least one name; the exit status without a name.
    Names(u8),
    /// Any; the action checks them itself.
    Any,
}

/// The arguments that the shell completes for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Nothing.
    None,
    /// Actions.
    Verbs,
    /// Group names.
    Groups,
    /// Process names, and groups with a star.
    Processes,
}

/// All actions, in alphabetical order.
pub static VERBS: [Verb; 24] = [
    Verb {
        name: "EOF",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::None,
        help: None,
        run: daemon::leave,
    },
    Verb {
        name: "add",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::Groups,
        help: Some("add <name> [...]\tActivate groups that are configured, but not yet active\n"),
        run: configuration::add,
    },
    Verb {
        name: "avail",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("avail\t\t\tList everything that is configured, active or not\n"),
        run: listing::avail,
    },
    Verb {
        name: "clear",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        completion: Completion::Processes,
        help: Some(
            "clear <name>\t\tEmpty the logs of a process\n\
             clear <name> <name>\tEmpty the logs of several processes\n\
             clear all\t\tEmpty the logs of all processes\n",
        ),
        run: control::clear,
    },
    Verb {
        name: "exit",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::None,
        help: Some("exit\tLeave the shell\n"),
        run: daemon::leave,
    },
    Verb {
        name: "fg",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        completion: Completion::Processes,
        help: Some(
            "fg <process>\tTalk to a process: its output is shown, what you type goes to its input\n\
             \t\tCtrl-C leaves it running in the background\n",
        ),
        run: foreground::fg,
    },
    Verb {
        name: "help",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::Verbs,
        help: None,
        run: help::help,
    },
    Verb {
        name: "maintail",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        completion: Completion::None,
        help: Some(
            "maintail -f\tFollow the log of the supervisor itself until Ctrl-C\n\
             maintail -100\tIts last 100 *bytes*\n\
             maintail\tIts last 1600 *bytes*\n",
        ),
        run: logs::maintail,
    },
    Verb {
        name: "open",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::None,
        help: Some(
            "open <url>\tGo on with the supervisor at another address\n\
             \t\t(a socket in the file system is unix:///path/of/socket)\n",
        ),
        run: daemon::open,
    },
    Verb {
        name: "pid",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        completion: Completion::Processes,
        help: Some(
            "pid\t\t\tThe process id of the supervisor\n\
             pid <name>\t\tThe process id of a process\n\
             pid all\t\t\tThe process ids of all processes, one per line\n",
        ),
        run: listing::pid,
    },
    Verb {
        name: "quit",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::None,
        help: Some("quit\tLeave the shell\n"),
        run: daemon::leave,
    },
    Verb {
        name: "reload",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("reload\t\tStop everything and begin again with the configuration read anew\n"),
        run: daemon::reload,
    },
    Verb {
        name: "remove",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::Groups,
        help: Some("remove <name> [...]\tForget groups whose processes are all stopped\n"),
        run: configuration::remove,
    },
    Verb {
        name: "reread",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("reread\t\t\tRead the configuration and say what differs; nothing is started or stopped\n"),
        run: configuration::reread,
    },
    Verb {
        name: "restart",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        completion: Completion::Processes,
        help: Some(
            "restart <name>\t\tStop and start a process\n\
             restart <gname>:*\tStop and start all processes of a group\n\
             restart <name> <name>\tStop and start several processes or groups\n\
             restart all\t\tStop and start all processes\n\
             The configuration is not read again; for that there are reread and update.\n",
        ),
        run: control::restart,
    },
    Verb {
        name: "shutdown",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("shutdown\tStop everything and end the supervisor\n"),
        run: daemon::shutdown,
    },
    Verb {
        name: "signal",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        completion: Completion::Processes,
        help: Some(
            "signal <signal name> <name>\t\tSend a signal to a process\n\
             signal <signal name> <gname>:*\t\tSend a signal to all processes of a group\n\
             signal <signal name> <name> <name>\tSend a signal to several processes or groups\n\
             signal <signal name> all\t\tSend a signal to all processes\n",
        ),
        run: control::signal,
    },
    Verb {
        name: "start",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::INVALID_ARGUMENTS),
        completion: Completion::Processes,
        help: Some(
            "start <name>\t\tStart a process\n\
             start <gname>:*\t\tStart all processes of a group\n\
             start <name> <name>\tStart several processes or groups\n\
             start all\t\tStart all processes\n",
        ),
        run: control::start,
    },
    Verb {
        name: "status",
        daemon_check: DaemonCheck::CheckedAs(status::STATUS_UNKNOWN),
        arguments: Arguments::Any,
        completion: Completion::Processes,
        help: Some(
            "status <name>\t\tThe state of a process\n\
             status <gname>:*\tThe states of all processes of a group\n\
             status <name> <name>\tThe states of several processes or groups\n\
             status\t\t\tThe states of all processes\n",
        ),
        run: listing::status,
    },
    Verb {
        name: "stop",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        completion: Completion::Processes,
        help: Some(
            "stop <name>\t\tStop a process\n\
             stop <gname>:*\t\tStop all processes of a group\n\
             stop <name> <name>\tStop several processes or groups\n\
             stop all\t\tStop all processes\n",
        ),
        run: control::stop,
    },
    Verb {
        name: "tail",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        completion: Completion::Processes,
        help: Some(
            "tail [-f] <name> [stdout|stderr] (default stdout)\n\
             For instance:\n\
             tail -f <name>\t\tFollow the output of a process until Ctrl-C\n\
             tail -100 <name>\tIts last 100 *bytes*\n\
             tail <name> stderr\tThe last 1600 *bytes* of its error output\n",
        ),
        run: logs::tail,
    },
    Verb {
        name: "update",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        completion: Completion::Groups,
        help: Some(
            "update\t\t\tRead the configuration; add, remove and restart what differs\n\
             update all\t\tThe same\n\
             update <gname> [...]\tThe same for these groups only\n",
        ),
        run: configuration::update,
    },
    Verb {
        name: "upgrade",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("upgrade\t\tGo on with the program now on disk; no process notices\n"),
        run: daemon::upgrade,
    },
    Verb {
        name: "version",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::None,
        completion: Completion::None,
        help: Some("version\t\t\tThe version of the supervisor\n"),
        run: daemon::version,
    },
];

/// The action with this name; case matters.
pub fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
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
        Line::Action { name, argument } => match find(name) {
            Some(verb) => (verb, argument),
            None => match plugins::act(session, name, argument)? {
                Some(flow) => return Ok(flow),
                None => {
                    let flow = unknown(session, text);
                    suggest(session, name);
                    return Ok(flow);
                }
            },
        },
        Line::Unknown => return Ok(unknown(session, text)),
    };
    let request = Request { verb, argument, words: argument.split_whitespace().collect() };
    if request.is_acceptable(session)? { (verb.run)(session, &request) } else { Ok(Flow::Continue) }
}

/// An unknown action.
fn unknown(session: &mut Session, line: &str) -> Flow {
    session.fail(status::GENERIC, format_args!("*** Unknown syntax: {}", line.trim()));
    Flow::Continue
}

/// Suggests a similar action on a terminal.
fn suggest(session: &mut Session, name: &str) {
    let of_plugins = session.plugins.iter().flat_map(|process| &process.plugins).flat_map(|plugin| &plugin.actions);
    let names = VERBS.iter().map(|verb| verb.name).chain(of_plugins.map(|action| action.name.as_str()));
    if let Some(text) = did_you_mean(name, names) {
        session.console.explain(text);
    }
}

impl Request<'_> {
    /// Checks the arguments. The daemon is checked before missing names, but after superfluous arguments, as in the
    /// original.
    fn is_acceptable(&self, session: &mut Session) -> Result<bool, Failure> {
        let name = self.verb.name;
        if self.verb.arguments == Arguments::None && !self.argument.is_empty() {
            self.misuse(session, status::GENERIC, format_args!("Error: {name} accepts no arguments"));
            return Ok(false);
        }
        match self.verb.daemon_check {
            DaemonCheck::Unchecked => {}
            DaemonCheck::Checked if session.up_check()? => {}
            DaemonCheck::CheckedAs(_) if session.up_check()? => {}
            DaemonCheck::Checked => return Ok(false),
            DaemonCheck::CheckedAs(status) => {
                session.set_exit_status(status);
                return Ok(false);
            }
        }
        if let Arguments::Names(status) = self.verb.arguments
            && self.words.is_empty()
        {
            self.misuse(session, status, format_args!("Error: {name} requires a process name"));
            return Ok(false);
        }
        Ok(true)
    }

    /// Prints the error and the usage of the action.
    fn misuse(&self, session: &mut Session, status: u8, text: impl std::fmt::Display) {
        session.fail(status, text);
        help::describe(session, self.verb);
    }

    /// Whether `all` is among the names: then the others do not matter.
    fn means_all(&self) -> bool {
        self.words.contains(&"all")
    }
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
    fn the_table_is_sorted_and_names_are_unique() {
        assert!(VERBS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn help_texts_are_whole_lines_that_name_their_action() {
        for verb in &VERBS {
            if let Some(help) = verb.help {
                assert!(help.starts_with(verb.name) && help.ends_with('\n'), "{}", verb.name);
            }
        }
    }

    #[test]
    fn names_are_case_sensitive() {
        assert!(find("status").is_some());
        assert!(find("Status").is_none());
    }
}
