//! Event listeners: dispatching events and processing results.

use std::time::Duration;

use supervisord_config::model::{GroupKind, LogLevel};
use supervisord_wire::event::header;
use supervisord_wire::listener::{ListenerOutput, ListenerProtocol, ListenerState};

use super::listener_progress::ListenerProgress;
use super::{Effect, FeedFailure, HandlerVerdict, ProcessId, Supervisor};
use crate::pool::QueuedEvent;
use crate::time::Now;

/// The built-in result handler.
const DEFAULT_HANDLER: &str = "supervisor.dispatchers:default_handler";

/// How long a listener that was taken over may be silent before it counts as ready for an event.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// The longest delay before a listener in the UNKNOWN state is restarted.
const MAX_REPLACEMENT_DELAY: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Resets the protocol for a new child.
    pub(super) fn seat_listener(&mut self, id: ProcessId) {
        if let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) {
            listener.protocol = ListenerProtocol::default();
            listener.restart_at = None;
        }
    }

    /// Sends queued events to ready listeners: the oldest event to the first ready listener.
    pub(super) fn dispatch_events(&mut self) {
        for number in 0.. {
            let Some(index) = self.groups.pool_index(number) else { break };
            while self.groups[index].pool.as_ref().is_some_and(|pool| pool.is_due()) {
                let Some(listener) = self.free_listener(index) else { break };
                let Some(event) = self.groups[index].pool.as_mut().and_then(crate::pool::PoolQueue::take) else {
                    break;
                };
                self.send_event(index, listener, event);
            }
        }
    }

    fn free_listener(&self, index: usize) -> Option<ProcessId> {
        self.groups[index].members.iter().copied().find(|id| {
            self.members.get(id).is_some_and(|member| {
                member.machine.is_up()
                    && member
                        .listener
                        .as_ref()
                        .is_some_and(|listener| listener.protocol.state() == ListenerState::Ready)
            })
        })
    }

    fn send_event(&mut self, index: usize, id: ProcessId, queued: QueuedEvent) {
        let pool = self.groups[index].config.name.clone();
        let event = queued.event.clone();
        let server = &self.config.supervisord.identifier;
        let mut envelope =
            header(server, queued.serial, &pool, queued.pool_serial, event.kind, &event.payload).into_bytes();
        envelope.extend_from_slice(event.payload.as_bytes());
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(listener) = member.listener.as_mut() else { return };
        listener.protocol.sent();
        listener.event = Some(queued);
        self.effects.push_back(Effect::Feed { process: id, bytes: envelope, call: None });
    }

    /// The result of sending an event.
    pub(super) fn event_fed(&mut self, now: Now, id: ProcessId, result: Result<(), FeedFailure>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let name = member.config.identity.name.clone();
        let Some(listener) = member.listener.as_mut() else { return };
        let Some(serial) = listener.event.as_ref().map(|event| event.serial) else { return };
        match result {
            Ok(()) => self.log(LogLevel::Debug, format!("event {serial} sent to listener {name}")),
            Err(_) => {
                let event = listener.event.take();
                self.log(
                    LogLevel::Debug,
                    format!("epipe occurred while sending event {serial} to listener {name}, listener state unchanged"),
                );
                self.put_back(now, id, event);
            }
        }
    }

    pub(super) fn listener_output(&mut self, now: Now, id: ProcessId, bytes: &[u8]) {
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        let ready_at = listener.ready_at.take().filter(|_| listener.protocol.is_output_missing());
        listener.protocol.feed(bytes);
        self.process_listener_output(now, id);
        // A listener that is out of step with the parser may have no more output, or none that can be parsed.
        if let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut())
            && listener.protocol.is_output_missing()
        {
            listener.ready_at = ready_at.or(Some(now.mono + SILENCE_LIMIT));
        }
    }

    fn process_listener_output(&mut self, now: Now, id: ProcessId) {
        // Each result is judged before the bytes after it are parsed: the judgement decides their meaning.
        while let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) {
            let before = listener.protocol.state();
            let Some(output) = listener.protocol.next_output() else { return };
            self.listener_message(now, id, before, output);
        }
    }

    fn listener_message(&mut self, now: Now, id: ProcessId, before: ListenerState, output: ListenerOutput) {
        let Some(name) = self.members.get(&id).map(|member| member.config.identity.name.clone()) else { return };
        match output {
            ListenerOutput::Ready => self.log_transition(&name, before, ListenerState::Ready),
            ListenerOutput::Result(result) => self.judge(now, id, &name, result),
            ListenerOutput::BadResultLine(line) => {
                self.log(LogLevel::Warn, format!("{name}: bad result line: '{}'", String::from_utf8_lossy(&line)));
                self.violated(now, id, &name, before);
            }
            ListenerOutput::ProtocolError => self.violated(now, id, &name, before),
            ListenerOutput::Resynchronized(said) => self.resynchronized(now, id, &name, &said),
        }
    }

    /// A listener that was taken over is ready for an event: its last event is done if the output just before says so.
    /// Otherwise only the killed daemon knew the result, and the event is sent again.
    fn resynchronized(&mut self, now: Now, id: ProcessId, name: &str, said: &[u8]) {
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        let event = listener.event.take();
        self.log_transition(name, ListenerState::Busy, ListenerState::Ready);
        if !said.ends_with(b"OK") {
            self.put_back(now, id, event);
        }
    }

    /// Judges a result: with the original's default result handler, which accepts exactly `OK`, or with Python code.
    /// The listener stays BUSY until the judgement.
    fn judge(&mut self, now: Now, id: ProcessId, name: &str, result: Vec<u8>) {
        let Some(handler) = self.result_handler(id) else {
            let verdict = if result == b"OK" { HandlerVerdict::Accepted } else { HandlerVerdict::Rejected };
            return self.settle(now, id, name, verdict);
        };
        let judgement = self.next_judgement;
        self.next_judgement += 1;
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        let Some(event) = listener.event.as_ref().map(|queued| queued.event.clone()) else {
            // It never got the event that it answers; there is nothing to judge.
            return self.settle(now, id, name, HandlerVerdict::Rejected);
        };
        listener.judgement = Some(judgement);
        self.effects.push_back(Effect::Judge { process: id, judgement, handler, event, result });
    }

    /// The result handler of a listener, if it is not the default one.
    fn result_handler(&self, id: ProcessId) -> Option<String> {
        let index = self.group_index(&self.members.get(&id)?.group)?;
        match &self.groups[index].config.kind {
            GroupKind::Listeners(pool) if pool.result_handler != DEFAULT_HANDLER => Some(pool.result_handler.clone()),
            _ => None,
        }
    }

    /// The judgement of a result handler. The number prevents that a late judgement of an earlier child's result is
    /// taken for this one's.
    pub(super) fn judged(&mut self, now: Now, id: ProcessId, judgement: u64, verdict: HandlerVerdict) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let name = member.config.identity.name.clone();
        let Some(listener) = member.listener.as_mut().filter(|listener| listener.judgement == Some(judgement)) else {
            return;
        };
        listener.judgement = None;
        self.settle(now, id, &name, verdict);
        self.process_listener_output(now, id);
    }

    /// The plug-in process will not answer earlier requests: those events are sent again.
    pub(super) fn forget_judgements(&mut self, now: Now) {
        let awaited: Vec<(ProcessId, u64)> =
            self.listener_progress().filter_map(|(id, listener)| Some((id, listener.judgement?))).collect();
        for (id, judgement) in awaited {
            self.judged(now, id, judgement, HandlerVerdict::Lost);
        }
    }

    fn settle(&mut self, now: Now, id: ProcessId, name: &str, verdict: HandlerVerdict) {
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        listener.protocol.judged(verdict != HandlerVerdict::Failed);
        if verdict == HandlerVerdict::Failed {
            self.log(LogLevel::Warn, format!("{name}: event caused an error"));
            return self.violated(now, id, name, ListenerState::Busy);
        }
        let event = listener.event.take();
        if verdict == HandlerVerdict::Accepted {
            listener.violations = 0;
            self.log(LogLevel::Debug, format!("{name}: event was processed"));
            self.log_transition(name, ListenerState::Busy, ListenerState::Acknowledged);
            if let Some(pool) = self.pool_of(id) {
                pool.accepted();
            }
        } else {
            let what = if verdict == HandlerVerdict::Lost { "could not be judged" } else { "was rejected" };
            self.log(LogLevel::Warn, format!("{name}: event {what}"));
            self.log_transition(name, ListenerState::Busy, ListenerState::Acknowledged);
            self.put_back(now, id, event);
        }
    }

    /// After a protocol violation the child gets no more events; it is replaced after a delay that grows while its
    /// successors violate the protocol, too. The original never replaces it.
    fn violated(&mut self, now: Now, id: ProcessId, name: &str, before: ListenerState) {
        self.log_transition(name, before, ListenerState::Unknown);
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        let event = listener.event.take();
        let wait = Duration::from_secs(1 << listener.violations.min(6)).min(MAX_REPLACEMENT_DELAY);
        listener.violations = listener.violations.saturating_add(1);
        listener.restart_at = Some(now.mono + wait);
        let times = listener.violations;
        self.log(
            LogLevel::Warn,
            format!(
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates the \
                 process violated the eventlistener protocol"
            ),
        );
        self.log(
            LogLevel::Warn,
            format!("{name}: will be restarted in {} s (violation {times} in a row)", wait.as_secs()),
        );
        self.put_back(now, id, event);
    }

    pub(super) fn next_listener_deadline(&self) -> Option<Duration> {
        self.listener_progress().flat_map(|(_, listener)| [listener.restart_at, listener.ready_at]).flatten().min()
    }

    /// After a crash: the killed daemon may have read output of a listener, or sent it an event, without noting that. A
    /// listener that should be writing but is silent is itself waiting; its event is sent again.
    pub fn mark_listeners_uncertain(&mut self, now: Now) {
        for member in self.members.values_mut().filter(|member| member.machine.pid() != 0) {
            let Some(listener) = member.listener.as_mut() else { continue };
            listener.protocol.output_may_be_missing();
            if matches!(listener.protocol.state(), ListenerState::Busy | ListenerState::Acknowledged) {
                listener.ready_at = Some(now.mono + SILENCE_LIMIT);
            }
        }
    }

    /// Resolves uncertain listeners whose time has come.
    pub(super) fn resolve_uncertain_listeners(&mut self, now: Now) {
        let due = |(id, listener): (ProcessId, &ListenerProgress)| {
            listener.ready_at.is_some_and(|at| at <= now.mono).then_some(id)
        };
        for id in self.listener_progress().filter_map(due).collect::<Vec<_>>() {
            let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else {
                continue;
            };
            listener.ready_at = None;
            listener.protocol = ListenerProtocol::presumed_ready();
            let event = listener.event.take();
            self.put_back(now, id, event);
        }
    }

    fn listener_progress(&self) -> impl Iterator<Item = (ProcessId, &ListenerProgress)> {
        let pools = self.groups.with_pool();
        pools.flat_map(|group| &group.members).filter_map(|id| Some((*id, self.members.get(id)?.listener.as_deref()?)))
    }

    pub(super) fn release_events(&mut self, now: Now) {
        self.groups.for_each_pool(|group| {
            if let Some(pool) = group.pool.as_mut() {
                pool.release(now.mono);
            }
        });
    }

    pub(super) fn restart_listeners(&mut self, now: Now) {
        let due: Vec<ProcessId> = self
            .listener_progress()
            .filter(|(_, listener)| listener.restart_at.is_some_and(|at| at <= now.mono))
            .map(|(id, _)| id)
            .collect();
        for id in due {
            if let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) {
                listener.restart_at = None;
            }
            self.replace(id, now);
        }
    }

    /// A stop by a client is final, even if the listener was about to be restarted.
    pub(super) fn cancel_listener_restart(&mut self, id: ProcessId) {
        if let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) {
            listener.restart_at = None;
        }
    }

    /// Returns the event of an exited listener to its pool.
    pub(super) fn listener_ended(&mut self, now: Now, id: ProcessId) {
        let Some(listener) = self.members.get_mut(&id).and_then(|member| member.listener.as_mut()) else { return };
        listener.restart_at = None;
        listener.judgement = None;
        let event = listener.event.take();
        self.put_back(now, id, event);
    }

    fn put_back(&mut self, now: Now, id: ProcessId, event: Option<QueuedEvent>) {
        let (Some(event), Some(pool_name)) = (event, self.members.get(&id).map(|member| member.group.clone())) else {
            return;
        };
        let Some(pool) = self.pool_of(id) else { return };
        let (serial, size, max) = (event.serial, pool.len(), pool.buffer_size());
        pool.refused(now.mono);
        let lost = pool.put_back(event);
        if let Some(lost) = lost {
            self.overflowed(&pool_name, lost.serial);
        }
        self.log(
            LogLevel::Debug,
            format!("rebuffering event {serial} for pool {pool_name} (buf size={size}, max={max})"),
        );
    }

    fn pool_of(&mut self, id: ProcessId) -> Option<&mut crate::pool::PoolQueue> {
        let index = self.group_index(&self.members.get(&id)?.group.clone())?;
        self.groups[index].pool.as_mut()
    }

    fn log_transition(&mut self, name: &str, from: ListenerState, to: ListenerState) {
        self.log(LogLevel::Debug, format!("{name}: {} -> {}", from.name(), to.name()));
    }
}
