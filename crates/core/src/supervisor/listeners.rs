//! Event listeners: who gets the next event, and what their answers mean.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_config::model::{GroupKind, LogLevel};
use supervisord_wire::event::header;
use supervisord_wire::listener::{Listener, ListenerOutput, ListenerState};

use super::{Effect, FeedFailure, ProcessId, Supervisor, Verdict};
use crate::pool::Queued;
use crate::time::Now;

/// What belongs to a process because it is an event listener.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seat {
    protocol: Listener,
    /// The event it is working on.
    event: Option<Queued>,
    /// The number of the judgement of its result that is awaited.
    #[serde(default)]
    judgement: Option<u64>,
    /// Violations of the protocol in a row, over restarts.
    violations: u32,
    /// When it is to be restarted because it violated the protocol.
    revival: Option<Duration>,
    /// When it is taken to be waiting for an event, unless it says something before.
    #[serde(default)]
    doubt: Option<Duration>,
}

impl Seat {
    /// Whether it was sent an event and has not answered yet.
    pub(super) fn is_busy(&self) -> bool {
        self.protocol.state() == ListenerState::Busy
    }
}

/// The result handler that is built in.
const DEFAULT_HANDLER: &str = "supervisor.dispatchers:default_handler";

/// How long a listener that was taken over may be silent before it is taken to be waiting for an event.
const LONGEST_DOUBT: Duration = Duration::from_secs(10);

