//! The command line.

use std::ffi::OsString;
use std::mem;
use std::time::Duration;

use supervisord_config::getopt::{self, OptionForm};
use supervisord_config::synonyms::advice_of_client;

/// The parsed command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `-c`.
    pub configuration: Option<String>,
    /// `-i`.
    pub interactive: bool,
    /// `-s`.
    pub server_url: Option<String>,
    /// `-u`.
    pub username: Option<String>,
    /// `-p`.
    pub password: Option<String>,
    /// `-r`.
    pub history_file: Option<String>,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// The action and its arguments; empty for the shell.
    pub action: Vec<String>,
}

/// Why the command line leads to no action.
#[derive(Debug)]
pub enum EarlyExit {
    /// The help, or the version, was requested: the text.
    Help(String),
    /// An option is used wrongly; the text after `Error: `.
    UsageError(String),
    /// The command line cannot be split into options and an action: the whole text.
    ParseError(String),
}

const OPTIONS: [OptionForm; 9] = [
    OptionForm { spellings: &["--configuration", "-c"], value: Some("FILENAME") },
    OptionForm { spellings: &["--interactive", "-i"], value: None },
    OptionForm { spellings: &["--serverurl", "-s"], value: Some("URL") },
    OptionForm { spellings: &["--username", "-u"], value: Some("USERNAME") },
    OptionForm { spellings: &["--password", "-p"], value: Some("PASSWORD") },
    // The original accepts the underscore, its help shows the hyphen.
    OptionForm { spellings: &["--history_file", "--history-file", "-r"], value: Some("FILENAME") },
    OptionForm { spellings: &["--timeout"], value: Some("SECONDS") },
    OptionForm { spellings: &["--help", "-h", "-?"], value: None },
    OptionForm { spellings: &["--version"], value: None },
];

/// Parses the command line, program name first. What cannot be split is reported first; then the options are processed in
/// their order up to `--help`. They end at the first word that is not an option: all later words belong to the action.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, EarlyExit> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().map_or_else(|| "supervisorctl".into(), |name| name.to_string_lossy().into_owned());
    let split = getopt::split(&OPTIONS, arguments).map_err(|misuse| {
        let usage = format!("{program} [options] [action [arguments]]");
        EarlyExit::ParseError(misuse.complaint(advice_of_client(&misuse.word), &usage))
    })?;
    let mut line = CommandLine { action: split.words, ..CommandLine::default() };
    if let Some(first) = split.options.iter().find(|option| ["--help", "--version"].contains(&option.name))
        && first.name == "--version"
    {
        return Err(EarlyExit::Help(version()));
    }
    for option in split.options {
        if option.name == "--help" {
            return Err(EarlyExit::Help(help(&program)));
        }
        line.take(option.name, option.spelling, option.value).map_err(EarlyExit::UsageError)?;
    }
    Ok(line)
}

impl CommandLine {
    /// Sets an option, given by its long spelling.
    fn take(&mut self, long: &str, spelling: &str, value: String) -> Result<(), String> {
        if long == "--serverurl" && !looks_like_url(&value) {
            return Err(format!("invalid value for {spelling} '{value}': value '{value}' is not a URL"));
        }
        let is_repeated = match long {
            "--configuration" => self.configuration.replace(value).is_some(),
            "--interactive" => mem::replace(&mut self.interactive, true),
            "--serverurl" => self.server_url.replace(value).is_some(),
            "--username" => self.username.replace(value).is_some(),
            "--password" => self.password.replace(value).is_some(),
            "--timeout" => self.timeout.replace(seconds(spelling, &value)?).is_some(),
            _ => self.history_file.replace(value).is_some(),
        };
        if is_repeated { Err(format!("conflicting command line option '{spelling}'")) } else { Ok(()) }
    }
}

/// A time that is not zero, in seconds.
fn seconds(spelling: &str, value: &str) -> Result<Duration, String> {
    let time = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| format!("invalid value for {spelling} '{value}': a number of seconds above 0 is expected"))
}

/// Whether the text has a scheme and something after it: the original's check of `-s` (`supervisor/datatypes.py`).
fn looks_like_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme && !rest.is_empty() && !rest.starts_with(['?', '#'])
}

/// This program and what it stands in for.
pub fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("supervisorctl {version}, compatible with Supervisor {}\n", supervisord_wire::SUPERVISOR_VERSION)
}

