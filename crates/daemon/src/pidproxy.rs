//! `pidproxy`, which stands in for a program that runs under a process id of its own choosing: it starts a command and
//! passes the signals it gets on to the process that a pid file names.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use supervisord_sys::signal::{Signal, Signals, kill};
use supervisord_sys::{Errno, Pid};

/// What is passed on.
const PASSED_ON: [Signal; 6] =
    [Signal::Terminate, Signal::Hangup, Signal::Interrupt, Signal::User1, Signal::User2, Signal::Quit];

/// The original looks for the end of its command every five seconds, so it lives at least that long. A command that
/// only starts a daemon and ends would otherwise count as having exited too quickly, and be started again.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// Runs `pidproxy PIDFILE COMMAND [ARGUMENT...]`: 0 when the command ended, however it did, or when a signal to end was
/// passed on; 1 for too few arguments, and when a signal could not be passed on.
///
/// The first argument is the name by which it was started.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let [_, pid_file, command @ ..] = arguments.as_slice() else { return usage() };
    if command.is_empty() {
        return usage();
    }
    match run(Path::new(pid_file), command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    say("Usage: pidproxy PIDFILE COMMAND [ARGUMENT...]\n\n\
         Starts COMMAND and passes the signals TERM, HUP, INT, USR1, USR2 and QUIT on to the\n\
         process whose id stands in PIDFILE. Ends when COMMAND ends.");
    ExitCode::FAILURE
}

fn run(pid_file: &Path, command: &[OsString]) -> io::Result<()> {
    // Before the command is started: no signal may be missed.
    let mut signals = Signals::catch(&[&PASSED_ON[..], &[Signal::Child]].concat())?;
    let not_before = Instant::now() + SHORTEST_LIFE;
    let mut child = match start(command) {
        Ok(child) => child,
        Err(error) => {
            // The original's child ends, unheard, and it is the end of a command like any other.
            complain(&error);
            return Ok(());
        }
    };
    loop {
        for signal in signals.drain() {
            if signal != Signal::Child && pass_on(pid_file, signal)? {
                return Ok(());
            }
        }
        let ended = has_ended(&mut child)?;
        let left = not_before.saturating_duration_since(Instant::now());
        if ended && left.is_zero() {
            return Ok(());
        }
        signals.wait(ended.then_some(left))?;
    }
}

/// Starts the command, which is not searched for: a name without a slash is a file in the current directory.
fn start(command: &[OsString]) -> Result<Child, String> {
    let [name, arguments @ ..] = command else { return Err("no command".to_owned()) };
    let file: PathBuf = std::path::absolute(name).map_err(|error| error.to_string())?;
    Command::new(&file)
        .arg0(name)
        .args(arguments)
        .spawn()
        .map_err(|error| format!("can't execute {}: {}", file.display(), Errno::from(error)))
}

fn has_ended(child: &mut Child) -> io::Result<bool> {
    Ok(child.try_wait()?.is_some())
}

/// True when this was the last signal. Without a readable pid file it is not: the program may still be starting.
fn pass_on(pid_file: &Path, signal: Signal) -> io::Result<bool> {
    let Some(pid) = read_pid(pid_file) else {
        say(&format!("Can't read child pidfile {}!", pid_file.display()));
        return Ok(false);
    };
    kill(pid, signal.number())
        .map_err(|errno| io::Error::other(format!("can't send {} to {pid}: {errno}", signal.name())))?;
    Ok(matches!(signal, Signal::Terminate | Signal::Interrupt | Signal::Quit))
}

fn read_pid(pid_file: &Path) -> Option<Pid> {
    Pid::new(fs::read_to_string(pid_file).ok()?.trim().parse().ok()?)
}

/// A closed output is no reason to stop passing signals on.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "pidproxy: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_holds_one_positive_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        assert_eq!(read_pid(&path), None);
        for (text, pid) in [("17", Some(17)), (" 17 \n", Some(17)), ("", None), ("0", None), ("-1", None), ("x", None)]
        {
            fs::write(&path, text).expect("written");
            assert_eq!(read_pid(&path).map(Pid::get), pid, "{text:?}");
        }
    }

    #[test]
    fn only_signals_that_end_a_program_end_the_proxy() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        assert!(!pass_on(&path, Signal::Terminate).expect("nothing to signal"), "without a pid file it goes on");
        for signal in PASSED_ON {
            let mut child = Command::new("/bin/sleep").arg("60").spawn().expect("started");
            fs::write(&path, child.id().to_string()).expect("written");
            let last = matches!(signal, Signal::Terminate | Signal::Interrupt | Signal::Quit);
            assert_eq!(pass_on(&path, signal).expect("sent"), last, "{}", signal.name());
            let status = child.wait().expect("waited");
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(signal.number()));
        }
        assert!(pass_on(&path, Signal::Hangup).is_err(), "the last one is gone");
    }

    #[test]
    fn the_command_is_not_searched_for() {
        let error = start(&["sh".into()]).expect_err("there is no such file here");
        assert!(error.starts_with("can't execute /") && error.ends_with("/sh: No such file or directory"), "{error}");
        let mut child = start(&["/bin/sh".into(), "-c".into(), "exit 3".into()]).expect("started");
        assert_eq!(child.wait().expect("waited").code(), Some(3));
    }
}
