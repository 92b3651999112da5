//! The end-to-end tests that the original's authors publish, run against each subject's programs.
//!
//! They come with the source distribution, which is downloaded at test time. They start `python -m
//! supervisor.supervisord` and the like; a wrapper replaces the interpreter and starts our programs instead.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{fs, thread};

use crate::harness::areas::Area;
use crate::harness::scene::{Place, remove_beside};
use crate::harness::{Program, Scene, Subject, each_subject, original, python, record, wait};

/// How many of the tests run in parallel. Most of the time they wait.
const MAX_PARALLEL: usize = 6;

/// A file that is missing in the source distribution: it writes the text that a test looks for.
const MISSING_FILE: (&str, &str) = (
    "supervisor/tests/fixtures/hello.sh",
    "n=0; while sleep 0.5; do n=$((n+1)); echo \"The \u{d8}resund bridge ends in Malm\u{f6} - $n\"; done\n",
);

/// Tests whose configurations share a socket must not run at the same time.
const SHARED_SOCKET: [&str; 2] = ["test_issue_565", "test_issue_836"];

/// Lists the names of the tests.
const LIST: &str = "
import unittest
from supervisor.tests import test_end_to_end
for test in unittest.defaultTestLoader.loadTestsFromModule(test_end_to_end):
    for case in test:
        print(case.id().rsplit('.', 1)[1])
";

/// Runs some of the tests, with a wrapper for the interpreter.
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
    // Their sockets and pid files have fixed paths, so the subjects run one after the other.
    static TURN: Mutex<()> = Mutex::new(());
    each_subject(|subject| {
        if subject == Subject::Original && Subject::chosen().len() > 1 {
            return;
        }
        let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Also what an earlier run has left that was killed.
        remove_leftovers(&sources);
        let _leftovers = Leftovers(&sources);
        let place = scene(subject, &sources).set_up(subject);
        let batches = batches(&place);
        let all = batches.iter().map(Vec::len).sum();
        let queue = Mutex::new(batches);
        let failures = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..MAX_PARALLEL {
                scope.spawn(|| {
                    while let Some(batch) = { queue.lock().expect("no panic while locked").pop() } {
                        if let Some(failure) = failure(&place, &batch) {
                            failures.lock().expect("no panic while locked").push(failure);
                        }
                    }
                });
            }
        });
        place.kill_everything(&[]);
        let failures = failures.into_inner().expect("no panic while locked");
        record::covered(Area::RealPrograms, "end-to-end tests of the original", all - failures.len(), all);
        assert!(failures.is_empty(), "{}", failures.concat());
    });
}

/// The names of the tests, in groups that run one after the other.
fn batches(place: &Place) -> Vec<Vec<String>> {
    let output = python::run(place, LIST, &[]);
    let (shared, single): (Vec<String>, Vec<String>) =
        output.stdout.lines().map(str::to_owned).partition(|name| SHARED_SOCKET.contains(&name.as_str()));
    assert!(single.len() > 20, "their tests are there\n{}", output.transcript());
    let mut batches: Vec<Vec<String>> = single.into_iter().map(|name| vec![name]).collect();
    batches.push(shared);
    batches
}

fn failure(place: &Place, batch: &[String]) -> Option<String> {
    let stand_in = place.path("python").display().to_string();
    let arguments: Vec<&str> = [stand_in.as_str()].into_iter().chain(batch.iter().map(String::as_str)).collect();
    let output = python::run_within(wait::DEADLINE, place, RUN, &arguments).unwrap_or_else(|output| output);
    (output.code != 0).then(|| format!("{batch:?}\n{}\n", output.transcript()))
}

/// What the configurations create in a shared directory, which is removed when this goes, also where a test fails.
struct Leftovers<'a>(&'a Path);

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        remove_leftovers(self.0);
    }
}

/// Removes the files that the configurations create in a shared directory, and what ours keeps beside their pid files and, for
/// them, in shared memory.
fn remove_leftovers(sources: &Path) {
    let fixtures = fs::read_dir(sources.join("supervisor/tests/fixtures")).into_iter().flatten().flatten();
    for fixture in fixtures {
        let text = fs::read_to_string(fixture.path()).unwrap_or_default();
        for path in text.split(['=', ' ', '\n']).filter(|word| word.starts_with("/tmp/")).map(Path::new) {
            let _ = fs::remove_file(path);
            remove_beside(path);
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
        fs::write(directory.join(MISSING_FILE.0), MISSING_FILE.1).expect("the build directory can be written");
    });
    directory
}
