//! Logs that cannot be written for now: who waits, for how long, and what is given up.

use std::collections::HashMap;
use std::mem;
use std::time::Instant;

use supervisord_config::model::WhenBlocked;

use super::{SinkId, Sinks};
use crate::output::loss::Entries;
use crate::output::pipeline_notes::StreamKey;
use crate::output::sink::Sink;
use crate::output::spill;

impl Sinks {
    /// From now on output can wait for logs in files in this directory, where an earlier daemon may have left some.
    pub fn spill_to(&mut self, directory: &str) {
        self.spills = spill::left_in(directory).into_iter().collect();
        self.spill_directory = Some(directory.into());
    }

    /// Whether streams that feed this log should wait.
    pub fn is_congested(&self, id: SinkId) -> bool {
        self.open.get(&id).is_some_and(|shared| shared.sink.is_congested())
    }

    /// Writes what waits for this log.
    pub fn flush(&mut self, id: SinkId) {
        let Some(shared) = self.open.get_mut(&id) else { return };
        let entries = shared.sink.flush();
        self.after_write(id, entries);
    }

    /// When a log's reader will count as gone.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.behind.iter().filter_map(|id| self.open.get(id)?.sink.deadline()).min()
    }

    /// Whether any log has something that waits for a reader who is not given up.
    pub fn is_any_behind(&self) -> bool {
        let waits = |sink: &Sink| sink.is_in_memory() && sink.deadline().is_some();
        self.behind.iter().any(|id| self.open.get(id).is_some_and(|shared| waits(&shared.sink)))
    }

    /// What happens from now on to what this log cannot take, if its new user has a wish. Where several share a log, the last one
    /// to ask decides.
    pub fn set_policy(&mut self, id: SinkId, policy: Option<WhenBlocked>) {
        if let Some(shared) = self.open.get_mut(&id).filter(|_| policy.is_some()) {
            shared.sink.set_policy(policy);
            self.spill_directory.iter().for_each(|directory| shared.sink.spill_to(directory.clone()));
        }
    }

    /// Waits for no reader any longer than for a second. What waits in files is there for the next daemon.
    pub fn end_policies(&mut self) {
        let others = self.open.values_mut().filter(|shared| !shared.sink.is_spilled());
        others.for_each(|shared| shared.sink.set_policy(None));
    }

    /// Gives up readers who have taken nothing for too long, and tries files again that have taken nothing.
    pub fn give_up_where_due(&mut self, now: Instant) {
        let ids: Vec<SinkId> = self.behind.iter().copied().collect();
        for id in ids {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            if let Some(entries) = shared.sink.retry_if_due(now) {
                shared.notify(&self.follow);
                let is_given_up = shared.users == 0 && !shared.sink.is_held_by_policy();
                self.after_write(id, entries);
                if is_given_up {
                    self.close(id);
                }
                continue;
            }
            if shared.sink.stream().is_some_and(|stream| stream.give_up_if_due(now)) && shared.users == 0 {
                self.close(id);
            }
        }
    }

    /// Counts as lost what still waits for any log. The logs stay open for the entries that say so.
    pub fn close_behind(&mut self) {
        for id in mem::take(&mut self.behind) {
            let Some(shared) = self.open.get_mut(&id) else { continue };
            let entries = shared.sink.close();
            self.queue_notices(id, entries);
        }
    }

    pub(super) fn watch_all(&mut self) {
        let ids: Vec<SinkId> = self.behind.iter().copied().collect();
        for id in ids {
            self.after_write(id, Entries::new());
        }
    }

    /// How many bytes of which streams could not be written, since the last call. What several of them wrote into one log counts
    /// for the one that wrote last.
    pub fn take_losses(&mut self) -> HashMap<StreamKey, u64> {
        mem::take(&mut self.losses)
    }

    /// Whether there are any.
    pub fn has_losses(&self) -> bool {
        !self.losses.is_empty()
    }
}
