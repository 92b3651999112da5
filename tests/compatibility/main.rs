//! The compatibility report: what was compared with the original, area by area.
//!
//! `cargo compatibility` installs the original below the build directory (unless `SUPERVISOR_ORIGINAL` names it), runs
//! the suite against both programs, prints the table and, where all is well, writes it to `docs/compatibility.md`. With
//! `--of RECORD` it does the same with what a run before has recorded, which had the environment variable `SUITE_RECORD`
//! set. The exit status is 1 when anything differs that is not listed in `docs/differences.md`.

#[path = "../suite/harness/areas.rs"]
mod areas;
#[allow(dead_code)] // only the suite writes
#[path = "../suite/harness/record.rs"]
mod record;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use record::{Entry, RECORD};
use report::Report;

/// What was asked for.
enum Request {
    /// Run the suite and write the report.
    Run,
    /// Print the report of a run before.
    Of(PathBuf),
}

fn main() -> ExitCode {
    let Some(request) = request() else {
        println!("compatibility: ignored; run it with `cargo compatibility`");
        return ExitCode::SUCCESS;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let differences = read(&root.join("docs/differences.md"));
    let (passed, record) = match &request {
        Request::Run => {
            let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compatibility.record");
            (run_suite(&record), record)
        }
        Request::Of(record) => (true, record.clone()),
    };
    let entries: Vec<Entry> = read(&record).lines().filter_map(Entry::parse).collect();
    let report = Report::new(&entries, &differences);
    println!("{}", report.table());
    let complaints = report.complaints();
    if !passed || !complaints.is_empty() {
        eprintln!("{}", complaints.join("\n"));
        return ExitCode::FAILURE;
    }
    let path = root.join("docs/compatibility.md");
    fs::write(&path, report.document()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    ExitCode::SUCCESS
}

/// What the arguments ask for; none when this is an ordinary run of all tests.
fn request() -> Option<Request> {
    let mut arguments = std::env::args().skip(1);
    let mut request = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--run" => request = Some(Request::Run),
            "--of" => request = Some(Request::Of(arguments.next().expect("--of RECORD").into())),
            // Meant for the other tests of the same run.
            _ => {}
        }
    }
    request
}

/// Runs the suite against both programs and records what it compares. Says whether it passed.
fn run_suite(record: &Path) -> bool {
    let _ = fs::remove_file(record);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let suite = Command::new(cargo)
        .args(["test", "--test", "suite"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SUBJECT", "both")
        .env(RECORD, record)
        .status()
        .expect("cargo runs");
    suite.success()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
