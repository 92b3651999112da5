//! The end-to-end tests that the original's authors publish, run against either subject's programs.
//!
//! They are fetched with the source distribution at test time. They start `python -m supervisor.supervisord` and the
//! like; a stand-in for the interpreter turns that into our programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, thread};

use crate::harness::areas::Area;
use crate::harness::scene::Place;
use crate::harness::{Program, Scene, Subject, each_subject, original, python, record};

/// How many of their tests run at once. Most of the time they wait.
const AT_ONCE: usize = 6;

/// How long one of their tests may take; they give up by themselves before that.
const PATIENCE: Duration = Duration::from_secs(200);

/// A file that their source distribution forgot: it writes what their test looks for.
const FORGOTTEN: (&str, &str) = (
    "supervisor/tests/fixtures/hello.sh",
    "n=0; while sleep 0.5; do n=$((n+1)); echo \"The \u{d8}resund bridge ends in Malm\u{f6} - $n\"; done\n",
);

/// Tests whose configurations share a socket must not run at the same time.
const TOGETHER: [&str; 2] = ["test_issue_565", "test_issue_836"];

/// Lists the names of their tests.
const LIST: &str = "
import unittest
from supervisor.tests import test_end_to_end
for test in unittest.defaultTestLoader.loadTestsFromModule(test_end_to_end):
    for case in test:
        print(case.id().rsplit('.', 1)[1])
";

/// Runs some of their tests, with a stand-in for the interpreter that they start programs with.
const RUN: &str = "
import os, sys, tempfile, unittest
sys.executable = sys.argv[1]
# A daemon removes the automatic logs of others that share its directory.
os.environ['TMPDIR'] = tempfile.mkdtemp(dir=os.getcwd())
names = ['supervisor.tests.test_end_to_end.EndToEndTests.' + name for name in sys.argv[2:]]
result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromNames(names))
sys.exit(not result.wasSuccessful())
";

#[test]
fn the_end_to_end_tests_of_the_original_pass() {
    if !Subject::chosen().contains(&Subject::Original) {
        return;
    }
    let sources = sources();
    // Their sockets and pid files have fixed places, so the subjects take turns.
    static TURN: Mutex<()> = Mutex::new(());
    each_subject(|subject| {
        if subject == Subject::Original && Subject::chosen().len() > 1 {
            return;
        }
        let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let place = scene(subject, &sources).set_up(subject);
        let batches = batches(&place);
        let all = batches.iter().map(Vec::len).sum();
        let queue = Mutex::new(batches);
        let failures = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(batch) = { queue.lock().expect("nobody panics with it").pop() } {
                        if let Some(failure) = failure(&place, &batch) {
                            failures.lock().expect("nobody panics with it").push(failure);
                        }
                    }
                });
            }
        });
        place.kill_everything(&[]);
        sweep(&sources);
        let failures = failures.into_inner().expect("nobody panics with it");
        record::covered(Area::RealPrograms, "end-to-end tests of the original", all - failures.len(), all);
        assert!(failures.is_empty(), "{}", failures.concat());
    });
}

/// The names of their tests, in groups that run one after the other.
fn batches(place: &Place) -> Vec<Vec<String>> {
    let output = python::run(place, LIST, &[]);
    let (shared, single): (Vec<String>, Vec<String>) =
        output.stdout.lines().map(str::to_owned).partition(|name| TOGETHER.contains(&name.as_str()));
    assert!(single.len() > 20, "their tests are there\n{}", output.transcript());
    let mut batches: Vec<Vec<String>> = single.into_iter().map(|name| vec![name]).collect();
    batches.push(shared);
    batches
}

fn failure(place: &Place, batch: &[String]) -> Option<String> {
    let stand_in = place.path("python").display().to_string();
    let arguments: Vec<&str> = [stand_in.as_str()].into_iter().chain(batch.iter().map(String::as_str)).collect();
    let output = python::run_within(PATIENCE, place, RUN, &arguments).unwrap_or_else(|output| output);
    (output.code != 0).then(|| format!("{batch:?}\n{}\n", output.transcript()))
}

/// Removes the files that their configurations put into a shared directory.
fn sweep(sources: &Path) {
    let fixtures = fs::read_dir(sources.join("supervisor/tests/fixtures")).expect("they have fixtures").flatten();
    for fixture in fixtures {
        let text = fs::read_to_string(fixture.path()).unwrap_or_default();
        for path in text.split(['=', ' ', '\n']).filter(|word| word.starts_with("/tmp/")) {
            let _ = fs::remove_file(path);
        }
    }
}

fn scene(subject: Subject, sources: &Path) -> Scene {
    let exec = |program| format!("shift 2; exec '{}' \"$@\"", subject.path(program).display());
    let stand_in = format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n\
        '-m supervisor.supervisord') {};;\n'-m supervisor.supervisorctl') {};;\n'-m supervisor.pidproxy') {};;\n\
        '-c from supervisor import confecho'*) {};;\nesac\nexec '{}' \"$@\"\n",
        exec(Program::Supervisord),
        exec(Program::Supervisorctl),
        exec(Program::Pidproxy),
        exec(Program::EchoSupervisordConf),
        python::path().display(),
    );
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", original::directory().display());
    Scene::new("upstream")
        .script("python", &stand_in)
        .env("PATH", &path)
        .env("END_TO_END", "1")
        .env("PYTHONPATH", &sources.display().to_string())
        .env("TERM", "dumb")
}

/// The unpacked source distribution.
fn sources() -> PathBuf {
    let directory = original::cache().join("sources");
    original::once(&directory, &["supervisor==4.3.0"], |directory| {
        let pip = |arguments: &[&str]| {
            original::run(
                Command::new(python::path()).args(["-m", "pip", "--quiet"]).args(arguments).current_dir(directory),
            );
        };
        pip(&["download", "--no-binary", "supervisor", "--no-deps", "supervisor==4.3.0"]);
        pip(&["install", "--target", ".", "pexpect"]);
        original::run(
            Command::new("tar")
                .args(["-xzf", "supervisor-4.3.0.tar.gz", "--strip-components=1"])
                .current_dir(directory),
        );
        fs::write(directory.join(FORGOTTEN.0), FORGOTTEN.1).expect("the build directory can be written");
    });
    directory
}
