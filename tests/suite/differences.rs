//! Deliberate differences from the original that no unit test shows; and the check that docs/differences.md names only
//! tests that exist.

use std::fs;
use std::path::Path;

use crate::harness::areas::Area;
use crate::harness::terminal::Terminal;
use crate::harness::{Scene, Subject, only_ours, sources};

/// The rows of the list, each with its area and the tests that pin it.
fn rows() -> Vec<(String, Vec<String>)> {
    let list = read("docs/differences.md");
    let rows = list.lines().filter(|line| line.starts_with("| ")).skip(1);
    let parts = |row: &str| -> Vec<String> {
        let parts = row.trim_start_matches("| ").trim_end_matches('|').trim_end().split(" | ");
        parts.map(str::to_owned).collect()
    };
    rows.map(|row| {
        let parts = parts(row);
        assert_eq!(parts.len(), 5, "an area, two behaviours, a reason and tests: {row}");
        (parts[0].clone(), parts[4].split_whitespace().map(|test| test.trim_matches('`').to_owned()).collect())
    })
    .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_row_of_the_list_names_tests_that_exist() {
    let (rows, known) = (rows(), sources::tests());
    assert!(rows.len() > 50, "the list is read");
    for (area, tests) in &rows {
        assert!(Area::named(area).is_some(), "no area of the compatibility report: {area}");
        assert!(!tests.is_empty(), "a difference of {area} has no test");
    }
    let missing: Vec<_> = rows.iter().flat_map(|(_, tests)| tests).filter(|test| !known.contains(*test)).collect();
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

#[test]
fn clearing_a_whole_group_names_it_as_it_was_written() {
    only_ours(|| {
        let daemon = Scene::with("clear", "[program:a]\ncommand=cat\nautostart=false\n").start(Subject::Ours);
        let output = daemon.ctl(&["clear", "a:*"]).transcript();
        assert!(output.contains("a:*: ERROR (no such process)"), "{output}");
    });
}

#[test]
fn following_a_log_that_does_not_exist_fails() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile=syslog\n[program:a]\ncommand=cat\nstdout_logfile=NONE\n";
        let daemon = Scene::with("follow", text).start(Subject::Ours);
        for arguments in [&["tail", "-f", "nobody"] as &[&str], &["tail", "-f", "a"], &["maintail", "-f"]] {
            let output = daemon.ctl(arguments);
            assert_eq!(output.code, 1, "{}", output.transcript());
        }
    });
}

#[test]
fn a_terminal_shows_why_the_daemon_cannot_be_reached() {
    only_ours(|| {
        let daemon = Scene::with("nobody", "").start(Subject::Ours);
        let nowhere = daemon.path("nowhere.sock").display().to_string();
        let (shown, code) = Terminal::ctl(&daemon, &["-s", &format!("unix://{nowhere}"), "status"]).end();
        assert!(shown.starts_with(&format!("unix://{nowhere} no such file\n")), "{shown}");
        assert!(shown.contains(&format!("there is no socket {nowhere}")), "{shown}");
        assert!(shown.contains("was given by hand"), "{shown}");
        assert_eq!(code, 4);
    });
}
