//! As much of a daemon's JSON API as agents use, on a socket, for `bench/run --fleet`: usage `stub_daemon SOCKET`.
//!
//! It ends with its standard input, and then says how many actions it was asked for.

#![expect(clippy::print_stdout, reason = "the output is for the benchmark")]

#[path = "../tests/fleet/harness/stub_daemon.rs"]
#[expect(dead_code, reason = "tests have it do more")]
mod stub_daemon;

use std::io::Read;
use std::process::ExitCode;

use stub_daemon::StubDaemon;

fn main() -> ExitCode {
    let Some(socket) = std::env::args_os().nth(1) else { return ExitCode::from(2) };
    let stub = StubDaemon::listen(socket.as_ref());
    // Whatever is written there means nothing.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    println!("{}", stub.actions().len());
    ExitCode::SUCCESS
}
