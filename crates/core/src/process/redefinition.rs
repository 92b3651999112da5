//! A definition that changes while the process goes on.

use std::time::Duration;

use supervisord_config::model::Process;

use super::Machine;
use super::phase::{ProcessPhase, Timer};
use super::recycling::Recycling;
use super::restart_policy::RestartPolicy;
use crate::health::HealthPolicy;

impl Machine {
    /// Goes on by another definition: what it says about health, and about how long the process may run, counts at once, and
    /// everything else from when it is asked for next.
    pub(crate) fn follow_definition(&mut self, old: &Process, new: &Process, random: u64, now: Duration) {
        if HealthPolicy::of(old) != HealthPolicy::of(new) {
            self.watch_health(new, now);
        }
        let (before, after) = (RestartPolicy::of(old), RestartPolicy::of(new));
        let limits = |policy: &RestartPolicy| (policy.runtime(), policy.recycled_after(0));
        if limits(&before) == limits(&after) {
            return;
        }
        let runtime = match self.progress.phase {
            ProcessPhase::Up => after.recycled_after(random).or(after.runtime()),
            ProcessPhase::RunningToEnd => after.runtime(),
            _ => return,
        };
        if self.progress.recycling == Recycling::Due {
            self.progress.recycling = Recycling::No;
        }
        self.progress.timers.clear(Timer::EndOfRun);
        if let Some(runtime) = runtime {
            self.progress.timers.set(Timer::EndOfRun, self.progress.started.saturating_add(runtime));
        }
    }
}
