//! An action, and one use of it.

use supervisord_config::suggest::did_you_mean;
use supervisord_config::synonyms::advice_of_client;

use crate::failure::Failure;
use crate::session::Session;
use crate::status;

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
    pub daemon_check: DaemonCheck,
    /// The arguments that it accepts.
    pub arguments: Arguments,
    /// The words with two dashes that it knows.
    pub flags: Flags,
    /// The kind of its arguments, for completion.
    pub completion: Completion,
    /// The text that `help` prints; none for an action that `help` does not list.
    pub help: Option<&'static str>,
    /// The implementation.
    pub run: fn(&mut Session, &Invocation<'_>) -> Result<Flow, Failure>,
}

/// One use of an action.
pub struct Invocation<'a> {
    /// The action.
    pub verb: &'static Verb,
    /// The text after the name.
    pub argument: &'a str,
    /// The words of `argument`, split at whitespace.
    pub words: Vec<&'a str>,
    /// The interpreter that runs it.
    pub interpreter: &'static Interpreter,
}

/// What runs lines: `help` lists its actions, and plug-ins let it run lines of theirs.
pub struct Interpreter {
    /// All actions, in alphabetical order.
    pub verbs: &'static [Verb],
    /// Runs one line to its end.
    pub perform: fn(&mut Session, &str) -> Flow,
}

/// The check of the daemon before an action.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DaemonCheck {
    /// No check: the action fails at its first call.
    Unchecked,
    /// The action does not run; the exit status depends on the error.
    Checked,
    /// The action does not run; every error has this exit status.
    CheckedAs(u8),
}

/// The arguments that an action accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// None but flags.
    None,
    /// At least one name; the exit status without a name.
    Names(u8),
    /// Any; the action checks them itself.
    Any,
}

/// The words with two dashes that an action knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flags {
    /// These, alone or before `=` and a value. Any other one is refused before anything is done: a misspelt one must not be
    /// taken for a name, while the action goes on with the rest.
    Only(&'static [&'static str]),
    /// The action reads such words itself.
    Own,
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
    /// The same, and behind `--for` what they are to become.
    Awaited,
    /// Group names, each with a sign behind which a number belongs.
    Numbers,
}

impl Flags {
    /// Those that are known here.
    pub fn known(self) -> &'static [&'static str] {
        match self {
            Flags::Only(known) => known,
            Flags::Own => &[],
        }
    }

    /// Whether an action knows this flag.
    fn has(self, flag: &str) -> bool {
        self.known().contains(&flag)
    }
}

impl Verb {
    /// Prints how to use the action.
    pub fn describe(&self, session: &mut Session) {
        session.console.raw(self.help.unwrap_or_default().as_bytes());
    }
}

impl Interpreter {
    /// The action with this name; case matters.
    pub fn find(&self, name: &str) -> Option<&'static Verb> {
        self.verbs.iter().find(|verb| verb.name == name)
    }
}

impl<'a> Invocation<'a> {
    /// An action with the text after its name.
    pub fn new(interpreter: &'static Interpreter, verb: &'static Verb, argument: &'a str) -> Invocation<'a> {
        Invocation { verb, argument, words: argument.split_whitespace().collect(), interpreter }
    }

    /// Runs the action, if its arguments and the daemon allow it.
    pub fn run(&self, session: &mut Session) -> Result<Flow, Failure> {
        if self.is_acceptable(session)? { (self.verb.run)(session, self) } else { Ok(Flow::Continue) }
    }

    /// Checks the arguments. The daemon is checked before missing names, but after superfluous arguments, as in the
    /// original.
    fn is_acceptable(&self, session: &mut Session) -> Result<bool, Failure> {
        let name = self.verb.name;
        if self.verb.arguments == Arguments::None && self.words.iter().any(|word| !self.verb.flags.has(word)) {
            self.misuse(session, status::GENERIC, format_args!("Error: {name} accepts no arguments"));
            return Ok(false);
        }
        if let Some(flag) = self.unknown_flag() {
            self.refuse_flag(session, flag);
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
    pub fn misuse(&self, session: &mut Session, status: u8, text: impl std::fmt::Display) {
        session.fail(status, text);
        self.verb.describe(session);
    }

    /// The first word with two dashes that the action does not know.
    fn unknown_flag(&self) -> Option<&'a str> {
        let Flags::Only(known) = self.verb.flags else { return None };
        let flag = |word: &'a str| word.split('=').next().unwrap_or(word);
        self.words.iter().map(|word| flag(word)).find(|word| word.starts_with("--") && !known.contains(word))
    }

    /// Refuses a flag that the action does not have.
    pub fn refuse_flag(&self, session: &mut Session, flag: &str) {
        let meant = advice_of_client(flag)
            .map(str::to_owned)
            .or_else(|| did_you_mean(flag, self.verb.flags.known().iter().copied()))
            .map(|text| format!("; {text}"))
            .unwrap_or_default();
        let text = format_args!("Error: {} does not accept {flag}{meant}", self.verb.name);
        self.misuse(session, status::GENERIC, text);
    }

    /// Whether `all` is among the names: then the others do not matter.
    pub fn means_all(&self) -> bool {
        self.words.contains(&"all")
    }
}
