//! The command lines of `supervisord` and `echo_supervisord_conf`.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Stdio;

use nix::unistd::geteuid;
use supervisord_config::schema::TABLE;

use crate::harness::areas::Area;
use crate::harness::command::run;
use crate::harness::{
    Observed, Program, Scene, Subject, compare_refusal, compare_runs, each_subject, only_ours, record,
};

const SLEEPER: &str = "[program:p]\ncommand=sh -c 'echo x; exec sleep 1000'\nstartsecs=0\nstderr_logfile=NONE\n";

/// All options at once: short, long, long with a separate value, and as short as they are unambiguous.
const SPELLINGS: [&str; 4] = [
    "-n -m 027 -d {dir}/there -l {dir}/other.log -y 1MB -z 3 -e debug -j {dir}/other.pid -i myself -q {dir}/there -k -a 500 -t --minprocs 50",
    "--nodaemon --umask=027 --directory={dir}/there --logfile={dir}/other.log --logfile_maxbytes=1MB --logfile_backups=3 \
     --loglevel=debug --pidfile={dir}/other.pid --identifier=myself --childlogdir={dir}/there --nocleanup --minfds=500 --strip_ansi \
     --minprocs=50 --configuration=supervisord.conf",
    "--nodaemon --umask 027 --directory {dir}/there --logfile {dir}/other.log --loglevel debug --pidfile {dir}/other.pid \
     --identifier myself --childlogdir {dir}/there --minfds 500 --minprocs 50 --silent",
    "-nkt -m027 -d{dir}/there -l{dir}/other.log -edebug -j{dir}/other.pid -imyself --chil {dir}/there --minf 500 --minp 50 -s",
];

/// Options that are not among the spellings, each with the place of its test.
const ELSEWHERE: [&str; 8] = [
    "help",            // below
    "version",         // below
    "user",            // users
    "profile_options", // below
    "check",           // checking
    "format",          // checking
    "resolved",        // checking
    "json-schema",     // checking
];

/// Options that only ours has.
const ADDED: [&str; 4] = ["--check", "--format", "--json-schema", "--resolved"];

#[test]
fn profile_options_are_accepted_without_effect() {
    only_ours(|| {
        let help = Scene::with("profile", "").arguments(&["--help"]).run(Subject::Ours);
        assert!(help.stdout.contains("--profile_options") && help.stdout.contains("perf(1)"), "{help:?}");
        let scene = Scene::with("profile", SLEEPER).arguments(&["-n", "--profile_options=cumulative,calls"]);
        let mut daemon = scene.launch(Subject::Ours);
        daemon.wait_for_log("success: p");
        assert_eq!(daemon.stop(), 0);
    });
}

#[test]
fn every_spelling_of_an_option_does_the_same() {
    for arguments in SPELLINGS {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let scene = Scene::with("spellings", SLEEPER).arguments(&arguments).file("there/.keep", "");
        compare_runs(|subject| {
            let mut daemon = scene.launch(subject);
            let mut observed = Observed::new();
            daemon.wait_until("it runs", |daemon| daemon.read("other.log").contains("success: p"));
            observed.note(&daemon, "name", daemon.call("supervisor.getIdentification", &[]));
            observed.note(&daemon, "files", daemon.names().join(" "));
            observed.exactly("pid file", daemon.read("other.pid").trim() == daemon.launched_pid().to_string());
            daemon.wait_until("the level shows", |daemon| daemon.read("other.log").contains(" DEBG "));
            let log = daemon.info("p").get("stdout_logfile").text().to_owned();
            observed.note(&daemon, "log of the program", log.rsplit_once('-').expect("it has a random end").0);
            let log = daemon.read("other.log");
            let lines =
                log.lines().filter(|line| [" INFO ", " CRIT ", " WARN "].iter().any(|level| line.contains(level)));
            observed.note(&daemon, "activity log", lines.collect::<Vec<_>>().join("\n"));
            observed.exactly("echo", daemon.stdout().is_empty());
            observed
        });
    }
}

