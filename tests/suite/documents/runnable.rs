//! The blocks of the documentation that begin with ```` ```sh,runnable ````: those of a page are one script, which is run in an
//! empty directory and must succeed and leave nothing running.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::documents::book::files;
use crate::harness::{Program, Subject, command, needs, processes, wait};

const MARK: &str = "```sh,runnable\n";

/// The script of a page; none where nothing is marked.
fn script(page: &str) -> Option<String> {
    let blocks: Vec<&str> = page.split(MARK).skip(1).filter_map(|after| after.split("\n```").next()).collect();
    (!blocks.is_empty()).then(|| blocks.join("\n"))
}

/// A `supervisorctl` whose `wait` is as patient as the tests: a reader's machine is not that busy.
fn patient_ctl() -> String {
    let ctl = Subject::Ours.path(Program::Supervisorctl).display().to_string();
    let limit = wait::DEADLINE.as_secs();
    format!(
        "#!/bin/sh\nfor word do\n    shift\n    set -- \"$@\" \"$word\"\n\
         \x20   [ \"$word\" != wait ] || set -- \"$@\" --timeout {limit}s\ndone\nexec '{ctl}' \"$@\"\n"
    )
}

/// A directory with our programs under their names.
fn programs(directory: &Path) {
    fs::create_dir(directory).expect("a directory");
    for (program, name) in [
        (Program::Supervisord, "supervisord"),
        (Program::EchoSupervisordConf, "echo_supervisord_conf"),
        (Program::Pidproxy, "pidproxy"),
    ] {
        symlink(Subject::Ours.path(program), directory.join(name)).expect("a link");
    }
    let ctl = directory.join("supervisorctl");
    command::write_program(&patient_ctl(), &ctl);
}

/// The logs that a script has left in its directory.
fn logs(work: &Path) -> String {
    let entries = fs::read_dir(work).into_iter().flatten().flatten();
    let logs = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "log"));
    logs.map(|log| format!("--- {}\n{}\n", log.display(), fs::read_to_string(&log).unwrap_or_default())).collect()
}

/// Runs the script of a page. What it has left running is ended, and the test fails.
fn run(name: &str, script: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let (bin, work) = (place.path().join("bin"), place.path().join("work"));
    programs(&bin);
    fs::create_dir(&work).expect("a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-euc", script]).current_dir(&work).env("PATH", path).env("RUNNABLE", place.path());
    let output = command::run(&mut shell, "");
    let mark = format!("RUNNABLE={}", place.path().display());
    // The daemon has answered `shutdown` before it ends.
    let left = || processes::with_environment(&mark);
    let ended = output.code != 0 || wait::poll(wait::DEADLINE, || left().is_empty().then_some(())).is_some();
    for pid in left() {
        processes::signal(pid, Signal::SIGKILL);
    }
    assert_eq!(output.code, 0, "{name}: {}{}", output.transcript(), logs(&work));
    assert!(ended, "{name} leaves processes behind");
}

#[test]
fn the_blocks_marked_runnable_run() {
    needs::program("node");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    std::thread::scope(|scope| {
        for page in
            files(&root.join("docs"), "md").into_iter().chain([root.join("README.md"), root.join("CONTRIBUTING.md")])
        {
            let Ok(text) = fs::read_to_string(&page) else { continue };
            if let Some(script) = script(&text) {
                found += 1;
                scope.spawn(move || run(&page.display().to_string(), &script));
            }
        }
    });
    assert!(found > 3, "the documentation has hardly a runnable block");
}

#[test]
fn the_blocks_of_a_page_are_one_script() {
    let page = "a\n\n```sh,runnable\necho 1\n```\n\n```sh\nnot this\n```\n\n```sh,runnable\necho 2\n```\n";
    assert_eq!(script(page).as_deref(), Some("echo 1\necho 2"));
    assert_eq!(script("```sh\necho\n```\n"), None);
}
