//! Python with the original's package at hand, as deployed scripts and listeners have it.

use std::path::PathBuf;
use std::process::Command;

use super::command::{self, Output};
use super::original;
use super::scene::Place;

/// The interpreter.
pub fn path() -> PathBuf {
    original::directory().join("python")
}

/// Runs a script in the directory of a scene.
pub fn run(place: &Place, script: &str, arguments: &[&str]) -> Output {
    let mut command: Command = place.command(&path());
    command.arg("-c").arg(script).args(arguments);
    command::run(&mut command, "")
}
