//! When a program counts as ready.

use std::time::Duration;

use supervisord_config::line_pattern::LinePattern;
use supervisord_config::model::Process;
use supervisord_config::readiness::ReadyWhen;

use crate::readiness_probe::PROBE_TIMEOUT;

/// What says that a program is ready, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadinessRule<'a> {
    sign: Option<&'a ReadyWhen>,
    timeout: Duration,
}

impl<'a> ReadinessRule<'a> {
    /// The rule of a program.
    pub fn of(config: &'a Process) -> ReadinessRule<'a> {
        // One that does its work is ready when it has ended, and a configuration cannot say otherwise.
        let sign = config.readiness.ready_when.as_ref().filter(|_| !config.is_oneshot());
        ReadinessRule { sign, timeout: config.readiness.ready_timeout }
    }

    /// What says that it is ready; none where it is ready once it runs.
    pub fn sign(&self) -> Option<&'a ReadyWhen> {
        self.sign
    }

    /// Whether it notifies the daemon in the protocol of systemd.
    pub fn is_notified(&self) -> bool {
        self.sign == Some(&ReadyWhen::Notify)
    }

    /// The line of its output that says so; none where something else does.
    pub fn line(&self) -> Option<&'a LinePattern> {
        match self.sign {
            Some(ReadyWhen::Line(pattern)) => Some(pattern),
            Some(ReadyWhen::Notify | ReadyWhen::Descriptor(_) | ReadyWhen::Probe(_)) | None => None,
        }
    }

    /// How long it may take after its time is over, where that was noticed late. A probe decides sooner: there is time for one that is
    /// under way, and for another one.
    pub(super) fn last_chance(&self) -> Duration {
        match self.sign {
            Some(ReadyWhen::Probe(_)) => PROBE_TIMEOUT * 3,
            // What it has said is there to be read.
            Some(ReadyWhen::Notify | ReadyWhen::Descriptor(_) | ReadyWhen::Line(_)) | None => Duration::from_secs(1),
        }
    }

    /// How long after its start it must be ready.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}
