//! What the fields of a process in the state mean for its machine, those of earlier writers included.

use std::sync::Arc;
use std::time::Duration;

use supervisord_core::process::{self, ProcessFailure, ProcessPhase, Progress, StopCause, StopDecision, Timer, Timers};
use supervisord_wire::state::ProcessState;

use super::{ProcessRecord, Recycling, Wanted};
use crate::state::service_status::ServiceStatusRecord;
use crate::state::stop_decision::StopRecord;

impl ProcessRecord {
    pub(super) fn progress(&self) -> Progress {
        let pid = if self.pid == 0 { self.run.as_ref().map_or(0, |run| run.pid) } else { self.pid };
        let phase = self.phase(pid);
        let mut timers = Timers::default();
        if let (Some(timer), Some(deadline)) = (phase.timer(), self.deadline) {
            timers.set(timer, Duration::from_nanos(deadline));
        }
        if let Some(ready_by) = self.ready_by {
            timers.set(Timer::ReadyTimeout, Duration::from_nanos(ready_by));
        }
        Progress {
            phase,
            wanted: match self.wanted {
                Some(Wanted::Up) => process::Wanted::Up,
                Some(Wanted::Down) => process::Wanted::Down,
                None if self.replacing => process::Wanted::Up,
                None => phase.implies(),
            },
            timers,
            pid,
            started: Duration::from_nanos(self.started),
            attempts: self.attempts,
            quick_ends: self.quick_ends,
            restarts: (&self.restarts).into(),
            recycling: match self.recycling {
                None => process::Recycling::No,
                Some(Recycling::Due) => process::Recycling::Due,
                Some(Recycling::UnderWay) => process::Recycling::UnderWay,
            },
            stop_step: self.stop_step,
            environment_step: self.environment_step,
            ready: self.ready,
            last_chance: None,
            service_status: (self.status != ServiceStatusRecord::default()).then(|| Box::new((&self.status).into())),
            stop_decision: self.stop_decision(phase).map(Arc::new),
            last_start: self.start,
            last_stop: self.stop,
            health: self.health.as_ref().map(|health| Box::new(health.into())),
            failure: ProcessFailure::from_text(self.spawn_error.clone()),
            exit_status: self.exit_status,
            exit_signal: self.exit_signal,
            last_end: self.last_end.as_ref().map(|end| Arc::new(end.into())),
            since: self.since,
        }
    }

    /// The first writers of version 2 kept no decision: what they stopped although it was wanted was to be started again.
    fn stop_decision(&self, phase: ProcessPhase) -> Option<StopDecision> {
        let is_stopping = matches!(phase, ProcessPhase::PreStop | ProcessPhase::Stopping | ProcessPhase::Stopped);
        let restarts = is_stopping && self.wanted.map_or(self.replacing, |wanted| wanted == Wanted::Up);
        let known = self.stop_decision.as_ref().map(StopRecord::decision);
        known.or_else(|| restarts.then(|| StopDecision::restart(StopCause::Configuration)))
    }

    fn phase(&self, pid: u32) -> ProcessPhase {
        match ProcessState::from_code(self.state.into()).unwrap_or(ProcessState::Unknown) {
            ProcessState::Stopped if self.in_pre_start => ProcessPhase::PreStart,
            ProcessState::Stopped if self.awaits_dependencies => ProcessPhase::AwaitingDependencies,
            ProcessState::Stopped if self.awaits_turn => ProcessPhase::AwaitingTurn,
            ProcessState::Stopped if self.start == 0 => ProcessPhase::NeverStarted,
            ProcessState::Stopped => ProcessPhase::Stopped,
            ProcessState::Starting if pid == 0 => ProcessPhase::Spawning,
            ProcessState::Starting if self.getting_ready => ProcessPhase::GettingReady,
            ProcessState::Starting if self.running_to_end => ProcessPhase::RunningToEnd,
            ProcessState::Starting => ProcessPhase::Settling,
            ProcessState::Running if self.in_pre_stop => ProcessPhase::PreStop,
            ProcessState::Running => ProcessPhase::Up,
            ProcessState::Stopping => ProcessPhase::Stopping,
            ProcessState::Exited if self.deadline.is_some() => ProcessPhase::WaitingToRestart,
            ProcessState::Exited if self.completed => ProcessPhase::Completed,
            ProcessState::Exited => ProcessPhase::Exited,
            ProcessState::Backoff => ProcessPhase::BackingOff,
            ProcessState::Fatal => ProcessPhase::GivenUp,
            ProcessState::Unknown => ProcessPhase::Unreachable,
        }
    }
}
