//! The command line of `supervisord`.

use std::ffi::OsString;

use supervisord_config::CommandLineFlags;
use supervisord_config::command_line::{Flag, Given};
use supervisord_config::getopt::{self, Misuse, OptionForm, OptionUse};
use supervisord_config::synonyms::advice_of_daemon;
use supervisord_wire::SUPERVISOR_VERSION;

use crate::json_schema;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum ParsedCommandLine {
    /// Run the daemon.
    Run(Options),
    /// Tell something of the configuration.
    Inquire(Inquiry, Options),
    /// Print this to stdout and exit with status 0, unless there is something wrong with what was given before.
    Print(String, CommandLineFlags),
}

/// What is to be told of the configuration, in place of running the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// What is told.
    pub subject: InquirySubject,
    /// As JSON, not as text.
    pub is_json: bool,
}

/// What can be told of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InquirySubject {
    /// What is wrong with it.
    Problems,
    /// What each option is, and why.
    Values,
}

/// How the daemon is to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The configuration file; none to look in the usual places.
    pub configuration: Option<String>,
    /// What wins over the file.
    pub settings: CommandLineFlags,
}

/// One option that sets a value: the flag, its spellings, the name of its value, help.
type Row = (Flag, &'static [&'static str], Option<&'static str>, &'static str);

const SETTINGS: [Row; 18] = [
    (
        Flag::Configuration,
        &["-c", "--configuration"],
        Some("FILENAME"),
        "configuration file; without it the usual places are searched",
    ),
    (Flag::Nodaemon, &["-n", "--nodaemon"], None, "run in the foreground"),
    (Flag::Silent, &["-s", "--silent"], None, "in the foreground, do not write the activity log to stdout"),
    (Flag::User, &["-u", "--user"], Some("USER"), "run as this user, a name or a number"),
    (Flag::Umask, &["-m", "--umask"], Some("UMASK"), "file mode mask of the daemon, octal (default 022)"),
    (Flag::Directory, &["-d", "--directory"], Some("DIR"), "directory to enter when daemonizing"),
    (
        Flag::Logfile,
        &["-l", "--logfile"],
        Some("FILENAME"),
        "use FILENAME as activity log; the word syslog means the system log",
    ),
    (Flag::LogfileMaxbytes, &["-y", "--logfile_maxbytes"], Some("BYTES"), "rotate the activity log at this size"),
    (Flag::LogfileBackups, &["-z", "--logfile_backups"], Some("NUM"), "how many rotated activity logs to keep"),
    (
        Flag::Loglevel,
        &["-e", "--loglevel"],
        Some("LEVEL"),
        "least severe level to log: critical, error, warn, info, debug, trace, blather",
    ),
    (Flag::Pidfile, &["-j", "--pidfile"], Some("FILENAME"), "where to write the daemon's process id"),
    (Flag::Identifier, &["-i", "--identifier"], Some("STR"), "name of this daemon towards clients and listeners"),
    (Flag::Childlogdir, &["-q", "--childlogdir"], Some("DIR"), "directory of automatic child logs"),
    (Flag::Nocleanup, &["-k", "--nocleanup"], None, "keep automatic child logs of an earlier run"),
    (Flag::Minfds, &["-a", "--minfds"], Some("NUM"), "file descriptors the daemon must be able to open"),
    (Flag::Minprocs, &["--minprocs"], Some("NUM"), "processes the daemon must be able to create"),
    (Flag::StripAnsi, &["-t", "--strip_ansi"], None, "remove terminal escape sequences from child logs"),
    (
        Flag::ProfileOptions,
        &["--profile_options"],
        Some("LIST"),
        "accepted for compatibility; there is no interpreter to profile, use perf(1)",
    ),
];

/// Reads a command line, the program's name first. The error is the text for stderr; the exit status is 2.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<ParsedCommandLine, String> {
    let line = getopt::split(&forms(), arguments.into_iter().skip(1)).map_err(|misuse| refusal(&misuse))?;
    if let Some(word) = line.words.first() {
        return Err(refusal(&Misuse::unexpected(word)));
    }
    let uses = line.options;
    let wanted = wanted_text(&uses);
    let before = wanted.as_ref().map_or(uses.len(), |(end, _)| *end);
    let given = uses[..before].iter().filter_map(|used| {
        let (flag, ..) = SETTINGS.iter().find(|(_, spellings, ..)| spellings[0] == used.name)?;
        Some(Given { flag: *flag, spelling: used.spelling.to_owned(), value: used.value.clone() })
    });
    let settings = CommandLineFlags { given: given.collect() };
    Ok(match wanted {
        Some((_, text)) => ParsedCommandLine::Print(text, settings),
        None => {
            let named = settings.given.iter().find(|given| given.flag == Flag::Configuration);
            let options = Options { configuration: named.map(|given| given.value.clone()), settings };
            match inquiry(&uses)? {
                Some(inquiry) => ParsedCommandLine::Inquire(inquiry, options),
                None => ParsedCommandLine::Run(options),
            }
        }
    })
}

