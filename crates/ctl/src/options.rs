//! The command line.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

/// What the command line says.
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
    /// The action and its arguments; empty for the shell.
    pub action: Vec<String>,
}

/// Reads the command line, program name first. The error also stands for `-h`, and says what to print and where.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments.first().map_or_else(|| "supervisorctl".into(), |name| name.to_string_lossy().into_owned());
    let matches = command(&program, ArgAction::SetTrue).try_get_matches_from(arguments)?;
    if matches.get_flag("help") {
        // Only now, because a mistake anywhere on the line comes first.
        command(&program, ArgAction::Help).try_get_matches_from([&program, "--help"])?;
    }
    Ok(CommandLine {
        configuration: text(&matches, "configuration"),
        interactive: matches.get_flag("interactive"),
        server_url: text(&matches, "serverurl"),
        username: text(&matches, "username"),
        password: text(&matches, "password"),
        history_file: text(&matches, "history_file"),
        action: matches.get_many::<String>("action").unwrap_or_default().cloned().collect(),
    })
}

/// The options. They end at the first word that is none: everything from there on belongs to the action.
fn command(program: &str, help_action: ArgAction) -> Command {
    Command::new("supervisorctl")
        .bin_name(program)
        .override_help(help(program))
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .infer_long_args(true)
        .arg(Arg::new("help").short('h').short_alias('?').long("help").action(help_action).overrides_with("help"))
        .arg(Arg::new("configuration").short('c').long("configuration").value_name("FILENAME"))
        .arg(Arg::new("interactive").short('i').long("interactive").action(ArgAction::SetTrue))
        .arg(Arg::new("serverurl").short('s').long("serverurl").value_name("URL"))
        .arg(Arg::new("username").short('u').long("username").value_name("USERNAME"))
        .arg(Arg::new("password").short('p').long("password").value_name("PASSWORD"))
        .arg(
            // The underscore is what the original accepts, the hyphen what its help says.
            Arg::new("history_file").short('r').long("history_file").alias("history-file").value_name("FILENAME"),
        )
        .arg(Arg::new("action").num_args(0..).trailing_var_arg(true))
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.get_one::<String>(id).cloned()
}

/// Whether this has a scheme and something after it: all the original wants of `-s` when it reads it.
pub fn looks_like_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme && !rest.is_empty() && !rest.starts_with(['?', '#'])
}

fn help(program: &str) -> String {
    format!(
        "supervisorctl -- control applications run by supervisord from the cmd line.

Usage: {program} [options] [action [arguments]]

Options:
-c/--configuration FILENAME -- the configuration file (default: look for one)
-h/--help -- print this text and exit
-i/--interactive -- start an interactive session: ask before reload and shutdown, and for credentials
-s/--serverurl URL -- where supervisord listens
     (default \"http://localhost:9001\").
-u/--username USERNAME -- the user name for the server
-p/--password PASSWORD -- the password for the server
-r/--history-file FILENAME -- where the shell keeps the lines of earlier sessions

action [arguments] -- see below

An action is something like \"tail\" or \"stop\". Without one there is a shell that
reads actions from the terminal. The action \"help\" lists them all.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<CommandLine, clap::Error> {
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
    fn values_stand_beside_or_apart_and_names_may_be_cut_short() {
        for arguments in
            [&["-cFILE"][..], &["-c", "FILE"], &["--conf", "FILE"], &["--configuration=FILE"], &["-icFILE"]]
        {
            assert_eq!(parsed(arguments).unwrap().configuration.as_deref(), Some("FILE"), "{arguments:?}");
        }
        assert_eq!(parsed(&["--server", "http://h"]).unwrap().server_url.as_deref(), Some("http://h"));
        for name in ["-r", "--history_file", "--history-file"] {
            assert_eq!(parsed(&[name, "f"]).unwrap().history_file.as_deref(), Some("f"));
        }
    }

    #[test]
    fn misuse_is_status_2_and_help_is_0() {
        for arguments in [
            &["-z"][..],
            &["--nosuch"],
            &["-c"],
            &["--h"],
            &["-s", "a://b", "-s", "a://b"],
            &["--int=3"],
            &["-h", "-z"],
        ] {
            assert_eq!(parsed(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
        for arguments in [&["-h"][..], &["-?"], &["--help"], &["-h", "-h"], &["-h", "status"]] {
            let shown = parsed(arguments).unwrap_err();
            assert_eq!(shown.exit_code(), 0);
            assert!(shown.to_string().starts_with("supervisorctl -- control applications run by supervisord from"));
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