fn help(program: &str) -> String {
    format!(
        "supervisorctl -- control applications run by supervisord from the cmd line.

Usage: {program} [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- the configuration file (default: look for one)
-h/--help -- print this text and exit
--version -- print the version of this program and exit
-i/--interactive -- start an interactive session: ask before reload and shutdown, and for credentials
-s/--serverurl URL -- where supervisord listens
     (default \"http://localhost:9001\").
-u/--username USERNAME -- the user name for the server
-p/--password PASSWORD -- the password for the server
-r/--history-file FILENAME -- where the shell keeps the lines of earlier sessions
--timeout SECONDS -- give up when supervisord has not answered for so long (default: never)
--fleet ... -- as the first word: control many hosts; the rest is for supervisor-fleet, as in --fleet -H 'web*' status

action [arguments] -- see below

An action is something like \"tail\" or \"stop\". Without one there is a shell that
reads actions from the terminal. The action \"help\" lists them all.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<CommandLine, EarlyExit> {
        parse(std::iter::once("supervisorctl").chain(arguments.iter().copied()).map(OsString::from))
    }

    fn action(arguments: &[&str]) -> Vec<String> {
        parsed(arguments).unwrap().action
    }

    #[test]
    fn everything_after_the_action_belongs_to_it() {
        assert_eq!(action(&["tail", "-f", "x"]), ["tail", "-f", "x"]);
        assert_eq!(action(&["-u", "me", "status", "-h", "--", "-c", "x"]), ["status", "-h", "--", "-c", "x"]);
        assert_eq!(action(&["--", "status", "-x"]), ["status", "-x"]);
        assert_eq!(action(&[""]), [""]);
        assert!(action(&["-i"]).is_empty());
    }

    #[test]
    fn values_may_be_attached_or_separate_and_names_abbreviated() {
        for arguments in [
            &["-cFILE"][..],
            &["-c=FILE"],
            &["-c", "FILE"],
            &["--conf", "FILE"],
            &["--configuration=FILE"],
            &["-icFILE"],
        ] {
            assert_eq!(parsed(arguments).unwrap().configuration.as_deref(), Some("FILE"), "{arguments:?}");
        }
        assert_eq!(parsed(&["--server", "http://h"]).unwrap().server_url.as_deref(), Some("http://h"));
        for arguments in [&["-p", "-x"][..], &["-p-x"], &["--password", "-x"]] {
            assert_eq!(parsed(arguments).unwrap().password.as_deref(), Some("-x"), "{arguments:?}");
        }
        for name in ["-r", "--history_file", "--history-file"] {
            assert_eq!(parsed(&[name, "f"]).unwrap().history_file.as_deref(), Some("f"));
        }
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        let timeout = |value: &str| parsed(&["--timeout", value]).map(|line| line.timeout);
        assert_eq!(timeout("2.5").unwrap(), Some(Duration::from_millis(2500)));
        for value in ["0", "-1", "x", "", "nan", "inf", "1e30"] {
            let misuse = timeout(value).unwrap_err();
            assert!(
                matches!(&misuse, EarlyExit::UsageError(text) if text.contains("--timeout")),
                "{value}: {misuse:?}"
            );
        }
    }

    #[test]
    fn parse_errors_come_first_then_options_in_order_up_to_help() {
        for arguments in [&["-z"][..], &["--nosuch"], &["-c"], &["--h"], &["--int=3"], &["-h", "-z"]] {
            let unreadable = parsed(arguments).unwrap_err();
            assert!(matches!(&unreadable, EarlyExit::ParseError(_)), "{unreadable:?}");
        }
        let repeated = "conflicting command line option '-s'";
        let no_url = "invalid value for -s 'foo': value 'foo' is not a URL";
        for (arguments, problem) in [
            (&["-s", "a://b", "-s", "a://b"][..], repeated),
            (&["-s", "a://b", "-s", "a://b", "-h"], repeated),
            (&["-s", "foo", "-u", "a", "-u", "b"], no_url),
            (&["-s", "foo", "-h"], no_url),
            (&["-i", "--server", "foo"], "invalid value for --serverurl 'foo': value 'foo' is not a URL"),
            (&["-u", "a", "--user", "b"], "conflicting command line option '--username'"),
            (&["-i", "-i"], "conflicting command line option '-i'"),
        ] {
            let misuse = parsed(arguments).unwrap_err();
            assert!(matches!(&misuse, EarlyExit::UsageError(found) if found == problem), "{arguments:?}: {misuse:?}");
        }
        for arguments in
            [&["-h"][..], &["-?"], &["--help"], &["-h", "-h"], &["-h", "status"], &["-h", "-s", "foo", "-i", "-i"]]
        {
            let shown = parsed(arguments).unwrap_err();
            let beginning = "supervisorctl -- control applications run by supervisord from";
            assert!(matches!(&shown, EarlyExit::Help(text) if text.starts_with(beginning)), "{shown:?}");
        }
    }

    #[test]
    fn unknown_options_are_advised_about_and_none_is_to_be_an_action() {
        for (option, expected) in
            [("--fleet", "write --fleet first"), ("-v", "--version"), ("--dry-run", "update --plan"), ("--nosuch", "")]
        {
            let Err(EarlyExit::ParseError(text)) = parsed(&["-c", "f", option]) else { panic!("{option}") };
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn urls_have_a_scheme_and_something_after_it() {
        for text in ["a:b", "a:/", "a://b", "unix:///", "http:b", "http:///x"] {
            assert!(looks_like_url(text), "{text}");
        }
        for text in ["", "foo", "a:", ":b", "1a:b", "/b", "//b", "a b", "unix://", "http://?", "x://?q"] {
            assert!(!looks_like_url(text), "{text}");
        }
    }
}
