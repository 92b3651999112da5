//! Who gets an event: the plug-ins and the pools of listeners that subscribed to its type, and the history.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_wire::event::EventType;
use supervisord_wire::state::ProcessState;

use super::{Effect, OutputKind, ProcessId, Supervisor};
use crate::event::{Event, ProcessName, ProcessOutput};
use crate::event_queue_counts::EventQueueCounts;
use crate::history::History;
use crate::output::Channel;
use crate::process::StateDetail;

impl Supervisor {
    pub(super) fn is_subscribed(&self, kind: EventType) -> bool {
        self.has_plug_in(kind) || self.has_pool(kind)
    }

    fn has_plug_in(&self, kind: EventType) -> bool {
        self.subscribed.iter().any(|wanted| kind.is_a(*wanted))
    }

    fn has_pool(&self, kind: EventType) -> bool {
        self.groups.pools().any(|pool| pool.wants(kind))
    }

    /// Hands an event to whoever is to have it: the plug-ins and the pools that subscribed to its type, and the history.
    pub(super) fn emit(&mut self, event: Event) {
        self.hand_to_subscribers(&event);
        if History::keeps(&event) {
            self.effects.push_back(Effect::Record(event));
        }
    }

    /// The text of an event is made only where somebody subscribed to its type, and only an event that a pool takes uses a
    /// serial number.
    fn hand_to_subscribers(&mut self, event: &Event) {
        let Some(kind) = event.kind() else { return };
        let (has_plug_in, has_pool) = (self.has_plug_in(kind), self.has_pool(kind));
        if !has_plug_in && !has_pool {
            return;
        }
        let Some(rendered) = event.render().map(Arc::new) else { return };
        if has_plug_in {
            self.effects.push_back(Effect::Announce(rendered.clone()));
        }
        if !has_pool {
            return;
        }
        let serial = self.next_serial;
        self.next_serial = (serial + 1) & i64::MAX as u64;
        let mut overflowed = Vec::new();
        self.groups.for_each_pool(|group| {
            let Some(pool) = group.pool.as_mut().filter(|pool| pool.wants(kind)) else { return };
            overflowed
                .extend(pool.accept(rendered.clone(), serial).map(|lost| (group.config.name.clone(), lost.serial)));
        });
        for (pool, serial) in overflowed {
            self.overflowed(&pool, serial);
        }
    }

    /// What is counted of the queue of a pool.
    pub(super) fn event_queue_of(&self, pool: &str) -> Option<Arc<EventQueueCounts>> {
        Some(self.groups[self.group_index(pool)?].pool.as_ref()?.counts().clone())
    }

    pub(super) fn overflowed(&mut self, pool: &str, serial: u64) {
        self.log(LogLevel::Error, format!("pool {pool} event buffer overflowed, discarding event {serial}"));
    }

    pub(super) fn state_changed(&mut self, id: ProcessId, from: ProcessState, to: ProcessState, detail: StateDetail) {
        if let Some(process) = self.name_of(id) {
            self.emit(Event::ProcessState { process, from, to, detail });
        }
    }

    pub(super) fn output(&mut self, id: ProcessId, pid: u32, kind: OutputKind, channel: Channel, bytes: Vec<u8>) {
        let Some(process) = self.name_of(id) else { return };
        let output = ProcessOutput { process, pid, channel, bytes };
        self.emit(match kind {
            OutputKind::Communication => Event::ProcessCommunication(output),
            OutputKind::Log => Event::ProcessLog(output),
        });
    }

    pub(super) fn name_of(&self, id: ProcessId) -> Option<ProcessName> {
        let member = self.members.get(&id)?;
        Some(ProcessName { group: member.group.clone(), process: member.config.identity.name.as_str().into() })
    }
}
