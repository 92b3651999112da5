//! The compatibility report: what was compared with the original, area by area.
//!
//! `cargo compatibility` installs the original below the build directory (unless `SUPERVISOR_ORIGINAL` names it), runs
//! the suite against both programs, prints the report and, where all is well, writes it to `docs/compatibility.md`.
//! `cargo compatibility --programs DIRECTORY` does the same with the programs in a directory, such as a static one with links to it,
//! and writes no file.
//! `cargo compatibility --of RECORD` prints the report of an earlier run, which had the environment variable
//! `SUITE_RECORD` set to this path; it runs no tests and writes no file. The exit status is 1 when a difference is
//! found that is not listed in `docs/differences.md`, and 2 for an unknown argument.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the output is for the user of the command")]

#[path = "../suite/harness/areas.rs"]
mod areas;
#[path = "../suite/harness/cargo.rs"]
mod cargo;
#[allow(dead_code)] // only the suite writes
#[path = "../suite/harness/record.rs"]
mod record;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use record::{Entry, RECORD};
use report::Report;

const USAGE: &str = "usage: cargo compatibility [--programs DIRECTORY | --of RECORD]";

/// What was asked for.
enum Request {
    /// Nothing: this is an ordinary run of all tests.
    Nothing,
    /// Run the suite, print the report and write it.
    Run,
    /// Run the suite with other programs of ours, and print the report.
    RunWith(PathBuf),
    /// Print the report of a run before.
    Of(PathBuf),
}

fn main() -> ExitCode {
    let request = match request() {
        Ok(request) => request,
        Err(mistake) => {
            eprintln!("{mistake}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let outcome = match request {
        Request::Nothing => {
            println!("compatibility: ignored; run it with `cargo compatibility`");
            Ok(())
        }
        Request::Run => run(),
        Request::RunWith(programs) => run_with(&programs),
        Request::Of(record) => print(&record).map(drop),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaints) => {
            eprintln!("{complaints}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the arguments. Arguments that are not ours are for the other tests of the same run and are ignored.
fn request() -> Result<Request, String> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_ours = |argument: &String| ["--run", "--of", "--programs"].contains(&argument.as_str());
    if !arguments.iter().any(is_ours) {
        return Ok(Request::Nothing);
    }
    arguments.retain(|argument| argument != "--run");
    match arguments.as_slice() {
        [] => Ok(Request::Run),
        [option, record] if option == "--of" => Ok(Request::Of(record.into())),
        [option] if option == "--of" => Err("--of: which record?".to_owned()),
        [option, programs] if option == "--programs" => Ok(Request::RunWith(programs.into())),
        [option] if option == "--programs" => Err("--programs: which directory?".to_owned()),
        other => Err(format!("not known: {}", other.join(" "))),
    }
}

/// Runs the suite and writes the report of it.
fn run() -> Result<(), String> {
    let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compatibility.record");
    let passed = run_suite(&record, None);
    let report = print(&record)?;
    if !passed {
        return Err("the suite has failed".to_owned());
    }
    let path = repository().join("docs/compatibility.md");
    fs::write(&path, report.document()).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs the suite with the programs of a directory.
fn run_with(programs: &Path) -> Result<(), String> {
    let programs = programs.canonicalize().map_err(|error| format!("{}: {error}", programs.display()))?;
    let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compatibility-of-others.record");
    let passed = run_suite(&record, Some(&programs));
    print(&record)?;
    if passed { Ok(()) } else { Err("the suite has failed".to_owned()) }
}

/// Prints the report of a record. The error says what is wrong with the record.
fn print(record: &Path) -> Result<Report, String> {
    let entries: Vec<Entry> = read(record)?.lines().filter_map(Entry::parse).collect();
    let report = Report::new(&entries);
    println!("{}", report.table());
    let complaints = report.complaints();
    if complaints.is_empty() { Ok(report) } else { Err(complaints.join("\n")) }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the suite against both programs and records what it compares. Returns whether it passed.
fn run_suite(record: &Path, programs: Option<&Path>) -> bool {
    let _ = fs::remove_file(record);
    let suite = cargo::cargo()
        .args(["test", "--workspace", "--test", "suite"])
        .current_dir(repository())
        .env("SUBJECT", "both")
        .env(RECORD, record)
        .envs(programs.map(|programs| ("SUPERVISOR_OURS", programs)))
        .status()
        .expect("cargo runs");
    suite.success()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
