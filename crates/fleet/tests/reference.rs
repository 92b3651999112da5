//! The manual page comes from the definition of the command line.
//!
//! With the variable `REGENERATE` the test writes them; without it, it compares.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::{Arg, ArgAction, Command};
use supervisord_fleet::command_line::command;

const NAME: &str = "supervisor-fleet";
const REGENERATE: &str = "REGENERATE=1 cargo test -p supervisord-fleet --test reference";

const DESCRIPTION: &str = ".PP
An agent runs beside the \\fBsupervisord\\fR of each host and connects to a NATS server with JetStream. The other commands reach
all hosts, or those that \\fB\\-H\\fR selects, through that server. \\fBsupervisorctl \\-\\-fleet ...\\fR is the same as
\\fBsupervisor\\-fleet ...\\fR.
";

const ENVIRONMENT: [(&str, &str); 9] = [
    ("SUPERVISOR_FLEET_NATS", "the same as --nats"),
    ("SUPERVISOR_FLEET_CREDS", "the same as --creds"),
    ("SUPERVISOR_FLEET_USER", "the same as --user"),
    ("SUPERVISOR_FLEET_PASSWORD_FILE", "the same as --password-file"),
    ("SUPERVISOR_FLEET_CA", "the same as --ca"),
    ("SUPERVISOR_FLEET_CERT", "the same as --cert"),
    ("SUPERVISOR_FLEET_KEY", "the same as --key"),
    ("SUPERVISOR_FLEET_AS", "the same as --as"),
    ("SUPERVISOR_SERVER_URL", "for the agent, the same as --daemon; supervisord sets it for its programs"),
];

const FILES: [(&str, &str); 1] =
    [("/var/lib/supervisor-fleet", "state of the agent: the commands it has executed, so that none is executed twice")];

