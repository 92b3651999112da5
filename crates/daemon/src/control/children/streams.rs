//! What control writes to children and reads of them.

use mio::{Interest, Registry, Token};
use supervisord_core::supervisor::{FeedFailure, ProcessId};

use super::Children;
use super::listener_pipe::read_available;
use super::ready_pipe::{Heard, ReadyPipe};
use super::role::{Role, Supervised};
use super::stdin::Stdin;
use crate::descriptor::{deregister, register};
use crate::output::RunId;

impl Children {
    /// Writes to the stdin of a process, or keeps the bytes until it reads.
    pub(in crate::control) fn feed(
        &mut self,
        process: ProcessId,
        bytes: &[u8],
        registry: &Registry,
    ) -> Result<(), FeedFailure> {
        let run = self.by_process.get(&process).copied().ok_or(FeedFailure::Closed)?;
        let stdin = self.supervised_mut(run).and_then(|child| child.stdin.as_mut()).ok_or(FeedFailure::Closed)?;
        match stdin.feed(bytes) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.watch_stdin(run, registry);
                Ok(())
            }
            Err(FeedFailure::Closed) => {
                self.close_stdin(run, registry);
                Err(FeedFailure::Closed)
            }
            Err(FeedFailure::Full) => Err(FeedFailure::Full),
        }
    }

    fn supervised_mut(&mut self, run: RunId) -> Option<&mut Supervised> {
        self.living.get_mut(&run)?.role.supervised_mut()
    }

    /// Has the loop tell when there is room for what waits.
    pub(super) fn watch_stdin(&mut self, run: RunId, registry: &Registry) {
        let stdin = self.supervised_mut(run).and_then(|child| child.stdin.as_ref());
        if stdin.is_none_or(|stdin| stdin.watched.is_some()) {
            return;
        }
        let token = self.tokens.take(run);
        let Some(stdin) = self.supervised_mut(run).and_then(|child| child.stdin.as_mut()) else { return };
        if register(registry, stdin, Token(token), Interest::WRITABLE).is_ok() {
            stdin.watched = Some(token);
        } else {
            self.tokens.release(token);
        }
    }

    fn close_stdin(&mut self, run: RunId, registry: &Registry) {
        if let Some(stdin) = self.supervised_mut(run).and_then(|child| child.stdin.take()) {
            self.stop_watching(&stdin, registry);
        }
    }

    /// The loop no longer watches a stdin that is about to be closed.
    pub(super) fn stop_watching(&mut self, stdin: &Stdin, registry: &Registry) {
        if let Some(token) = stdin.watched {
            deregister(registry, stdin);
            self.tokens.release(token);
        }
    }

    /// The stdin behind this token has room again, or was closed by the child.
    pub(in crate::control) fn flush_stdin(&mut self, token: usize, registry: &Registry) {
        let Some(run) = self.tokens.run(token) else { return };
        let Some(stdin) = self.supervised_mut(run).and_then(|child| child.stdin.as_mut()) else { return };
        if stdin.watched != Some(token) {
            return;
        }
        match stdin.flush() {
            Ok(true) => {}
            Ok(false) => {
                stdin.watched = None;
                deregister(registry, stdin);
                self.tokens.release(token);
            }
            Err(_) => self.close_stdin(run, registry),
        }
    }

    /// The loop no longer watches a pipe that is about to be closed.
    pub(super) fn stop_awaiting(&mut self, ready: &ReadyPipe, registry: &Registry) {
        deregister(registry, ready);
        self.tokens.release(ready.token);
    }

    /// Reads what the program behind this token said about its readiness. Once it is ready, or cannot say so any more, the
    /// pipe is closed.
    pub(in crate::control) fn hear_readiness(&mut self, token: usize, registry: &Registry) -> Option<(RunId, Heard)> {
        let run = self.tokens.run(token)?;
        let heard = self.supervised_mut(run)?.ready.as_mut().filter(|ready| ready.token == token)?.hear();
        self.heard(run, heard, registry)
    }

    /// The same, for a process that is about to be judged: everything that it has said by now is read.
    pub(in crate::control) fn hear_out(&mut self, process: ProcessId, registry: &Registry) -> Option<(RunId, Heard)> {
        let run = self.program_run(process)?;
        let heard = self.supervised_mut(run)?.ready.as_mut()?.hear_out();
        self.heard(run, heard, registry)
    }

    fn heard(&mut self, run: RunId, heard: Heard, registry: &Registry) -> Option<(RunId, Heard)> {
        match heard {
            Heard::Nothing => return None,
            Heard::More => {}
            Heard::Ready | Heard::Closed => {
                let ready = self.supervised_mut(run)?.ready.take()?;
                self.stop_awaiting(&ready, registry);
            }
        }
        Some((run, heard))
    }

    /// Reads what the listener behind this token said.
    pub(in crate::control) fn read_listener(&mut self, token: usize) -> Option<(RunId, ProcessId, Vec<u8>)> {
        let run = self.tokens.run(token)?;
        let Role::Listener(supervised, listener) = &mut self.living.get_mut(&run)?.role else { return None };
        if listener.token != token {
            return None;
        }
        let bytes = read_available(&mut listener.pipe);
        (!bytes.is_empty()).then_some((run, supervised.process, bytes))
    }
}
