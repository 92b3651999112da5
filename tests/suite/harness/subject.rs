//! The two programs under test.

use std::fmt::Debug;
use std::path::PathBuf;

use super::{original, record};

/// The program whose behaviour a test observes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Supervisor 4.3.0 in Python.
    Original,
    /// The binaries of this workspace, or those that `SUPERVISOR_OURS` names.
    Ours,
}

/// The programs that both subjects have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Supervisord,
    Supervisorctl,
    EchoSupervisordConf,
    Pidproxy,
}

/// The environment variable that chooses the subjects: `original`, `ours` or `both`.
const CHOICE: &str = "SUBJECT";

/// The environment variable that names a directory with other programs of ours, such as a static one that is to be published.
const LOCATION: &str = "SUPERVISOR_OURS";

/// The default choice.
const DEFAULT: &str = "both";

impl Subject {
    /// The subjects chosen for this run.
    pub fn chosen() -> Vec<Subject> {
        let choice = std::env::var(CHOICE).unwrap_or_else(|_| DEFAULT.to_owned());
        match choice.as_str() {
            "original" => vec![Subject::Original],
            "ours" => vec![Subject::Ours],
            "both" => vec![Subject::Original, Subject::Ours],
            other => panic!("{CHOICE}={other}: expected original, ours or both"),
        }
    }

    /// The path of one of the subject's programs.
    pub fn path(self, program: Program) -> PathBuf {
        match self {
            Subject::Original => original::directory().join(program.name()),
            Subject::Ours => match std::env::var_os(LOCATION) {
                Some(directory) => PathBuf::from(directory).join(program.name()),
                None => PathBuf::from(program.built()),
            },
        }
    }
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::Supervisord => "supervisord",
            Program::Supervisorctl => "supervisorctl",
            Program::EchoSupervisordConf => "echo_supervisord_conf",
            Program::Pidproxy => "pidproxy",
        }
    }

    /// The one that was built for this test.
    fn built(self) -> &'static str {
        match self {
            Program::Supervisord => env!("CARGO_BIN_EXE_supervisord"),
            Program::Supervisorctl => env!("CARGO_BIN_EXE_supervisorctl"),
            Program::EchoSupervisordConf => env!("CARGO_BIN_EXE_echo_supervisord_conf"),
            Program::Pidproxy => env!("CARGO_BIN_EXE_pidproxy"),
        }
    }
}

/// Runs a test for every chosen subject, in parallel.
pub fn each_subject(test: impl Fn(Subject) + Sync) {
    let name = record::comparing_test();
    let chosen = Subject::chosen();
    let failed: Vec<_> = std::thread::scope(|scope| {
        let test = &test;
        let runs: Vec<_> = chosen.iter().map(|&subject| (subject, scope.spawn(move || test(subject)))).collect();
        runs.into_iter().filter_map(|(subject, run)| run.join().err().map(|_| subject)).collect()
    });
    if chosen.len() > 1 {
        record::compared(name, 1, failed.is_empty());
    }
    assert!(failed.is_empty(), "failed for {failed:?}, see above");
}

/// Runs a test for a deliberate difference, or for a feature that the original does not have.
pub fn only_ours(test: impl Fn()) {
    if Subject::chosen().contains(&Subject::Ours) {
        test();
    }
}

/// Observes every chosen subject, in parallel, where docs/differences.md lists a difference: each must behave as the
/// list says.
pub fn differ<T: Debug + PartialEq + Sync>(original: T, ours: T, see: impl Fn(Subject) -> T + Sync) {
    assert_ne!(original, ours, "no difference is claimed");
    let look = |subject| {
        let said = if subject == Subject::Original { &original } else { &ours };
        assert_eq!(&see(subject), said, "what the list says of {subject:?} does not hold");
    };
    let chosen = Subject::chosen();
    let failed: Vec<_> = std::thread::scope(|scope| {
        let look = &look;
        let runs: Vec<_> = chosen.iter().map(|&subject| (subject, scope.spawn(move || look(subject)))).collect();
        runs.into_iter().filter_map(|(subject, run)| run.join().err().map(|_| subject)).collect()
    });
    assert!(failed.is_empty(), "failed for {failed:?}, see above");
}
