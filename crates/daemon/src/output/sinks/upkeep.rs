//! Keeps logs within their rules of rotation: what is due at a time, and when.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use supervisord_sys::clock;

use super::{SinkId, Sinks};
use crate::output::log_limits::LogLimits;

/// For how long logs are kept up in one turn of the loop, while streams and requests wait.
const UPKEEP_AT_ONCE: Duration = Duration::from_millis(5);

impl Sinks {
    /// Keeps a log within the limits of its newest user.
    pub(super) fn limit(&mut self, id: SinkId, limits: &LogLimits) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        if limits.leaves_reserve {
            shared.sink.guard_disk(self.disk_guard.clone());
        }
        if shared.sink.limit(limits, &self.directories) {
            self.has_rules = true;
            self.note_upkeep(id);
        }
    }

    /// A log has rules, of which something may be due earlier than before.
    pub(super) fn note_upkeep(&mut self, id: SinkId) {
        if let Some(next) = self.open.get(&id).and_then(|shared| shared.sink.next_upkeep()) {
            self.timed.insert(id);
            self.next_upkeep = Some(self.next_upkeep.map_or(next, |before| before.min(next)));
        }
    }

    /// How long it takes until a log is to be rotated by time, or a backup becomes too old; none where that never happens.
    pub fn time_to_upkeep(&self) -> Option<Duration> {
        Some(self.next_upkeep?.saturating_sub(clock::wall()))
    }

    /// Rotates logs whose time has come, and removes what is too old; for a moment only, so that the rest of many is left to the
    /// next turn.
    pub fn keep_up_where_due(&mut self) {
        if self.time_to_upkeep().is_none_or(|left| !left.is_zero()) {
            return;
        }
        let (now, end) = (clock::wall(), Instant::now() + UPKEEP_AT_ONCE);
        let is_due = |id: &&SinkId| self.next_upkeep_of(**id).is_some_and(|next| next <= now);
        let due: Vec<SinkId> = self.timed.iter().filter(is_due).copied().collect();
        for id in due {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            let entries = shared.sink.keep_up();
            shared.notify_if_replaced(&self.follow);
            self.after_write(id, entries);
            if Instant::now() >= end {
                break;
            }
        }
        let Sinks { timed, open, .. } = self;
        timed.retain(|id| open.get(id).is_some_and(|shared| shared.sink.next_upkeep().is_some()));
        self.next_upkeep = self.timed.iter().filter_map(|id| self.next_upkeep_of(*id)).min();
    }

    fn next_upkeep_of(&self, id: SinkId) -> Option<Duration> {
        self.open.get(&id)?.sink.next_upkeep()
    }

    /// The loop is about to wait. What is in directories may be something else when it goes on.
    pub fn end_turn(&mut self) {
        self.note_waiting();
        if self.has_rules && self.time_to_upkeep().is_none_or(|left| !left.is_zero()) {
            self.directories.lock().unwrap_or_else(PoisonError::into_inner).forget();
        }
    }
}
