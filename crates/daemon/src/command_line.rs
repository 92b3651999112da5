//! The command line of `supervisord`.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use supervisord_config::CommandLine;
use supervisord_config::command_line::Flag;
use supervisord_wire::SUPERVISOR_VERSION;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Run the daemon.
    Run(Options),
    /// Print this to stdout and exit with status 0.
    Print(String),
}

/// How the daemon is to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The configuration file; none to look in the usual places.
    pub configuration: Option<String>,
    /// What wins over the file.
    pub settings: CommandLine,
}

/// One option that sets a value: the flag, its short and long form, the name of its value, help.
type Row = (Flag, Option<char>, &'static str, Option<&'static str>, &'static str);

const SETTINGS: [Row; 16] = [
    (Flag::Nodaemon, Some('n'), "nodaemon", None, "run in the foreground"),
    (Flag::Silent, Some('s'), "silent", None, "in the foreground, do not write the activity log to stdout"),
    (Flag::User, Some('u'), "user", Some("USER"), "run as this user, a name or a number"),
    (Flag::Umask, Some('m'), "umask", Some("UMASK"), "file mode mask of the daemon, octal (default 022)"),
    (Flag::Directory, Some('d'), "directory", Some("DIR"), "directory to enter when daemonizing"),
    (
        Flag::Logfile,
        Some('l'),
        "logfile",
        Some("FILENAME"),
        "use FILENAME as activity log; the word syslog means the system log",
    ),
    (Flag::LogfileMaxbytes, Some('y'), "logfile_maxbytes", Some("BYTES"), "rotate the activity log at this size"),
    (Flag::LogfileBackups, Some('z'), "logfile_backups", Some("NUM"), "how many rotated activity logs to keep"),
    (
        Flag::Loglevel,
        Some('e'),
        "loglevel",
        Some("LEVEL"),
        "least severe level to log: critical, error, warn, info, debug, trace, blather",
    ),
    (Flag::Pidfile, Some('j'), "pidfile", Some("FILENAME"), "where to write the daemon's process id"),
    (Flag::Identifier, Some('i'), "identifier", Some("STR"), "name of this daemon towards clients and listeners"),
    (Flag::Childlogdir, Some('q'), "childlogdir", Some("DIR"), "directory of automatic child logs"),
    (Flag::Nocleanup, Some('k'), "nocleanup", None, "keep automatic child logs of an earlier run"),
    (Flag::Minfds, Some('a'), "minfds", Some("NUM"), "file descriptors the daemon must be able to open"),
    (Flag::Minprocs, None, "minprocs", Some("NUM"), "processes the daemon must be able to create"),
    (Flag::StripAnsi, Some('t'), "strip_ansi", None, "remove terminal escape sequences from child logs"),
];

/// Reads a command line, the program's name first. The error is the text for stderr; the exit status is 2.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(Request::Print(error.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    if matches.get_flag("version") {
        return Ok(Request::Print(format!("{SUPERVISOR_VERSION}\n")));
    }
    let mut options = Options { configuration: matches.get_one("configuration").cloned(), ..Options::default() };
    for (flag, short, long, value, _) in SETTINGS {
        let given = match value {
            None => matches.get_flag(long).then(String::new),
            Some(_) => matches.get_one::<String>(long).cloned(),
        };
        if let Some(given) = given {
            let spelling = match short {
                Some(short) if !is_spelt_out(&arguments, long) => format!("-{short}"),
                _ => format!("--{long}"),
            };
            options.settings.add(flag, spelling, given);
        }
    }
    Ok(Request::Run(options))
}

/// Whether an option that is given has its long name, or the beginning of it.
fn is_spelt_out(arguments: &[OsString], long: &str) -> bool {
    arguments.iter().filter_map(|argument| argument.to_str()?.strip_prefix("--")).any(|text| {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        !name.is_empty() && long.starts_with(name)
    })
}

fn command() -> Command {
    let settings = SETTINGS.into_iter().map(|(_, short, long, value, _)| {
        let arg = Arg::new(long).long(long);
        let arg = match short {
            Some(short) => arg.short(short),
            None => arg,
        };
        match value {
            None => arg.action(ArgAction::SetTrue),
            Some(name) => arg.value_name(name).allow_hyphen_values(true),
        }
    });
    Command::new("supervisord")
        .override_help(help())
        .infer_long_args(true)
        .disable_help_flag(true)
        .arg(Arg::new("configuration").short('c').long("configuration").value_name("FILE").allow_hyphen_values(true))
        .args(settings)
        .arg(Arg::new("profile_options").long("profile_options").value_name("LIST").allow_hyphen_values(true))
        .arg(Arg::new("help").short('h').short_alias('?').long("help").action(ArgAction::Help))
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::SetTrue))
}

/// The help in the original's shape, one line an option.
fn help() -> String {
    let line = |short: Option<char>, long: &str, value: Option<&str>, help: &str| {
        let short = short.map_or_else(String::new, |short| format!("-{short}/"));
        let value = value.map_or_else(String::new, |value| format!(" {value}"));
        format!("{short}--{long}{value} -- {help}\n")
    };
    let settings: String = SETTINGS.map(|(_, short, long, value, help)| line(short, long, value, help)).concat();
    let file = line(
        Some('c'),
        "configuration",
        Some("FILENAME"),
        "configuration file; without it the usual places are searched",
    );
    let profile = line(None, "profile_options", Some("LIST"), PROFILE);
    let version = line(Some('v'), "version", None, "print the version and exit");
    let this = line(Some('h'), "help", None, "print this text and exit");
    format!(
        "supervisord -- run a set of applications as daemons.\n\nUsage: supervisord [options]\n\nOptions:\n\
         {file}{settings}{profile}{version}{this}\n"
    )
}

const PROFILE: &str = "accepted for compatibility; there is no interpreter to profile, use perf(1)";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Options {
        let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
        match parse(arguments) {
            Ok(Request::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn short_long_attached_bundled_and_abbreviated_forms_are_the_same() {
        for line in ["-c f -n", "-cf -n", "-nc f", "--configuration f --nodaemon", "--conf=f --nod"] {
            let options = run(line);
            assert_eq!(options.configuration.as_deref(), Some("f"), "{line}");
            assert_eq!(options.settings.given[0].flag, Flag::Nodaemon, "{line}");
        }
    }

    #[test]
    fn an_option_is_called_what_it_was_called() {
        for (line, name) in
            [("-y 1", "-y"), ("--logfile_maxbytes=1", "--logfile_maxbytes"), ("--logfile_m 1", "--logfile_maxbytes")]
        {
            assert_eq!(run(line).settings.given[0].spelling, name, "{line}");
        }
        assert_eq!(run("--nodaemon -y 1").settings.given[1].spelling, "-y");
    }

    #[test]
    fn an_exact_name_beats_longer_ones() {
        let options = run("--logfile x");
        assert_eq!(options.settings.given[0].flag, Flag::Logfile);
    }

    #[test]
    fn mistakes_are_errors() {
        for line in ["-Z", "--nosuch", "-c", "-n -n", "a b", "--log x"] {
            let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
            assert!(parse(arguments).is_err(), "{line}");
        }
    }

    #[test]
    fn help_and_version_print() {
        for line in ["-h", "-?", "--help", "-v", "--version", "--vers"] {
            let arguments = ["supervisord", line].map(OsString::from);
            assert!(matches!(parse(arguments), Ok(Request::Print(_))), "{line}");
        }
    }
}