/// What is wrong with a command line, with advice for words that other tools know.
fn refusal(misuse: &Misuse) -> String {
    misuse.complaint(advice_of_daemon(&misuse.word), "supervisord [options]")
}

const CHECK: &str = "--check";
const RESOLVED: &str = "--resolved";
const FORMAT: &str = "--format";
const JSON_SCHEMA: &str = "--json-schema";
const HELP: &str = "--help";
const VERSION: &str = "--version";

/// What is asked about the configuration.
fn inquiry(uses: &[OptionUse]) -> Result<Option<Inquiry>, String> {
    let is_there = |option| first(uses, option).is_some();
    let mut is_json = false;
    for format in uses.iter().filter(|used| used.name == FORMAT) {
        is_json = match format.value.as_str() {
            "json" => true,
            "text" => false,
            other => return Err(format!("Error: invalid value for {FORMAT} '{other}': write text or json\n")),
        };
    }
    let subject = match (is_there(CHECK), is_there(RESOLVED)) {
        (true, true) => return Err(format!("Error: {CHECK} and {RESOLVED} exclude each other\n")),
        (true, false) => InquirySubject::Problems,
        (false, true) => InquirySubject::Values,
        (false, false) if is_there(FORMAT) => {
            return Err(format!("Error: {FORMAT} means nothing without {CHECK} or {RESOLVED}\n"));
        }
        (false, false) => return Ok(None),
    };
    Ok(Some(Inquiry { subject, is_json }))
}

/// What is only to be printed, the schema, or the help or the version, whichever was asked for first, and where it was.
fn wanted_text(uses: &[OptionUse]) -> Option<(usize, String)> {
    if let Some(schema) = first(uses, JSON_SCHEMA) {
        return Some((schema, json_schema::text()));
    }
    match (first(uses, HELP), first(uses, VERSION)) {
        (Some(help), version) if version.is_none_or(|version| help < version) => Some((help, help_text())),
        (_, version) => Some((version?, format!("{SUPERVISOR_VERSION}\n"))),
    }
}

/// Where an option is used first.
fn first(uses: &[OptionUse], name: &str) -> Option<usize> {
    uses.iter().position(|used| used.name == name)
}

/// All options.
fn forms() -> Vec<OptionForm> {
    const OTHERS: [OptionForm; 6] = [
        OptionForm { spellings: &[CHECK], value: None },
        OptionForm { spellings: &[RESOLVED], value: None },
        OptionForm { spellings: &[JSON_SCHEMA], value: None },
        OptionForm { spellings: &[FORMAT], value: Some("FORMAT") },
        OptionForm { spellings: &[HELP, "-h", "-?"], value: None },
        OptionForm { spellings: &[VERSION, "-v"], value: None },
    ];
    let settings = SETTINGS.into_iter().map(|(_, spellings, value, _)| OptionForm { spellings, value });
    settings.chain(OTHERS).collect()
}