/// The longest a listener in the UNKNOWN state is left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Supervisor {
    /// A fresh child speaks a fresh protocol.
    pub(super) fn seat_listener(&mut self, id: ProcessId) {
        if let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) {
            seat.protocol = Listener::default();
            seat.revival = None;
        }
    }

    /// Sends waiting events to listeners that are free: the oldest event to the first free listener.
    pub(super) fn dispatch_events(&mut self) {
        for index in 0..self.groups.len() {
            while self.groups[index].pool.as_ref().is_some_and(|pool| pool.is_due()) {
                let Some(listener) = self.free_listener(index) else { break };
                let Some(event) = self.groups[index].pool.as_mut().and_then(crate::pool::Pool::take) else { break };
                self.send_event(index, listener, event);
            }
        }
    }

    fn free_listener(&self, index: usize) -> Option<ProcessId> {
        self.groups[index].members.iter().copied().find(|id| {
            self.members.get(id).is_some_and(|member| {
                member.machine.is_up()
                    && member.seat.as_ref().is_some_and(|seat| seat.protocol.state() == ListenerState::Ready)
            })
        })
    }

    fn send_event(&mut self, index: usize, id: ProcessId, queued: Queued) {
        let pool = self.groups[index].config.name.clone();
        let event = queued.event.clone();
        let server = &self.config.supervisord.identifier;
        let mut envelope =
            header(server, queued.serial, &pool, queued.pool_serial, event.kind, &event.payload).into_bytes();
        envelope.extend_from_slice(event.payload.as_bytes());
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(seat) = member.seat.as_mut() else { return };
        seat.protocol.sent();
        seat.event = Some(queued);
        self.effects.push_back(Effect::Feed { process: id, bytes: envelope, call: None });
    }

    /// What became of an event that was to be sent.
    pub(super) fn event_fed(&mut self, now: Now, id: ProcessId, result: Result<(), FeedFailure>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let name = member.config.identity.name.clone();
        let Some(seat) = member.seat.as_mut() else { return };
        let Some(serial) = seat.event.as_ref().map(|event| event.serial) else { return };
        match result {
            Ok(()) => self.log(LogLevel::Debug, format!("event {serial} sent to listener {name}")),
            Err(_) => {
                let event = seat.event.take();
                self.log(
                    LogLevel::Debug,
                    format!("epipe occurred while sending event {serial} to listener {name}, listener state unchanged"),
                );
                self.put_back(now, id, event);
            }
        }
    }

    pub(super) fn listener_output(&mut self, now: Now, id: ProcessId, bytes: &[u8]) {
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        let doubt = seat.doubt.take().filter(|_| seat.protocol.is_output_missing());
        seat.protocol.feed(bytes);
        self.hear_listener(now, id);
        // A listener that was not understood may have no more to say, or nothing but what cannot be understood.
        if let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut())
            && seat.protocol.is_output_missing()
        {
            seat.doubt = doubt.or(Some(now.mono + LONGEST_DOUBT));
        }
    }

    fn hear_listener(&mut self, now: Now, id: ProcessId) {
        // Each output is judged before the bytes behind it are looked at: the judgement decides what they mean.
        while let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) {
            let before = seat.protocol.state();
            let Some(output) = seat.protocol.next_output() else { return };
            self.listener_said(now, id, before, output);
        }
    }

    fn listener_said(&mut self, now: Now, id: ProcessId, before: ListenerState, output: ListenerOutput) {
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

    /// A listener that was taken over in the midst of a conversation wants an event: the one it had is done if it has
    /// just said so. Otherwise only the dead daemon knows what was said of it, and it is offered again.
    fn resynchronized(&mut self, now: Now, id: ProcessId, name: &str, said: &[u8]) {
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        let event = seat.event.take();
        self.log_transition(name, ListenerState::Busy, ListenerState::Ready);
        if !said.ends_with(b"OK") {
            self.put_back(now, id, event);
        }
    }

    /// Has a result judged: by the original's default result handler, to which exactly `OK` is an acceptance, or by one
    /// that is Python code. The listener stays BUSY until that one has spoken.
    fn judge(&mut self, now: Now, id: ProcessId, name: &str, result: Vec<u8>) {
        let Some(handler) = self.result_handler(id) else {
            let verdict = if result == b"OK" { Verdict::Accepted } else { Verdict::Rejected };
            return self.settle(now, id, name, verdict);
        };
        let judgement = self.next_judgement;
        self.next_judgement += 1;
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        let Some(event) = seat.event.as_ref().map(|queued| queued.event.clone()) else {
            // It never got the event it answers; there is nothing to judge.
            return self.settle(now, id, name, Verdict::Rejected);
        };
        seat.judgement = Some(judgement);
        self.effects.push_back(Effect::Judge { process: id, judgement, handler, event, result });
    }

    /// The result handler of a listener where it is not the default one.
    fn result_handler(&self, id: ProcessId) -> Option<String> {
        let index = self.group_index(&self.members.get(&id)?.group)?;
        match &self.groups[index].config.kind {
            GroupKind::Listeners(pool) if pool.result_handler != DEFAULT_HANDLER => Some(pool.result_handler.clone()),
            _ => None,
        }
    }

    /// A result handler has spoken. Not even a late word about the result of an earlier child can be taken for one
    /// about this one's.
    pub(super) fn judged(&mut self, now: Now, id: ProcessId, judgement: u64, verdict: Verdict) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let name = member.config.identity.name.clone();
        let Some(seat) = member.seat.as_mut().filter(|seat| seat.judgement == Some(judgement)) else { return };
        seat.judgement = None;
        self.settle(now, id, &name, verdict);
        self.hear_listener(now, id);
    }

    /// Nobody will answer what was asked of Python code before: those events are offered again.
    pub(super) fn forget_judgements(&mut self, now: Now) {
        let awaited: Vec<(ProcessId, u64)> =
            self.seats().filter_map(|(id, seat)| Some((id, seat.judgement?))).collect();
        for (id, judgement) in awaited {
            self.judged(now, id, judgement, Verdict::Lost);
        }
    }

    fn settle(&mut self, now: Now, id: ProcessId, name: &str, verdict: Verdict) {
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        seat.protocol.judged(verdict != Verdict::Failed);
        if verdict == Verdict::Failed {
            self.log(LogLevel::Warn, format!("{name}: event caused an error"));
            return self.violated(now, id, name, ListenerState::Busy);
        }
        let event = seat.event.take();
        if verdict == Verdict::Accepted {
            seat.violations = 0;
            self.log(LogLevel::Debug, format!("{name}: event was processed"));
            self.log_transition(name, ListenerState::Busy, ListenerState::Acknowledged);
            if let Some(pool) = self.pool_of(id) {
                pool.accepted();
            }
        } else {
            let what = if verdict == Verdict::Lost { "could not be judged" } else { "was rejected" };
            self.log(LogLevel::Warn, format!("{name}: event {what}"));
            self.log_transition(name, ListenerState::Busy, ListenerState::Acknowledged);
            self.put_back(now, id, event);
        }
    }

    /// A listener that broke the protocol gets no more events from this child; the child is replaced after a pause
    /// that grows while its successors do no better. The original leaves it as it is for ever.
    fn violated(&mut self, now: Now, id: ProcessId, name: &str, before: ListenerState) {
        self.log_transition(name, before, ListenerState::Unknown);
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        let event = seat.event.take();
        let wait = Duration::from_secs(1 << seat.violations.min(6)).min(LONGEST_WAIT);
        seat.violations = seat.violations.saturating_add(1);
        seat.revival = Some(now.mono + wait);
        let times = seat.violations;
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

    pub(super) fn next_revival(&self) -> Option<Duration> {
        self.seats().flat_map(|(_, seat)| [seat.revival, seat.doubt]).flatten().min()
    }

    /// After a crash: the last words of a listener may have been heard by the daemon that is dead, and the last event
    /// sent by it, and it had no time to note that. A listener that should be about to say something and does not is
    /// waiting itself; the event it had is offered again.
    pub fn doubt_listeners(&mut self, now: Now) {
        for member in self.members.values_mut().filter(|member| member.machine.pid() != 0) {
            let Some(seat) = member.seat.as_mut() else { continue };
            seat.protocol.output_may_be_missing();
            if matches!(seat.protocol.state(), ListenerState::Busy | ListenerState::Acknowledged) {
                seat.doubt = Some(now.mono + LONGEST_DOUBT);
            }
        }
    }

    /// Ends the doubts whose time has come.
    pub(super) fn settle_doubts(&mut self, now: Now) {
        let due = |(id, seat): (ProcessId, &Seat)| seat.doubt.is_some_and(|at| at <= now.mono).then_some(id);
        for id in self.seats().filter_map(due).collect::<Vec<_>>() {
            let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { continue };
            seat.doubt = None;
            seat.protocol = Listener::presumed_ready();
            let event = seat.event.take();
            self.put_back(now, id, event);
        }
    }

    fn seats(&self) -> impl Iterator<Item = (ProcessId, &Seat)> {
        let pools = self.groups.iter().filter(|group| group.pool.is_some());
        pools.flat_map(|group| &group.members).filter_map(|id| Some((*id, self.members.get(id)?.seat.as_ref()?)))
    }

    pub(super) fn release_events(&mut self, now: Now) {
        for pool in self.groups.iter_mut().filter_map(|group| group.pool.as_mut()) {
            pool.release(now.mono);
        }
    }

    pub(super) fn revive_listeners(&mut self, now: Now) {
        let due: Vec<ProcessId> =
            self.seats().filter(|(_, seat)| seat.revival.is_some_and(|at| at <= now.mono)).map(|(id, _)| id).collect();
        for id in due {
            if let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) {
                seat.revival = None;
            }
            self.replace(id, now);
        }
    }

    /// A stop that somebody asked for is final, even where the listener was about to be recycled.
    pub(super) fn forget_revival(&mut self, id: ProcessId) {
        if let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) {
            seat.revival = None;
        }
    }

    /// The event a dead listener was working on goes back to its pool.
    pub(super) fn listener_ended(&mut self, now: Now, id: ProcessId) {
        let Some(seat) = self.members.get_mut(&id).and_then(|member| member.seat.as_mut()) else { return };
        seat.revival = None;
        seat.judgement = None;
        let event = seat.event.take();
        self.put_back(now, id, event);
    }

    fn put_back(&mut self, now: Now, id: ProcessId, event: Option<Queued>) {
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

    fn pool_of(&mut self, id: ProcessId) -> Option<&mut crate::pool::Pool> {
        let index = self.group_index(&self.members.get(&id)?.group.clone())?;
        self.groups[index].pool.as_mut()
    }

    fn log_transition(&mut self, name: &str, from: ListenerState, to: ListenerState) {
        self.log(LogLevel::Debug, format!("{name}: {} -> {}", from.name(), to.name()));
    }
}
