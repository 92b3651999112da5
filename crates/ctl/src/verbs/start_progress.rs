//! What a start that takes long waits for, said on a terminal.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use super::selection::matching;
use crate::client::{Client, ProgramStatus, Stopper};
use crate::console::Console;
use crate::session::Session;

/// A start that is done within this time says nothing.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// Says what named programs wait for, on a thread and a connection of its own, until it is dropped. Where standard error is no
/// terminal, it does nothing.
pub(super) struct StartProgress {
    /// Where the thread leaves what ends its stream.
    stoppers: Option<Receiver<Stopper>>,
    /// Dropped to end the thread before it has a stream.
    _running: Option<Sender<()>>,
}

impl StartProgress {
    pub(super) fn begin(session: &Session, names: &[&str]) -> StartProgress {
        let nothing = StartProgress { stoppers: None, _running: None };
        if !session.console.explains() {
            return nothing;
        }
        let Ok(client) = session.settings.client() else { return nothing };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (running, ended) = channel();
        let (leave, stoppers) = channel();
        let report = move || {
            if ended.recv_timeout(QUIET_FOR) == Err(RecvTimeoutError::Timeout) {
                follow(client, &names, &ended, &leave);
            }
        };
        match thread::Builder::new().name("progress".into()).spawn(report) {
            Ok(_) => StartProgress { stoppers: Some(stoppers), _running: Some(running) },
            Err(_) => nothing,
        }
    }
}

impl Drop for StartProgress {
    fn drop(&mut self) {
        // From here on the thread does not begin a stream.
        self._running = None;
        if let Some(stopper) = self.stoppers.as_ref().and_then(|stoppers| stoppers.try_recv().ok()) {
            stopper.stop();
        }
    }
}

/// Says what has changed until the daemon ends the stream, or somebody else does. A daemon without such a stream says nothing.
fn follow(mut client: Client, names: &[String], ended: &Receiver<()>, leave: &Sender<Stopper>) {
    let Ok(changes) = client.changes() else { return };
    if leave.send(changes.stopper()).is_err() {
        return;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut said = BTreeMap::new();
    for _ in changes.take_while(Result::is_ok) {
        let Ok(programs) = client.programs() else { return };
        let lines: Vec<(String, String)> =
            matching(&programs, &names).processes.into_iter().filter_map(waiting).collect();
        for (name, text) in lines {
            if ended.try_recv() != Err(TryRecvError::Empty) {
                return;
            }
            if said.get(&name) != Some(&text) {
                Console::standard().explain(format_args!("{name}: {text}"));
                said.insert(name, text);
            }
        }
    }
}

/// What a program on its way up waits for.
fn waiting(program: &ProgramStatus) -> Option<(String, String)> {
    if !COMING.contains(&program.outlook.as_str()) {
        return None;
    }
    let readiness = || program.not_ready.as_ref().map(|lack| format!("not ready yet ({lack})"));
    let text = program.reason.clone().or_else(readiness)?;
    Some((program.namespec(), text))
}

/// The words of the daemon for a program that comes up by itself.
const COMING: [&str; 5] = ["waits", "waits_in_vain", "starts", "gets_ready", "next_start"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::samples::program;

    #[test]
    fn only_what_comes_up_and_waits_for_something_is_named() {
        let waits = ProgramStatus {
            reason: Some("waiting for db to be ready".to_owned()),
            ..program("web", "STARTING", "waits")
        };
        assert_eq!(waiting(&waits), Some(("web".to_owned(), "waiting for db to be ready".to_owned())));
        let unready = ProgramStatus { not_ready: Some("notify".to_owned()), ..program("db", "STARTING", "gets_ready") };
        assert_eq!(waiting(&unready), Some(("db".to_owned(), "not ready yet (notify)".to_owned())));
        assert_eq!(waiting(&program("p", "STARTING", "starts")), None);
        let fatal =
            ProgramStatus { reason: Some("exit status 1".to_owned()), ..program("p", "FATAL", "out_of_attempts") };
        assert_eq!(waiting(&fatal), None);
    }
}
