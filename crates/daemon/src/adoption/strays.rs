//! Children of a killed daemon of which nobody knows any more which program they are: they are ended before any program is
//! started, so that none runs twice.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use supervisord_sys::process_handle::ProcessHandle;
use supervisord_sys::signal::{SIGKILL, SIGTERM};
use supervisord_sys::{fd, proc_stat};

/// How long they may take to end after SIGTERM, together: the default of `stopwaitsecs`.
const AFTER_TERM: Duration = Duration::from_secs(10);

/// The same after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// Ends them. Gives a line for the activity log about each.
pub fn end(strays: &[ProcessHandle]) -> Vec<String> {
    let names: Vec<_> = strays.iter().map(|stray| proc_stat::name(stray.pid()).unwrap_or_default()).collect();
    signal(strays, SIGTERM, AFTER_TERM);
    let was_stubborn: Vec<bool> = strays.iter().map(|stray| !stray.has_ended()).collect();
    signal(strays, SIGKILL, AFTER_KILL);
    let line = |((stray, name), was_stubborn): ((&ProcessHandle, String), bool)| {
        let outcome = match (stray.has_ended(), was_stubborn) {
            (true, false) => "it was stopped before any program was started",
            (true, true) => "it was killed before any program was started, because it did not end after SIGTERM",
            (false, _) => "it cannot be killed, and its program may run twice",
        };
        format!(
            "process {} ({name}) was left running, and the state does not tell which program it is; {outcome}",
            stray.pid()
        )
    };
    strays.iter().zip(names).zip(was_stubborn).map(line).collect()
}

/// Signals those that live, and waits until they have ended, or long enough.
fn signal(strays: &[ProcessHandle], signal: i32, patience: Duration) {
    let give_up = Instant::now() + patience;
    let living = || strays.iter().filter(|stray| !stray.has_ended());
    // One that cannot be signalled shows by living on.
    living().for_each(|stray| _ = stray.kill(signal));
    for stray in living() {
        let _ = fd::poll_readable(stray.as_fd(), Some(give_up.saturating_duration_since(Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use supervisord_sys::Pid;

    use super::*;

    /// A child that has come so far that it obeys, or not, and a handle on it.
    fn stray(script: &str) -> (Child, ProcessHandle) {
        let mut command = Command::new("/bin/sh");
        let mut child = command.arg("-c").arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let handle = ProcessHandle::open(Pid::new(child.id()).unwrap()).unwrap();
        (child, handle)
    }

    #[test]
    fn they_are_ended_and_named() {
        let (mut child, handle) = stray("echo; exec sleep 1000");
        let lines = end(std::slice::from_ref(&handle));
        assert!(handle.has_ended());
        child.wait().unwrap();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(
            line.contains(&format!("process {} (", child.id())) && line.contains("it was stopped before"),
            "{line}"
        );
    }

    #[test]
    fn those_that_do_not_obey_are_killed() {
        let (mut child, handle) = stray("trap '' TERM; echo; while :; do sleep 1; done");
        let strays = [handle];
        signal(&strays, SIGTERM, Duration::from_millis(10));
        assert!(!strays[0].has_ended());
        signal(&strays, SIGKILL, AFTER_KILL);
        assert!(strays[0].has_ended());
        child.wait().unwrap();
    }
}