#[test]
fn invalid_command_lines_are_refused_the_same_way() {
    for arguments in [
        "-c nowhere.conf",
        "-c {dir}",
        "-m 999",
        "-m x",
        "-d {dir}/nowhere",
        "-y 1XB",
        "-z x",
        "-e loud",
        "-q {dir}/nowhere",
        "-a x",
        "--minprocs x",
        "-u no-such-user",
        "-u 999999",
        "-l {dir}/nowhere/log",
        "-j {dir}/nowhere/pid",
        "-n",
        "-e info -e warn",
        "-c {dir}/a -c {dir}/b",
        "-a x -h",
        "-e loud -v",
        "-m 999 -v",
        "-z 1x -h",
        "-y 1xb -v",
        "-d {dir}/nowhere -h",
        "-q {dir}/nowhere -v",
        "-l {dir}/nowhere/log -v",
        "-y 1x --logfile_maxbytes 1 -h",
        "--nodaemon -h",
        "--profile_options a --prof b -v",
        "-e info -e warn -h",
        "-a x -m x",
    ] {
        let arguments: Vec<&str> = ["-n"].into_iter().chain(arguments.split(' ')).collect();
        compare_refusal(&Scene::with("wrong", "").arguments(&arguments));
    }
}

/// The parser words errors about unknown options itself; see docs/differences.md.
#[test]
fn unknown_options_exit_with_the_same_status() {
    compare_runs(|subject| {
        let mut observed = Observed::new();
        for arguments in
            ["-x", "--nonsense", "-m", "--umask", "--m=1", "--nodaemon=true", "-c", "-h -x", "-v -m", "word"]
        {
            let output = Scene::with("unknown", "").arguments(&arguments.split(' ').collect::<Vec<_>>()).run(subject);
            observed.exactly(arguments, format!("{} {:?}", output.code, output.stdout));
        }
        observed
    });
}

#[test]
fn version_and_help_are_the_same() {
    compare_runs(|subject| {
        let mut observed = Observed::new();
        for arguments in [
            "-v",
            "--version",
            "-h",
            "--help",
            "-nv",
            "-?",
            "-h -n -n",
            "-v -c a -c b",
            "-a 1 -h -a x",
            "-v -d /nowhere",
        ] {
            let output = Scene::with("print", "").arguments(&arguments.split(' ').collect::<Vec<_>>()).run(subject);
            // The wording of the help is ours; the options it explains are not.
            let text = if output.stdout.contains("--configuration") {
                let known = options(&output.stdout);
                known.into_iter().filter(|option| !ADDED.contains(&&**option)).collect::<Vec<_>>().join(" ")
            } else {
                output.stdout
            };
            observed.exactly(arguments, format!("{} {text}", output.code));
        }
        observed
    });
}

/// The long options that the help explains, each with its short form.
fn options(help: &str) -> BTreeSet<String> {
    let words = help.lines().filter_map(|line| line.split_whitespace().next());
    words.filter(|word| word.contains("--") && *word != "--").map(str::to_owned).collect()
}

/// Lines of the sample that only ours has, besides those of options that only ours has.
const ADDED_TO_THE_SAMPLE: [&str; 2] = [";numprocs_start=", ";result_handler="];

/// The sections of the sample that only ours has.
const ADDED_SECTIONS: [&str; 5] = [";[user:", ";[ctlplugin:", ";[fcgi-program:", ";[program-default]", ";[template:"];

