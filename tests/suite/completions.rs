//! The scripts in `packaging/completions` parse, and complete actions, options and the names of programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Daemon, Program, Scene, Subject, command, needs, only_ours};

const PROGRAMS: &str = "[program:web]\ncommand=cat\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n\
[program:db]\ncommand=cat\n";

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions").join(name)
}

/// What a shell prints that runs this text, with our programs in its path.
fn shell(program: &str, text: &str) -> String {
    let ours = Subject::Ours.path(Program::Supervisorctl);
    let path =
        format!("{}:{}", ours.parent().expect("a directory").display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new(needs::program(program));
    shell.args(["-c", text]).env("PATH", path).env("HOME", std::env::temp_dir());
    let output = command::run(&mut shell, "");
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{program} -c {text}: {output:?}");
    output.stdout
}

/// Asks for the completions of lines that begin with `supervisorctl -c FILE `, and compares them.
fn complete(ask: impl Fn(&Daemon, &str) -> String, colon_breaks: bool) {
    only_ours(|| {
        let mut daemon = Scene::with("complete", PROGRAMS).start(Subject::Ours);
        daemon.wait_for_states(&["db", "web:web_0"], "RUNNING");
        let words = |line: &str| -> Vec<String> {
            let mut words: Vec<String> = ask(&daemon, line).lines().map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(words("sta"), ["start", "status"]);
        assert_eq!(words("status --w"), ["--watch", "--wide"]);
        assert_eq!(words("restart d"), ["db"]);
        assert_eq!(words("restart db w"), ["web:*", "web:web_0", "web:web_1"]);
        let after_colon: &[&str] = if colon_breaks { &["web_0", "web_1"] } else { &["web:web_0", "web:web_1"] };
        assert_eq!(words("stop web:w"), after_colon);
        assert_eq!(words("update "), ["db", "web"]);
        assert_eq!(words("wait db --for h"), ["healthy"]);
        assert_eq!(words("scale d"), ["db="]);
        assert!(words("stop nosuch").is_empty());
    });
}

/// The beginning of each line.
fn prefix(daemon: &Daemon) -> String {
    format!("supervisorctl -c {}", daemon.path("supervisord.conf").display())
}

#[test]
fn bash_completes_names() {
    let ask = |daemon: &Daemon, line: &str| {
        let line = format!("{} {line}", prefix(daemon));
        let file = script("supervisorctl.bash");
        shell(
            "bash",
            &format!(
                ". '{}'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _supervisorctl; \
                 for word in \"${{COMPREPLY[@]}}\"; do echo \"$word\"; done",
                file.display()
            ),
        )
    };
    complete(ask, true);
}

#[test]
fn zsh_completes_names() {
    let ask = |daemon: &Daemon, line: &str| {
        // `compadd` offers those words that begin with what is typed.
        let (before, typed) = line.rsplit_once(' ').map_or(("", line), |(before, typed)| (before, typed));
        let words = format!("{} {before}", prefix(daemon));
        shell(
            "zsh",
            &format!(
                "compadd() {{ shift; for word in $@; do [[ $word == $PREFIX* ]] && print -r -- $word; done; true }}; \
                 words=({words} '{typed}'); CURRENT=${{#words}}; PREFIX='{typed}'; service=supervisorctl; source '{}'",
                script("_supervisorctl").display()
            ),
        )
    };
    complete(ask, false);
}

#[test]
fn fish_completes_names() {
    let ask = |daemon: &Daemon, line: &str| {
        let line = format!("{} {line}", prefix(daemon));
        let found =
            shell("fish", &format!("source '{}'; complete -C '{line}'", script("supervisorctl.fish").display()));
        // A description may stand behind a tab.
        found.lines().map(|line| format!("{}\n", line.split('\t').next().unwrap_or_default())).collect()
    };
    complete(ask, false);
}

#[test]
fn options_of_the_daemon_are_completed_from_its_help() {
    let bash = format!(
        ". '{}'; COMP_WORDS=(supervisord --noda); COMP_CWORD=1; _supervisord; echo \"${{COMPREPLY[@]}}\"",
        script("supervisorctl.bash").display()
    );
    assert_eq!(shell("bash", &bash), "--nodaemon\n");
    let fish = format!("source '{}'; complete -C 'supervisord --noda'", script("supervisord.fish").display());
    assert!(shell("fish", &fish).starts_with("--nodaemon"));
    let help = command::run(Command::new(Subject::Ours.path(Program::Supervisord)).arg("--help"), "").stdout;
    assert!(help.contains("--nodaemon"), "{help}");
    assert!(fs::read_to_string(script("_supervisorctl")).expect("a script").starts_with("#compdef supervisorctl"));
}
