//! `supervisord`, the daemon. It is the other three programs, too, where their name is that by which it is called or its
//! first word: a package or an image carries one file.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// One of the other programs, as a main function of its arguments, the name first.
type OtherMain = fn(Vec<OsString>) -> ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments.first().and_then(|name| Path::new(name).file_name());
    if let Some(main) = called.and_then(other) {
        return main(arguments);
    }
    match arguments.get(1).and_then(|word| other(word)) {
        Some(main) => main(with_one_name(arguments)),
        None => supervisord_daemon::main(),
    }
}

/// The program with this name; `ctl` is short for the client.
fn other(name: &OsStr) -> Option<OtherMain> {
    match name.to_str()? {
        "supervisorctl" | "ctl" => Some(supervisord_ctl::main),
        "echo_supervisord_conf" => Some(|_| supervisord_daemon::echo_conf::main()),
        "pidproxy" => Some(supervisord_daemon::pidproxy::main),
        _ => None,
    }
}

/// The arguments of `supervisord ctl ...` as the client expects them: both words are its name.
fn with_one_name(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut words = arguments.into_iter();
    let mut name = words.next().unwrap_or_default();
    if let Some(word) = words.next() {
        name.push(" ");
        name.push(word);
    }
    std::iter::once(name).chain(words).collect()
}
