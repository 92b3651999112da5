//! What differs from the original on purpose, as far as no test nearer to the code can show it; and that the list of
//! it names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::areas::Area;
use crate::harness::{Scene, Subject, only_ours};

/// The names of all functions in the Rust sources below a directory.
fn functions(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("the sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            for (position, _) in text.match_indices("fn ") {
                names.insert(text[position + 3..].chars().take_while(|letter| is_name(*letter)).collect());
            }
            // Tests of options are declared as `name: "section option" … => {`.
            let declared = text.lines().filter(|line| line.ends_with("=> {"));
            names.extend(declared.filter_map(|line| Some(line.trim().split_once(": \"")?.0.to_owned())));
        }
    }
}

#[test]
fn every_row_of_the_list_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    for directory in ["crates", "src", "tests"] {
        functions(&root.join(directory), &mut known);
    }
    let list = fs::read_to_string(root.join("docs/differences.md")).expect("the list exists");
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 50, "the list is read");
    let mut missing = Vec::new();
    for row in rows {
        let tests: Vec<&str> =
            row.trim_end_matches('|').rsplit(" | ").next().unwrap_or_default().split_whitespace().collect();
        assert!(!tests.is_empty(), "without a test: {row}");
        let area = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        assert!(Area::named(area).is_some(), "no area of the compatibility report: {row}");
        missing.extend(tests.into_iter().filter(|test| !known.contains(test.trim_matches('`'))));
    }
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

#[test]
fn clearing_a_whole_group_names_it_as_it_was_asked_for() {
    only_ours(|| {
        let daemon = Scene::with("clear", "[program:a]\ncommand=cat\nautostart=false\n").start(Subject::Ours);
        let output = daemon.ctl(&["clear", "a:*"]).transcript();
        assert!(output.contains("a:*: ERROR (no such process)"), "{output}");
    });
}

#[test]
fn following_what_is_not_there_fails() {
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
fn it_is_explained_why_nobody_answers() {
    only_ours(|| {
        let daemon = Scene::with("nobody", "").start(Subject::Ours);
        let nowhere = daemon.path("nowhere.sock").display().to_string();
        let output = daemon.ctl(&["-s", &format!("unix://{nowhere}"), "status"]);
        assert_eq!((output.stdout, output.code), (format!("unix://{nowhere} no such file\n"), 4));
        assert!(output.stderr.contains(&format!("there is no socket {nowhere}")), "{}", output.stderr);
        assert!(output.stderr.contains("was given by hand"), "{}", output.stderr);
    });
}