/// Scripts edit the sample with `sed` and `crudini`: every line that sets something, or is commented out, is the same
/// up to its comment, with the spaces before it. The explanations are ours.
#[test]
fn the_sample_has_the_same_settings() {
    let new = TABLE.iter().filter(|row| row.since.starts_with("0.")).map(|row| format!(";{}=", row.name));
    let added: Vec<String> = ADDED_TO_THE_SAMPLE.into_iter().map(str::to_owned).chain(new).collect();
    compare_runs(|subject| {
        let mut observed = Observed::new();
        for arguments in [&[] as &[&str], &["-h"], &["a", "b"]] {
            let place = Scene::new("sample").set_up(subject);
            let output = run(place.command(&subject.path(Program::EchoSupervisordConf)).args(arguments), "");
            let mut is_added = false;
            let sets: Vec<String> = output
                .stdout
                .lines()
                .filter(|line| !line.is_empty() && *line != ";" && !line.starts_with("; "))
                .filter(|line| {
                    if line.starts_with('[') || line.starts_with(";[") {
                        is_added = ADDED_SECTIONS.iter().any(|header| line.starts_with(header));
                    }
                    !is_added
                })
                .filter(|line| !added.iter().any(|added| line.starts_with(added.as_str())))
                .map(|line| line.split_once(" ;").map_or(line.to_owned(), |(setting, _)| format!("{setting} ;")))
                .collect();
            assert!(sets.len() > 100, "{}", output.stdout);
            observed.exactly("sample", format!("{}\n{}\n{}", output.code, sets.join("\n"), output.stderr));
        }
        observed
    });
}

/// Every option that the original knows is used above.
#[test]
fn coverage() {
    each_subject(|subject| {
        let help = Scene::with("help", "").arguments(&["-h"]).run(subject).stdout;
        let known: BTreeSet<String> = options(&help)
            .iter()
            .filter_map(|option| option.rsplit("--").next())
            .map(|name| name.trim_end_matches(['=', ':']).to_owned())
            .collect();
        assert!(known.len() > 15, "{help}");
        let used = |name: &str| {
            ELSEWHERE.contains(&name)
                || SPELLINGS.iter().any(|line| line.split(['-', ' ', '=']).any(|word| word == name))
        };
        let bare: Vec<&String> = known.iter().filter(|name| !used(name)).collect();
        if subject == Subject::Original {
            record::covered(Area::CommandLine, "options", known.len() - bare.len(), known.len());
        }
        assert!(bare.is_empty(), "options that are never used: {bare:?}");
    });
}

/// Only root can change the user.
#[test]
fn user_on_the_command_line_overrides_the_file() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    for spelling in [&["-n", "-u", "nobody"] as &[&str], &["-n", "--user=65534"]] {
        let scene = Scene::with("user", &format!("{SLEEPER}[supervisord]\nuser=root\n")).open_to_all();
        compare_runs(|subject| {
            let mut daemon = scene.clone().arguments(spelling).start(subject);
            daemon.wait_for_state("p", "RUNNING");
            let mut observed = Observed::new();
            let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
            observed.exactly("user", status.lines().find(|line| line.starts_with("Uid")).unwrap_or_default());
            observed
        });
    }
}

/// The original ends with status 1 where it writes a message, or where it finds the files of a killed daemon.
#[test]
fn a_broken_stdout_or_stderr_does_not_crash_a_program() {
    only_ours(|| {
        let ours = |program| Subject::Ours.path(program);
        let script = format!("#!/bin/sh\nexec '{}' \"$@\" 2>/dev/full\n", ours(Program::Supervisord).display());
        let scene = Scene::with("unread output", "[program:p]\ncommand=sleep 1000\n").script("mute", &script);
        let mut daemon = scene.start(Subject::Ours);
        daemon.crash();
        daemon.start_again_with(&daemon.path("mute"));
        daemon.wait_for_state("p", "RUNNING");
        // Each program gets an argument that it does not know.
        for (program, expected) in [
            (Program::Supervisord, 2),
            (Program::Supervisorctl, 2),
            (Program::EchoSupervisordConf, 1),
            (Program::Pidproxy, 1),
        ] {
            let mut command = daemon.command(&ours(program));
            let full = || File::options().write(true).open("/dev/full").expect("it is there");
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let arguments = if matches!(program, Program::EchoSupervisordConf) { &[][..] } else { &["--nonsense"][..] };
            command.args(arguments).stdin(Stdio::null());
            let closed = command.stdout(full()).stderr(writer).status().expect("it can be executed");
            let full = command.stdout(full()).stderr(full()).status().expect("it can be executed");
            assert_eq!((closed.code(), full.code()), (Some(expected), Some(expected)), "{command:?}");
        }
    });
}
