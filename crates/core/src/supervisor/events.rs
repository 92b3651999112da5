//! Events: when they are emitted, what their payload says, and which pools take them.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_wire::event::EventType;
use supervisord_wire::state::ProcessState;

use super::{Effect, OutputKind, ProcessId, Supervisor};
use crate::output::Channel;
use crate::output::debug_text::bytes_literal;
use crate::pool::Event;

/// The event of entering a state.
fn state_event(state: ProcessState) -> EventType {
    match state {
        ProcessState::Stopped => EventType::ProcessStateStopped,
        ProcessState::Starting => EventType::ProcessStateStarting,
        ProcessState::Running => EventType::ProcessStateRunning,
        ProcessState::Backoff => EventType::ProcessStateBackoff,
        ProcessState::Stopping => EventType::ProcessStateStopping,
        ProcessState::Exited => EventType::ProcessStateExited,
        ProcessState::Fatal => EventType::ProcessStateFatal,
        ProcessState::Unknown => EventType::ProcessStateUnknown,
    }
}

impl Supervisor {
    pub(super) fn is_subscribed(&self, kind: EventType) -> bool {
        self.is_announced(kind) || self.has_pool(kind)
    }

    fn is_announced(&self, kind: EventType) -> bool {
        self.subscribed.iter().any(|wanted| kind.is_a(*wanted))
    }

    fn has_pool(&self, kind: EventType) -> bool {
        self.groups.iter().any(|group| group.pool.as_ref().is_some_and(|pool| pool.wants(kind)))
    }

    /// Hands an event to plug-ins and to every pool that wants it. An event no pool wants uses no number.
    pub(super) fn emit(&mut self, kind: EventType, payload: String) {
        if !self.is_subscribed(kind) {
            return;
        }
        let event = Arc::new(Event { kind, payload });
        if self.is_announced(kind) {
            self.effects.push_back(Effect::Announce(event.clone()));
        }
        if !self.has_pool(kind) {
            return;
        }
        let serial = self.next_serial;
        self.next_serial = (serial + 1) & i64::MAX as u64;
        let mut overflowed = Vec::new();
        for group in &mut self.groups {
            let Some(pool) = group.pool.as_mut().filter(|pool| pool.wants(kind)) else { continue };
            overflowed.extend(pool.accept(event.clone(), serial).map(|lost| (group.config.name.clone(), lost.serial)));
        }
        for (pool, serial) in overflowed {
            self.overflowed(&pool, serial);
        }
    }

    pub(super) fn overflowed(&mut self, pool: &str, serial: u64) {
        self.log(LogLevel::Error, format!("pool {pool} event buffer overflowed, discarding event {serial}"));
    }

    pub(super) fn state_changed(&mut self, id: ProcessId, from: ProcessState, to: ProcessState, detail: &str) {
        if !self.is_subscribed(state_event(to)) {
            return;
        }
        let Some(names) = self.names(id) else { return };
        let separator = if detail.is_empty() { "" } else { " " };
        self.emit(state_event(to), format!("{names} from_state:{from}{separator}{detail}"));
    }

    pub(super) fn output(&mut self, id: ProcessId, pid: u32, kind: OutputKind, channel: Channel, bytes: &[u8]) {
        let Some(names) = self.names(id) else { return };
        let data = readable(bytes);
        match (kind, channel) {
            (OutputKind::Communication, Channel::Stdout) => {
                self.emit(EventType::ProcessCommunicationStdout, format!("{names} pid:{pid}\n{data}"));
            }
            (OutputKind::Communication, Channel::Stderr) => {
                self.emit(EventType::ProcessCommunicationStderr, format!("{names} pid:{pid}\n{data}"));
            }
            (OutputKind::Log, Channel::Stdout) => {
                self.emit(EventType::ProcessLogStdout, format!("{names} pid:{pid} channel:stdout\n{data}"));
            }
            (OutputKind::Log, Channel::Stderr) => {
                self.emit(EventType::ProcessLogStderr, format!("{names} pid:{pid} channel:stderr\n{data}"));
            }
        }
    }

    fn names(&self, id: ProcessId) -> Option<String> {
        let member = self.members.get(&id)?;
        Some(format!("processname:{} groupname:{}", member.config.identity.name, member.group))
    }
}

/// The text of bytes for an event; what is not UTF-8 is shown as the original shows it.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("Undecodable: {}", bytes_literal(bytes)),
    }
}
