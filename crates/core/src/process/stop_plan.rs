//! How a program is stopped.

use std::time::Duration;

use supervisord_config::model::Process;

use crate::kill_scope::KillScope;
use crate::time::seconds;

/// The signals that stop a program, in order, until it has exited. The last one is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopPlan {
    steps: [StopStep; 2],
}

/// One step of a [`StopPlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// The signal to send.
    pub signal: i32,
    /// The recipients.
    pub scope: KillScope,
    /// How long to wait for the exit before the next step.
    pub wait: Duration,
}

/// The shortest time between two SIGKILLs, so that `stopwaitsecs=0` does not cause a busy loop.
const MIN_KILL_INTERVAL: Duration = Duration::from_secs(1);

impl StopPlan {
    /// The plan of a program: `stopsignal`, then SIGKILL, `stopwaitsecs` apart.
    pub fn of(config: &Process) -> StopPlan {
        let stop = &config.stop;
        let wait = seconds(stop.stopwaitsecs);
        let ask = StopStep { signal: stop.stopsignal, scope: scope(stop.stopasgroup), wait };
        let kill = StopStep { signal: SIGKILL, scope: scope(stop.killasgroup), wait: wait.max(MIN_KILL_INTERVAL) };
        StopPlan { steps: [ask, kill] }
    }

    /// The step with this number, from 0.
    pub fn step(&self, number: u32) -> StopStep {
        self.steps[self.clamp(number) as usize]
    }

    /// The number of the step that follows this one.
    pub fn after(&self, number: u32) -> u32 {
        self.clamp(number.saturating_add(1))
    }

    /// Limits the number, which may come from an earlier configuration.
    fn clamp(&self, number: u32) -> u32 {
        number.min(self.steps.len() as u32 - 1)
    }
}

fn scope(as_group: bool) -> KillScope {
    if as_group { KillScope::Group } else { KillScope::Process }
}

pub(super) const SIGKILL: i32 = 9;

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    fn plan(vary: impl FnOnce(&mut Process)) -> StopPlan {
        let mut config = samples::process("p");
        vary(&mut config);
        StopPlan::of(&config)
    }

    #[test]
    fn the_stop_signal_is_followed_by_sigkill_for_ever() {
        let plan = plan(|config| {
            (config.stop.stopsignal, config.stop.stopwaitsecs) = (2, 5);
            config.stop.stopasgroup = true;
        });
        let wait = Duration::from_secs(5);
        let kill = StopStep { signal: 9, scope: KillScope::Process, wait };
        assert_eq!(plan.step(0), StopStep { signal: 2, scope: KillScope::Group, wait });
        assert_eq!([plan.step(1), plan.step(2), plan.step(u32::MAX)], [kill; 3]);
        assert_eq!([plan.after(0), plan.after(1), plan.after(u32::MAX)], [1, 1, 1]);
    }

    #[test]
    fn without_a_time_to_stop_sigkill_follows_at_once_and_is_repeated_every_second() {
        for stopwaitsecs in [0, -1] {
            let plan = plan(|config| config.stop.stopwaitsecs = stopwaitsecs);
            assert_eq!([plan.step(0).wait, plan.step(1).wait], [Duration::ZERO, Duration::from_secs(1)]);
        }
    }

    #[test]
    fn each_step_has_its_own_scope() {
        let plan = plan(|config| config.stop.killasgroup = true);
        assert_eq!([plan.step(0).scope, plan.step(1).scope], [KillScope::Process, KillScope::Group]);
    }
}
