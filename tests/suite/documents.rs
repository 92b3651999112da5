//! The statements of the documentation that can be checked.

pub mod book;
mod events_page;
mod reference;
mod runnable;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Program, Scene, Subject, each_subject, http, needs, processes};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files under version control.
fn tracked() -> Vec<PathBuf> {
    let list = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(!names.is_empty(), "{}", String::from_utf8_lossy(&list.stderr));
    names.split('\0').filter(|name| !name.is_empty()).map(|name| root().join(name)).collect()
}

#[test]
fn the_quick_start_runs_unchanged() {
    each_subject(|subject| {
        let text = read("examples/quickstart/supervisord.conf");
        assert!(text.contains("port=127.0.0.1:9001"));
        let scene = Scene::new("quickstart").file("run/.keep", "").config(&text.replace("9001", "{port}"));
        let mut daemon = scene.launch(subject);
        daemon.wait_until("it runs", |daemon| {
            daemon.read("run/supervisord.log").contains("success: workers")
                || daemon.read("run/supervisord.log").contains("success: worker_1")
        });
        let port = daemon.ports[0];
        let page = http::request(&mut *http::tcp(port).expect("it listens"), "GET", "/", &[], b"").expect("an answer");
        assert_eq!(page.status(), 200);
        assert!(page.text().contains("workers:worker_1"), "{}", page.text());
        daemon.wait_until("five run", |daemon| {
            daemon.ctl(&["status"]).stdout.lines().filter(|line| line.contains("RUNNING")).count() == 5
        });
        let pid: i32 = daemon.ctl(&["pid", "mortal"]).stdout.trim().parse().expect("a pid");
        processes::signal(pid, nix::sys::signal::Signal::SIGKILL);
        daemon.wait_until("it is back", |daemon| {
            let now = daemon.ctl(&["pid", "mortal"]).stdout.trim().parse().unwrap_or(0);
            now != 0 && now != pid
        });
        daemon.ctl(&["start", "report"]);
        daemon.wait_until("it has reported", |daemon| daemon.ctl(&["tail", "report"]).stdout.contains("done\n"));
    });
}

/// Every file and program in a command of the README exists.
#[test]
fn the_readme_commands_exist() {
    let readme = read("README.md");
    for command in [
        "cargo run --profile quick --bin supervisord -- -n -c examples/quickstart/supervisord.conf",
        "cargo test --workspace",
    ] {
        assert!(readme.contains(command), "the README names `{command}`");
    }
    for word in readme.split_whitespace().filter(|word| word.starts_with("examples/") || word.starts_with("docs/")) {
        let path = word.split(['`', ',', '\'', '(', ')']).next().unwrap_or_default().trim_end_matches('.');
        assert!(root().join(path).exists(), "the README names {path}");
    }
    for (_, target) in links(&readme) {
        if !target.contains("://") {
            assert!(root().join(&target).exists(), "the README links to {target}");
        }
    }
    let ci = read(".ci/run");
    assert!(ci.contains("cargo test --workspace"), ".ci/run runs the same tests as the README");
}

/// The texts and targets of Markdown links.
fn links(markdown: &str) -> Vec<(String, String)> {
    let pieces = markdown.split("](").zip(markdown.split("](").skip(1));
    pieces
        .filter_map(|(before, after)| {
            let text = before.rsplit('[').next()?;
            Some((text.to_owned(), after.split(')').next()?.to_owned()))
        })
        .collect()
}

/// No file contains a path of the machine on which it was made.
#[test]
fn no_file_names_the_build_machine() {
    let place = root().display().to_string();
    for path in tracked() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        assert!(!text.contains(&place), "{} contains {place}", path.display());
        if path.ends_with("Cargo.lock") {
            let sources: BTreeSet<&str> = text.lines().filter(|line| line.starts_with("source")).collect();
            assert_eq!(sources.len(), 1, "all packages come from one place: {sources:?}");
        }
    }
}

/// A clean exit is final, a crash is not; reload applies the configuration; `systemd-analyze verify` finds nothing.
#[test]
fn the_systemd_unit_does_what_the_documentation_says() {
    let unit = read("packaging/supervisord.service");
    let settings: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    let process = ["KillMode=process", "OOMPolicy=continue", "Delegate=yes"];
    let reload = ["Type=notify-reload", "ReloadSignal=SIGURG", "FileDescriptorStoreMax=4096"];
    let life = ["WatchdogSec=1min", "Restart=on-failure", "TimeoutStopSec=15min"];
    for setting in process.into_iter().chain(reload).chain(life) {
        assert!(settings.contains(&setting), "the unit lacks {setting}");
    }
    let reload = settings.iter().find_map(|line| line.strip_prefix("ExecReload=/usr/bin/supervisorctl"));
    assert_eq!(reload.and_then(|line| line.split_whitespace().last()), Some("update"));
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("supervisord.service");
    let programs = Subject::Ours.path(Program::Supervisord);
    let programs = programs.parent().expect("a directory").display().to_string();
    fs::write(&copy, unit.replace("/usr/bin", &programs)).expect("written");
    let verified = Command::new(needs::program("systemd-analyze")).args(["verify", "--man=no"]).arg(&copy).output();
    let verified = verified.expect("it runs");
    // What releases before 253 do not know they ignore; the line before says what they use instead.
    let is_unknown = |line: &&str| line.contains(": notify-reload") || line.contains("'ReloadSignal'");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let complaints: Vec<&str> = said.lines().filter(|line| !is_unknown(line)).collect();
    assert!(verified.status.success() && complaints.is_empty(), "{verified:?}");
    let fallback = settings.iter().position(|line| *line == "Type=notify").expect("one for releases before 253");
    assert_eq!(settings[fallback + 1], "Type=notify-reload");
}
