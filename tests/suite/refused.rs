//! Configurations that the original refuses, given to the whole program.

use serde_json::Value;

use crate::harness::additions::without_additions;
use crate::harness::areas::Area;
use crate::harness::{Program, Scene, Subject, each_subject, record, wait};

/// The abbreviated beginning of the cases.
const BASE: &str = "[supervisord]\nlogfile=%(here)s/s.log\npidfile=%(here)s/s.pid\nchildlogdir=%(here)s";

/// Files that we refuse with a better message than the original's; see docs/differences.md.
const BETTER_MESSAGES: [&str; 10] = [
    "supervisord minfds huge",
    "supervisord minprocs huge",
    "group trailing comma",
    "fcgi bad socket scheme",
    "fcgi tcp no port",
    "fcgi unix relative",
    "fcgi unix home-relative",
    "fcgi tcp uppercase scheme",
    "fcgi tcp trailing text",
    "fcgi tcp no host",
];

/// Files that we accept; see docs/differences.md.
const ACCEPTED: [&str; 4] = [
    "fcgi tcp ipv6",
    "program stopsignal=SIGTERM,TERM",
    "supervisord environment host_node_name",
    "supervisord environment pctpct",
];

/// Only every twelfth case runs with the original: its answers were recorded before, and it is slow.
const ORIGINAL_STRIDE: usize = 12;

#[test]
fn broken_configurations_are_refused_with_the_recorded_message() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../crates/config/tests-data/files.json")).expect("JSON");
    let is_taken = |case: &Value| case["name"].as_str().is_some_and(|name| ACCEPTED.contains(&name));
    let is_refused = |case: &&Value| case["error"].is_string() && needs_no_name_server(case) && !is_taken(case);
    let cases: Vec<&Value> = cases.iter().filter(is_refused).collect();
    assert!(cases.len() > 200, "the fixture is there");
    each_subject(|subject| {
        let stride = if subject == Subject::Original { ORIGINAL_STRIDE } else { 1 };
        let wrong: Vec<String> = cases.iter().step_by(stride).filter_map(|case| complaint(case, subject)).collect();
        if subject == Subject::Ours {
            record::covered(Area::Configuration, "recorded refusals", cases.len() - wrong.len(), cases.len());
        }
        assert!(wrong.is_empty(), "{}", wrong.concat());
    });
}

/// What is wrong with the refusal of a case, if anything.
fn complaint(case: &Value, subject: Subject) -> Option<String> {
    let name = case["name"].as_str().unwrap_or_default();
    let scene = Scene::new(name)
        .config(&case["file"].as_str().unwrap_or_default().replace("@BASE@", BASE))
        .only_env(&[("HOME", "/root"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")]);
    let place = scene.set_up(subject);
    let output = match scene.run_within(wait::DEADLINE, &place) {
        Ok(output) => output,
        Err(output) => return Some(format!("{name}: it is not refused: {output:?}\n")),
    };
    let directory = place.dir().display().to_string();
    let message = case["error"]
        .as_str()
        .unwrap_or_default()
        .replace("@IN_P@", " in section 'program:p' (file: 'supervisord.conf')")
        .replace("@LEN+3@", &(directory.len() + 3).to_string())
        .replace("@DIR@", &directory);
    let message = if subject == Subject::Ours { without_additions(&message) } else { message };
    let help = format!("For help, use {} -h\n", subject.path(Program::Supervisord).display());
    let better = subject == Subject::Ours && BETTER_MESSAGES.contains(&name);
    let right = match better {
        true => output.stderr.starts_with("Error: ") && output.stderr.ends_with(&help),
        // Tests of the configuration reader check the places in our messages.
        false if subject == Subject::Ours => {
            without_additions(&output.stderr).ends_with(&format!("Error: {message}\n{help}"))
        }
        false => output.stderr.ends_with(&format!("Error: {message}\n{help}")),
    };
    (!right || output.code != 2).then(|| format!("{name}: expected {message:?}, got {output:?}\n"))
}

/// The result for a host name that does not exist depends on the machine's resolver.
fn needs_no_name_server(case: &Value) -> bool {
    !case["file"].as_str().is_some_and(|file| file.contains("no.such.host"))
}
