//! Finds and installs the original.
//!
//! `SUPERVISOR_ORIGINAL` may name a directory with its programs. Otherwise a virtual environment is made once, in the
//! [`cache`], from the Python package index.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};

pub use super::reachable::cache;

/// The environment variable that names the directory of the original's programs.
const LOCATION: &str = "SUPERVISOR_ORIGINAL";

/// What is installed: the original, and the event listeners published by its authors.
const PACKAGES: [&str; 3] = ["supervisor==4.3.0", "superlance==2.0.0", "setuptools<81"];

/// The directory that holds `supervisord`, `supervisorctl` and the `python` they run with.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| match std::env::var_os(LOCATION) {
        Some(directory) => PathBuf::from(directory),
        None => installed(),
    })
}

/// Fills `directory` once for all test processes that share it, and again when `contents` change.
pub fn once(directory: &Path, contents: &[&str], fill: impl FnOnce(&Path)) {
    let parent = directory.parent().expect("a directory of its own");
    fs::create_dir_all(parent).expect("the cache can be written");
    let lock = File::create(directory.with_extension("lock")).expect("the cache can be written");
    let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("the lock can be taken");
    let complete = directory.join(".complete");
    let contents = contents.join("\n");
    if fs::read_to_string(&complete).is_ok_and(|known| known == contents) {
        return;
    }
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).expect("the cache can be written");
    fill(directory);
    fs::write(complete, contents).expect("the cache can be written");
}

fn installed() -> PathBuf {
    let packages = cache().join("packages");
    once(&packages, &PACKAGES, |packages| {
        run(Command::new("python3").args(["-m", "venv"]).arg(packages));
        run(Command::new(packages.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    });
    packages.join("bin")
}

/// Runs a command of the installation, which must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed; install python3-venv and pip, or set {LOCATION} or SUBJECT=ours\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
