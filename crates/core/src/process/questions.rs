//! What others ask of a machine.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::Process;
use supervisord_wire::state::ProcessState;

use super::failure::ProcessFailure;
use super::finish::Finish;
use super::last_end::LastEnd;
use super::phase::{ProcessPhase, Timer, Wanted};
use super::progress::Progress;
use super::recycling::Recycling;
use super::restart_policy::RestartPolicy;
use super::service_status::ServiceStatus;
use super::stop_decision::{AfterStop, StopDecision};
use super::{Machine, Obstacle};
use crate::health::HealthProgress;
use crate::texts;

impl Machine {
    /// How far the process has got.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The phase of the process.
    pub fn phase(&self) -> ProcessPhase {
        self.progress.phase
    }

    /// The last request.
    pub fn wanted(&self) -> Wanted {
        self.progress.wanted
    }

    /// The state that clients see.
    pub fn state(&self) -> ProcessState {
        self.progress.phase.state()
    }

    /// The child's process id; 0 if there is none.
    pub fn pid(&self) -> u32 {
        self.progress.pid
    }

    /// The first timer that is due, and when, on the monotonic clock.
    pub fn next_timer(&self) -> Option<(Timer, Duration)> {
        self.progress.timers.first()
    }

    /// When something is to be done next, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        let timer = self.next_timer().map(|(_, due)| due);
        let health = self.health().and_then(HealthProgress::deadline);
        [timer, health].into_iter().flatten().min()
    }

    /// Its health; none where it is not up, or nothing tells how it is.
    pub fn health(&self) -> Option<&HealthProgress> {
        self.progress.health.as_deref()
    }

    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub fn last_start(&self) -> i64 {
        self.progress.last_start
    }

    /// Seconds since the epoch of the last exit; 0 for never.
    pub fn last_stop(&self) -> i64 {
        self.progress.last_stop
    }

    /// Seconds since the epoch of the last change of the state that clients see; 0 for never.
    pub fn since(&self) -> i64 {
        self.progress.since
    }

    /// How many attempts to start it have failed in a row.
    pub fn attempts(&self) -> i64 {
        self.progress.attempts
    }

    /// The failure since the last start.
    pub fn failure(&self) -> Option<&ProcessFailure> {
        self.progress.failure.as_ref()
    }

    /// The failure since the last start, as text for clients; empty if there is none.
    pub fn spawn_error(&self) -> String {
        self.progress.failure.as_ref().map(ProcessFailure::to_string).unwrap_or_default()
    }

    /// Why its start has failed, or is about to, where it has to become ready or to run to its end: the words of the original
    /// would mislead.
    pub fn failed_start(&self, config: &Process) -> Option<String> {
        match self.failure_of_stop().or_else(|| self.progress.failure.clone())? {
            ProcessFailure::BadExit(_) if config.is_oneshot() => Some(texts::termination(self.last_end()?.status)),
            failure => failure.reason(),
        }
    }

    /// Whether there was a failure since the last start.
    pub fn has_failed(&self) -> bool {
        self.progress.failure.is_some()
    }

    /// The last exit status; -1 after a signal.
    pub fn exit_status(&self) -> Option<i32> {
        self.progress.exit_status
    }

    /// How its last child ended; none where it had none yet.
    pub fn last_end(&self) -> Option<&Arc<LastEnd>> {
        self.progress.last_end.as_ref()
    }

    /// Whether it was never started.
    pub fn never_started(&self) -> bool {
        self.progress.phase == ProcessPhase::NeverStarted
    }

    /// Whether it runs, or will run without a request.
    pub fn is_active(&self) -> bool {
        let waits = matches!(
            self.progress.phase,
            ProcessPhase::AwaitingDependencies
                | ProcessPhase::AwaitingTurn
                | ProcessPhase::PreStart
                | ProcessPhase::Spawning
                | ProcessPhase::WaitingToRestart
                | ProcessPhase::BackingOff
        );
        self.is_alive() || waits || self.has_second_life()
    }

    /// Whether a stop has something to end: it runs, or will run without a request, also once it has been recycled or has failed.
    pub fn can_be_stopped(&self) -> bool {
        self.is_active() || self.is_stopping() && self.progress.wanted == Wanted::Up
    }

    /// Why it is being stopped, or has been since it was to start last; none where it was not.
    pub fn stop_decision(&self) -> Option<&Arc<StopDecision>> {
        self.progress.stop_decision.as_ref()
    }

    /// What its present stop says about its child, which counts for its restarts; none where its child has not failed.
    pub(super) fn failure_of_stop(&self) -> Option<ProcessFailure> {
        self.progress.stop_decision.as_ref()?.failure()
    }

    fn restarts_after_stop(&self) -> bool {
        self.progress.stop_decision.as_ref().is_some_and(|decision| decision.then == AfterStop::Restart)
    }

    /// Whether it is being stopped, and can be signalled as far as is known.
    pub fn is_stopping(&self) -> bool {
        matches!(self.progress.phase, ProcessPhase::PreStop | ProcessPhase::Stopping)
    }

    /// Whether the hook before its start runs.
    pub fn awaits_pre_start(&self) -> bool {
        self.progress.phase == ProcessPhase::PreStart
    }

    /// Whether it is being stopped, and a hook runs before its child is asked to.
    pub fn awaits_pre_stop(&self) -> bool {
        self.progress.phase == ProcessPhase::PreStop
    }

    /// Whether it was given up, and is started anew after some time.
    pub(super) fn has_second_life(&self) -> bool {
        self.progress.phase == ProcessPhase::GivenUp && self.progress.timers.get(Timer::SecondLife).is_some()
    }

    /// When it is started next without a request, on the monotonic clock; none where it is not.
    pub fn next_start(&self) -> Option<Duration> {
        match self.progress.phase {
            phase @ (ProcessPhase::WaitingToRestart | ProcessPhase::BackingOff | ProcessPhase::GivenUp) => {
                self.progress.timers.get(phase.timer()?)
            }
            _ => None,
        }
    }

    /// Until when it must be ready, on the monotonic clock; none where it is, or need not be.
    pub fn ready_by(&self) -> Option<Duration> {
        self.progress.timers.get(Timer::ReadyTimeout)
    }

    /// Whether it should have been ready, and has a last chance.
    pub fn has_last_chance(&self) -> bool {
        self.ready_by().is_some() && self.progress.last_chance.is_some()
    }

    /// As the next daemon knows it, which gives a last chance of its own.
    pub(crate) fn without_last_chance(&self) -> Machine {
        let mut machine = self.clone();
        if let (Some(_), Some(by)) = (self.ready_by(), machine.progress.last_chance.take()) {
            machine.progress.timers.set(Timer::ReadyTimeout, by);
        }
        machine
    }

    /// When the next signal of its stop is sent, on the monotonic clock.
    pub fn next_stop_step(&self) -> Option<Duration> {
        self.progress.timers.get(Timer::NextStopStep)
    }

    /// How far it has got with being recycled.
    pub fn recycling(&self) -> Recycling {
        self.progress.recycling
    }

    /// When it is stopped because it has run for long enough, on the monotonic clock; none where it is not.
    pub fn runs_until(&self) -> Option<Duration> {
        self.progress.timers.get(Timer::EndOfRun)
    }

    /// What its child has said about itself; none where it has said nothing.
    pub fn service_status(&self) -> Option<&ServiceStatus> {
        self.progress.service_status.as_deref()
    }

    /// How often it was started again without a request since somebody started it.
    pub fn restarts(&self) -> u32 {
        self.progress.restarts.number
    }

    /// Whether its child is alive and was not asked to stop.
    pub fn is_alive(&self) -> bool {
        matches!(
            self.progress.phase,
            ProcessPhase::Settling | ProcessPhase::GettingReady | ProcessPhase::RunningToEnd | ProcessPhase::Up
        )
    }

    /// Whether it will probably be spawned again as soon as the exit of its child is known. The policy has the last word.
    pub fn restarts_after_exit(&self, config: &Process) -> bool {
        self.is_up() && RestartPolicy::of(config).restarts_at_once()
    }

    /// Whether its child has been alive for `startsecs`, is ready, and was not asked to stop.
    pub fn is_up(&self) -> bool {
        self.progress.phase == ProcessPhase::Up
    }

    /// How long after the start of its child this is, which is up; none where it is not.
    pub(crate) fn time_up_after_start(&self, now: Duration) -> Option<Duration> {
        self.is_up().then(|| now.saturating_sub(self.progress.started))
    }

    /// Whether it was to do its work and end, and has done so.
    pub fn has_completed(&self) -> bool {
        self.progress.phase == ProcessPhase::Completed
    }

    /// Whether it is starting, at the first attempt.
    pub fn is_coming_up(&self) -> bool {
        matches!(
            self.progress.phase,
            ProcessPhase::AwaitingDependencies
                | ProcessPhase::AwaitingTurn
                | ProcessPhase::PreStart
                | ProcessPhase::Spawning
                | ProcessPhase::Settling
                | ProcessPhase::GettingReady
                | ProcessPhase::RunningToEnd
        )
    }

    /// Whether it is to be started as soon as what it depends on allows it.
    pub fn awaits_dependencies(&self) -> bool {
        self.progress.phase == ProcessPhase::AwaitingDependencies
    }

    /// Whether it waits until fewer programs are starting.
    pub fn awaits_turn(&self) -> bool {
        self.progress.phase == ProcessPhase::AwaitingTurn
    }

    /// Whether it has a child that is not up yet, or runs the hook before that, and counts among the programs that may start at once.
    /// One that does its work and ends counts for `startsecs` only: it may be waiting for what has no place.
    pub fn is_starting(&self) -> bool {
        match self.progress.phase {
            ProcessPhase::PreStart | ProcessPhase::Spawning | ProcessPhase::Settling | ProcessPhase::GettingReady => {
                true
            }
            ProcessPhase::NeverStarted
            | ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::RunningToEnd
            | ProcessPhase::Up
            | ProcessPhase::PreStop
            | ProcessPhase::Stopping
            | ProcessPhase::Stopped
            | ProcessPhase::Exited
            | ProcessPhase::Completed
            | ProcessPhase::WaitingToRestart
            | ProcessPhase::BackingOff
            | ProcessPhase::GivenUp
            | ProcessPhase::Unreachable => false,
        }
    }

    /// Whether a client may send it a signal.
    pub fn takes_signals(&self) -> bool {
        matches!(
            self.progress.phase,
            ProcessPhase::Spawning
                | ProcessPhase::Settling
                | ProcessPhase::GettingReady
                | ProcessPhase::RunningToEnd
                | ProcessPhase::Up
                | ProcessPhase::PreStop
                | ProcessPhase::Stopping
        )
    }

    /// Whether a client may write to its stdin.
    pub fn takes_input(&self) -> bool {
        self.progress.pid != 0 && !self.is_stopping()
    }

    /// Why a client cannot start it now; none if a `Start` will start it.
    pub fn obstacle_to_start(&self) -> Option<Obstacle> {
        match self.progress.phase {
            // Where it waits already, what it waits for is started again, and its turn comes sooner.
            ProcessPhase::NeverStarted
            | ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::Stopped
            | ProcessPhase::Exited
            | ProcessPhase::Completed
            | ProcessPhase::WaitingToRestart
            | ProcessPhase::GivenUp => None,
            ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
            | ProcessPhase::RunningToEnd
            | ProcessPhase::Up
            | ProcessPhase::BackingOff => Some(Obstacle::AlreadyStarted),
            ProcessPhase::PreStop | ProcessPhase::Stopping => Some(Obstacle::Stopping),
            ProcessPhase::Unreachable => Some(Obstacle::Unreachable),
        }
    }

    /// Whether it does not run, and will not without a request. A process that cannot be signalled counts as down.
    pub fn is_down(&self) -> bool {
        !self.is_active() && !self.is_stopping()
    }

    /// Whether it is being stopped only to be started again.
    pub fn is_recycled(&self) -> bool {
        self.is_ending() && self.restarts_after_stop() && self.failure_of_stop().is_none()
    }

    /// Whether it could not be signalled, and may still run.
    pub fn is_unreachable(&self) -> bool {
        self.progress.phase == ProcessPhase::Unreachable
    }

    /// Whether its child was to be stopped, and has not exited yet.
    pub(super) fn is_ending(&self) -> bool {
        self.is_stopping() || self.progress.phase == ProcessPhase::Unreachable
    }

    /// Whether it is being stopped because it has failed, not because somebody asked for it.
    pub fn is_failing(&self) -> bool {
        self.is_ending() && self.failure_of_stop().is_some()
    }

    /// Whether it has been stopped to be started again, which follows at once.
    pub(super) fn is_between_lives(&self) -> bool {
        self.progress.phase == ProcessPhase::Stopped && self.restarts_after_stop()
    }

    /// Whether it is being stopped, or has been, for a process of the same name that is started in its place.
    fn is_replaced(&self) -> bool {
        let decision = self.progress.stop_decision.as_ref();
        !self.is_active() && decision.is_some_and(|decision| decision.then == AfterStop::Replace)
    }

    /// Whether it runs, or will run, without a request, also once it has been recycled or replaced, or has failed and is tried
    /// again.
    pub fn comes_by_itself(&self) -> bool {
        self.is_active() || self.is_failing() || self.is_recycled() || self.is_between_lives() || self.is_replaced()
    }

    /// How it has finished for good: it ended by itself, was given up or was stopped by the daemon although it should run, and is
    /// not started again without a request.
    pub fn finish(&self) -> Option<Finish> {
        let is_for_good = self.progress.wanted == Wanted::Up && self.next_timer().is_none();
        match self.progress.phase {
            ProcessPhase::Exited | ProcessPhase::Completed if is_for_good => Some(Finish::Exited {
                status: self.progress.exit_status,
                signal: self.progress.exit_signal,
                expected: self.progress.failure.is_none(),
            }),
            ProcessPhase::GivenUp if is_for_good => Some(Finish::GivenUp),
            ProcessPhase::NeverStarted | ProcessPhase::Stopped if is_for_good => {
                let decision = self.progress.stop_decision.as_ref().filter(|decision| decision.is_defeat())?;
                Some(Finish::Stopped { status: self.progress.exit_status, decision: decision.clone() })
            }
            _ => None,
        }
    }

    /// Whether it has a child as far as the machine knows, or one is being spawned.
    pub fn has_child(&self) -> bool {
        self.progress.pid != 0 || self.progress.phase == ProcessPhase::Spawning
    }
}
