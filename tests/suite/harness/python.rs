//! Python with the original's package, as deployed scripts and listeners use it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::command::{self, Output};
use super::original;
use super::scene::Place;
use super::wait;

/// The interpreter.
pub fn path() -> PathBuf {
    original::directory().join("python")
}

/// Runs a script in the directory of a scene.
pub fn run(place: &Place, script: &str, arguments: &[&str]) -> Output {
    run_within(wait::DEADLINE, place, script, arguments).unwrap_or_else(|output| panic!("it did not end\n{output:?}"))
}

/// Like [`run`], with a limit of its own; the error is the output so far of a script that was killed.
pub fn run_within(limit: Duration, place: &Place, script: &str, arguments: &[&str]) -> Result<Output, Output> {
    let mut command: Command = place.command(&path());
    command.arg("-c").arg(script).args(arguments);
    command::run_within(limit, &mut command, "")
}