/// The help in the original's shape, one line an option.
fn help_text() -> String {
    let line = |(_, spellings, value, help): Row| {
        let value = value.map_or_else(String::new, |value| format!(" {value}"));
        format!("{}{value} -- {help}\n", spellings.join("/"))
    };
    let settings = SETTINGS.map(line).concat();
    format!(
        "supervisord -- run a set of applications as daemons.\n\nUsage: supervisord [options]\n\nOptions:\n\
         {settings}-v/--version -- print the version and exit\n-h/--help -- print this text and exit\n\n\
         {CHECK} -- check the configuration and exit with 0 (no problems), 1 (warnings) or 2 (errors)\n\
         {RESOLVED} -- print every option with its value and where it comes from, and exit\n\
         {FORMAT} FORMAT -- text or json, for {CHECK} and {RESOLVED}\n\
         {JSON_SCHEMA} -- print a JSON schema of the configuration for editors, and exit\n\n\
         supervisord ctl -- the client, as supervisorctl; see supervisord ctl --help\n\
         supervisord hash-password -- print the hash of a password; see supervisord hash-password --help\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Options {
        let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
        match parse(arguments) {
            Ok(ParsedCommandLine::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn short_long_attached_bundled_and_abbreviated_forms_are_the_same() {
        for line in ["-c f -n", "-cf -n", "-c=f -n", "-nc f", "--configuration f --nodaemon", "--conf=f --nod"] {
            let options = run(line);
            assert_eq!(options.configuration.as_deref(), Some("f"), "{line}");
            assert!(options.settings.given.iter().any(|given| given.flag == Flag::Nodaemon), "{line}");
        }
    }

    #[test]
    fn an_option_is_called_what_it_was_called() {
        for (line, name) in
            [("-y 1", "-y"), ("--logfile_maxbytes=1", "--logfile_maxbytes"), ("--logfile_m 1", "--logfile_maxbytes")]
        {
            assert_eq!(run(line).settings.given[0].spelling, name, "{line}");
        }
        let both = run("--nodaemon -y 1 --logfile_m 2").settings.given;
        assert_eq!(
            both.iter().map(|given| given.spelling.as_str()).collect::<Vec<_>>(),
            ["--nodaemon", "-y", "--logfile_maxbytes"]
        );
    }

    #[test]
    fn the_configuration_is_inquired_about_in_place_of_running() {
        let parsed =
            |line: &str| parse(std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from));
        for (line, subject, is_json) in [
            ("--check", InquirySubject::Problems, false),
            ("-n --check --format json -c f", InquirySubject::Problems, true),
            ("--resolved --format=text", InquirySubject::Values, false),
        ] {
            let Ok(ParsedCommandLine::Inquire(inquiry, _)) = parsed(line) else { panic!("{line}") };
            assert_eq!(inquiry, Inquiry { subject, is_json }, "{line}");
        }
        for (line, expected) in [
            ("--check --resolved", "exclude each other"),
            ("--format json", "means nothing without"),
            ("--check --format yaml", "write text or json"),
        ] {
            let refused = parsed(line).expect_err(line);
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn an_exact_name_beats_longer_ones() {
        let options = run("--logfile x");
        assert_eq!(options.settings.given[0].flag, Flag::Logfile);
    }

    #[test]
    fn mistakes_are_errors() {
        for line in ["-Z", "--nosuch", "-c", "a b", "--log x", "-h a", "-h -Z", "-v -Z"] {
            let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
            assert!(parse(arguments).is_err(), "{line}");
        }
    }

    #[test]
    fn words_of_other_tools_are_advised_about() {
        for (line, expected) in [
            ("--dry-run", "supervisord --check"),
            ("-c f configtest", "supervisord --check"),
            ("--fleet", "supervisorctl --fleet"),
            ("restart web", "supervisorctl status"),
        ] {
            let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
            let refused = parse(arguments).expect_err(line);
            assert!(refused.contains(expected) && !refused.contains("similar"), "{refused}");
        }
    }

    #[test]
    fn help_and_version_print() {
        for (line, beginning) in [
            ("-h", "supervisord -- "),
            ("-?", "supervisord -- "),
            ("--help", "supervisord -- "),
            ("-h -h -v", "supervisord -- "),
            ("-v", "4.3.0\n"),
            ("--version", "4.3.0\n"),
            ("--vers -n", "4.3.0\n"),
            ("-v -h", "4.3.0\n"),
        ] {
            let arguments = std::iter::once("supervisord").chain(line.split_whitespace()).map(OsString::from);
            match parse(arguments) {
                Ok(ParsedCommandLine::Print(text, _)) => assert!(text.starts_with(beginning), "{line}: {text}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_stands_before_the_help_is_looked_at_and_what_stands_behind_is_not() {
        let arguments = "supervisord -n -a 1 -h -a x -n -h -a y".split(' ').map(OsString::from);
        let Ok(ParsedCommandLine::Print(_, before)) = parse(arguments) else { panic!("it is the help") };
        let before: Vec<&str> = before.given.iter().map(|given| given.spelling.as_str()).collect();
        assert_eq!(before, ["-n", "-a"]);
    }

    #[test]
    fn options_are_taken_in_their_order() {
        let given: Vec<String> =
            run("-m 1 -a x -m 2 -c f").settings.given.into_iter().map(|given| given.spelling).collect();
        assert_eq!(given, ["-m", "-a", "-m", "-c"]);
    }
}