const STATUSES: [(&str, &str); 6] = [
    ("0", "every host answered, and did what was asked"),
    ("1", "a request failed"),
    ("2", "the command line cannot be used"),
    ("3", "status listed a program that does not run"),
    ("4", "status of an unknown program or of a host that did not answer; or the server refused the request"),
    ("7", "the server cannot be reached"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Text as it stands, in the language of manual pages.
fn literal(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

fn list(items: &[(&str, &str)]) -> String {
    items.iter().map(|(term, text)| format!(".TP\n\\fB{}\\fR\n{}\n", literal(term), literal(text))).collect()
}

/// An option or argument, with its value.
fn term(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().iter().map(|name| name.to_string());
    let value = names.collect::<Vec<_>>().join(" ");
    let value = if arg.get_action().takes_values() { format!(" \\fI{}\\fR", literal(&value)) } else { String::new() };
    let short = arg.get_short().map(|letter| format!("\\fB\\-{letter}\\fR"));
    let long = arg.get_long().map(|word| format!("\\fB\\-\\-{}\\fR", literal(word)));
    let forms: Vec<String> = short.into_iter().chain(long).collect();
    if forms.is_empty() {
        format!("\\fI{}\\fR", arg.get_id().as_str().to_uppercase())
    } else {
        forms.join(", ") + &value
    }
}

/// The arguments of a command that are its own, or those that all commands have.
fn arguments(command: &Command, global: bool) -> String {
    let own = command.get_arguments().filter(|arg| arg.is_global_set() == global);
    let item =
        |arg: &Arg| format!(".TP\n{}\n{}\n", term(arg), literal(&arg.get_help().unwrap_or_default().to_string()));
    own.map(item).collect()
}

/// How a command is called.
fn synopsis(command: &Command) -> String {
    let mut words = vec![format!("\\fB{} {}\\fR", literal(NAME), literal(command.get_name()))];
    let own = || command.get_arguments().filter(|arg| !arg.is_global_set());
    for arg in own().filter(|arg| !arg.is_positional()).chain(own().filter(|arg| arg.is_positional())) {
        let is_repeated = matches!(arg.get_action(), ArgAction::Append)
            || arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let dots = if is_repeated { "..." } else { "" };
        words.push(if arg.is_required_set() {
            format!("{}{dots}", term(arg))
        } else {
            format!("[{}]{dots}", term(arg))
        });
    }
    words.join(" ") + "\n"
}

fn manual() -> String {
    let whole = command();
    let commands: Vec<&Command> = whole.get_subcommands().collect();
    let about = |command: &Command| literal(&command.get_about().unwrap_or_default().to_string());
    let described = commands.iter().map(|command| {
        format!(".SS \"{}\"\n.PP\n{}.\n{}", literal(command.get_name()), about(command), arguments(command, false))
    });
    format!(
        ".\\\" Written by the test `reference` of supervisord-fleet; do not edit.\n\
         .TH \"SUPERVISOR\\-FLEET\" 1 \"\" \"supervisor\\-fleet {}\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.nf\n{}.fi\n\
         .SH DESCRIPTION\n{DESCRIPTION}.SH COMMANDS\n{}.SH \"OPTIONS OF ALL COMMANDS\"\n{}.SH ENVIRONMENT\n{}.SH FILES\n{}\
         .SH \"EXIT STATUS\"\n{}.SH SEE ALSO\nsupervisord(8), supervisorctl(1), nats\\-server(8)\n",
        env!("CARGO_PKG_VERSION"),
        literal(NAME),
        about(&whole).to_lowercase().replace("nats", "NATS"),
        commands.iter().map(|command| synopsis(command)).collect::<String>(),
        described.collect::<String>(),
        arguments(&whole, true),
        list(&ENVIRONMENT),
        list(&FILES),
        list(&STATUSES),
    )
}

#[test]
fn the_manual_page_is_up_to_date() {
    let (path, text) = (root().join("docs/man/supervisor-fleet.1"), manual());
    if std::env::var_os("REGENERATE").is_some() {
        return fs::write(path, text).expect("written");
    }
    let is_true = fs::read_to_string(&path).is_ok_and(|written| written == text);
    assert!(is_true, "{} does not say what the program says; run `{REGENERATE}`", path.display());
}

/// Every variable of the manual page is one that the program reads, and the other way round.
#[test]
fn the_manual_page_names_the_variables_that_the_program_reads() {
    let source = fs::read_to_string(root().join("crates/fleet/src/command_line.rs")).expect("the source");
    let read: std::collections::BTreeSet<&str> = source
        .split('"')
        .filter(|word| {
            word.starts_with("SUPERVISOR_") && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    assert_eq!(read, ENVIRONMENT.iter().map(|(name, _)| *name).collect());
}

/// What a shell prints that runs this text, with the program in its path.
fn shell(shell: &str, text: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_supervisor-fleet")).with_file_name("");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let run = Process::new(shell).args(["-c", text]).env("PATH", path).env("HOME", std::env::temp_dir()).output();
    let output = run.unwrap_or_else(|error| panic!("{shell}: {error}: install the Debian package {shell}"));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn shells_complete_the_command_line() {
    let scripts = root().join("packaging/completions");
    let scripts = scripts.display();
    let bash = format!(
        ". '{scripts}/supervisor-fleet.bash'; COMP_WORDS=(supervisor-fleet sta); COMP_CWORD=1; \
         _supervisor__fleet supervisor-fleet sta supervisor-fleet; echo \"${{COMPREPLY[@]}}\"; complete -p supervisor-fleet"
    );
    let completed = shell("bash", &bash);
    assert!(completed.starts_with("status start\n") && completed.contains("-F _supervisor__fleet"), "{completed}");
    let fish = format!("source '{scripts}/supervisor-fleet.fish'; complete -C 'supervisor-fleet restart --ro'");
    assert!(shell("fish", &fish).starts_with("--rolling"));
    let zsh = format!(
        "autoload -Uz compinit; compinit -u -D; . '{scripts}/_supervisor-fleet' 2>/dev/null; \
         whence -w _supervisor-fleet; echo $_comps[supervisor-fleet]"
    );
    assert_eq!(shell("zsh", &zsh), "_supervisor-fleet: function\n_supervisor-fleet\n");
}
