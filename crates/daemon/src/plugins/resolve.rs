//! Whether Python code that a configuration names can be imported: Python itself is asked.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use supervisord_wire::plugin::{FromPlugins, MAX_LINE, ToPlugins, package_line};

use super::process::Launcher;

/// How long an import may take.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(20);

/// What could be imported once is not tried again: a start takes a while, and a configuration is read often.
static GOOD: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Imports `package.module:attribute` in a process of its own; the error says why that is impossible. The daemon was
/// started in `directory`.
pub fn resolve(specification: &str, directory: &Path, launcher: &Launcher) -> Result<(), String> {
    let good = || GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    if good().contains(specification) {
        return Ok(());
    }
    import(specification, directory, launcher)?;
    good().insert(specification.to_owned());
    Ok(())
}

fn import(specification: &str, directory: &Path, launcher: &Launcher) -> Result<(), String> {
    let started = launcher.start(directory);
    let (process, mut stream) = started.map_err(|error| format!("cannot start python3: {error}"))?;
    let result = stream
        .set_read_timeout(Some(IMPORT_TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(IMPORT_TIMEOUT)))
        .and_then(|()| ask(&mut stream, specification));
    drop(stream);
    process.end();
    match result {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(reason),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(format!("importing it takes longer than {} seconds", IMPORT_TIMEOUT.as_secs()))
        }
        Err(error) => Err(format!("python3 failed: {error}")),
    }
}

fn ask(stream: &mut std::os::unix::net::UnixStream, specification: &str) -> io::Result<Option<String>> {
    stream.write_all(package_line().as_bytes())?;
    let question = ToPlugins::Resolve { id: 1, specs: vec![specification.to_owned()] };
    stream.write_all(question.line().as_bytes())?;
    let mut reader = BufReader::new(stream).take(MAX_LINE as u64);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::Error::other("it ended without an answer"));
        }
        // A module may log while it is imported.
        if let FromPlugins::Resolved { reasons, .. } = FromPlugins::parse(&line).map_err(io::Error::other)? {
            return Ok(reasons.into_iter().next().flatten());
        }
    }
}
