//! Clearing logs for a client, which waits for a disk, and for no longer than is bearable.

use std::time::Duration;

use supervisord_core::call::{Reason, Refusal};
use supervisord_core::output::Channel;
use supervisord_core::supervisor::{CallId, ProcessId, SupervisorInput};

use super::Control;
use super::clear_queue::Clearing;
use super::inbox::Message;
use crate::clock::present;
use crate::output::{ClearError, OutputRequest};

/// How long a client waits for logs to be cleared: their disk may hang. They are cleared all the same when it comes
/// back.
const CLEAR_BOUND: Duration = Duration::from_secs(5);

impl Control {
    pub(super) fn give_up_clearing(&mut self) {
        let now = present().mono;
        while let Some(Clearing { process, call, failure, .. }) = self.clearing.take_overdue(now) {
            self.input(SupervisorInput::Cleared { process, call, result: Err(failure) });
        }
    }

    /// Gives the outcome to a call that still waits for it.
    pub(super) fn cleared(&mut self, process: Option<ProcessId>, call: CallId, outcome: Result<(), Reason>) {
        let Some(Clearing { failure, .. }) = self.clearing.take(process, call) else { return };
        let result = outcome.map_err(|code| match code {
            Reason::Failed => failure,
            code => Refusal::new(code),
        });
        self.input(SupervisorInput::Cleared { process, call, result });
    }

    pub(super) fn clear_logs(&mut self, process: ProcessId, channels: &[Channel], files: Vec<String>, call: CallId) {
        let row = self.supervisor.row(process);
        let name =
            row.map(|row| supervisord_wire::name::namespec(&row.group, &row.config.identity.name)).unwrap_or_default();
        let kept = channels.iter().filter_map(|channel| self.tools.memory.find(&name, *channel));
        let is_memory_cleared = kept.map(|log| log.clear()).fold(true, |all, cleared| all & cleared.is_ok());
        self.await_clearing(Some(process), call, Refusal::with(Reason::Failed, name));
        let message_sender = self.message_sender.clone();
        let reply = Box::new(move |result: Result<(), i32>| {
            let outcome = result.ok().filter(|()| is_memory_cleared).ok_or(Reason::Failed);
            message_sender.send(Message::Cleared { process: Some(process), call, outcome });
        });
        self.tools.output.send(OutputRequest::ClearLogs { files, reply });
    }

    pub(super) fn clear_activity(&mut self, call: CallId) {
        self.await_clearing(None, call, Refusal::new(Reason::Failed));
        let message_sender = self.message_sender.clone();
        let reply = Box::new(move |result: Result<(), ClearError>| {
            let outcome = result.map_err(|error| match error {
                ClearError::NoFile => Reason::NoFile,
                ClearError::Failed => Reason::Failed,
            });
            message_sender.send(Message::Cleared { process: None, call, outcome });
        });
        self.tools.output.send(OutputRequest::ClearActivity { reply });
    }

    fn await_clearing(&mut self, process: Option<ProcessId>, call: CallId, failure: Refusal) {
        self.clearing.add(Clearing { deadline: present().mono + CLEAR_BOUND, process, call, failure });
    }
}
