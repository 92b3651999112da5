//! Going into the background, in a process with a single thread: this test has its own `main` instead of the harness.

#![expect(clippy::print_stdout, reason = "it reports as the test harness does")]

use std::env;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::{getpgrp, getpid, getsid};
use supervisord_sys::daemonize::go_into_background;
use supervisord_sys::fd;

/// Set for the process that goes into the background: its directory.
const TARGET: &str = "BACKGROUND_TEST_TARGET";
/// The file for its report.
const REPORT: &str = "BACKGROUND_TEST_REPORT";

fn main() {
    if let (Some(target), Some(report)) = (env::var_os(TARGET), env::var_os(REPORT)) {
        return go(Path::new(&target), Path::new(&report));
    }
    if env::args().any(|argument| argument == "--list") {
        println!("goes_into_the_background: test");
        return;
    }
    goes_into_the_background();
    println!("test goes_into_the_background ... ok");
}

fn goes_into_the_background() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let here = env::current_dir().unwrap();
    assert_eq!(report(&root, &root), format!("leader, silent, 640, None, {}", root.display()));
    let missing = root.join("missing");
    assert_eq!(report(&root, &missing), format!("leader, silent, 640, Some(ENOENT), {}", here.display()));
}

/// Runs a copy of this program in the background and waits for its report.
fn report(root: &Path, target: &Path) -> String {
    let report = root.join("report");
    // Its captured output ends only when the child has closed it.
    let parent = Command::new(env::current_exe().unwrap()).env(TARGET, target).env(REPORT, &report).output().unwrap();
    assert!(parent.status.success(), "{parent:?}");
    assert_eq!(parent.stdout, b"", "{parent:?}");
    assert_eq!(fs::read(root.join("parent")).unwrap(), b"was here");
    let text = wait_for_file(&report);
    fs::remove_file(report).unwrap();
    text
}

fn wait_for_file(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
            Err(error) => panic!("no report: {error}"),
        }
    }
}

/// Reports the state of the child.
fn go(target: &Path, report: &Path) {
    let before = getpid();
    let parent = report.with_file_name("parent");
    let background = go_into_background(Some(target), 0o137, || fs::write(parent, "was here").unwrap()).unwrap();
    let this = getpid();
    let leads = this != before && getsid(None) == Ok(this) && getpgrp() == this;
    let outputs = [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()]
        .map(|fd| fd::kind(fd).unwrap());
    let silent = outputs == [fd::FileKind::Device; 3];
    let finished = PathBuf::from(report).with_extension("new");
    fs::write(&finished, "").unwrap();
    let mode = finished.metadata().unwrap().permissions().mode() & 0o777;
    let text = format!(
        "{}, {}, {mode:o}, {:?}, {}",
        if leads { "leader" } else { "no leader" },
        if silent { "silent" } else { "not silent" },
        background.directory,
        env::current_dir().unwrap().display(),
    );
    fs::write(&finished, text).unwrap();
    fs::rename(finished, report).unwrap();
}
