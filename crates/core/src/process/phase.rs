//! The phase of a process, its last request, and its timers.

use std::time::Duration;

use supervisord_wire::state::ProcessState;

/// The phase of a process. Clients see one of eight states, which [`ProcessPhase::state`] derives from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessPhase {
    /// It was never started.
    NeverStarted,
    /// It is to be started as soon as what it depends on allows it.
    AwaitingDependencies,
    /// It is to be started as soon as fewer programs are starting than may start at once.
    AwaitingTurn,
    /// The hook before its start runs; then its child is spawned.
    PreStart,
    /// Its child is being spawned.
    Spawning,
    /// Its child is alive, but not yet for `startsecs`.
    Settling,
    /// Its child has been alive for `startsecs`, but is not ready yet.
    GettingReady,
    /// Its child has been alive for `startsecs`, and is to do its work and end.
    RunningToEnd,
    /// Its child has been alive for `startsecs`, and is ready.
    Up,
    /// It is being stopped: the hook before that runs; then its child is asked to stop.
    PreStop,
    /// Its child was asked to stop.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It exited by itself, and is not restarted automatically.
    Exited,
    /// It was to do its work and end, and has done so.
    Completed,
    /// It exited by itself, and waits for its automatic restart.
    WaitingToRestart,
    /// It could not be started, and waits for the next attempt.
    BackingOff,
    /// It could not be started, and no attempt is left.
    GivenUp,
    /// A signal could not be sent to its child.
    Unreachable,
}

impl ProcessPhase {
    /// All phases.
    pub const ALL: [ProcessPhase; 18] = [
        ProcessPhase::NeverStarted,
        ProcessPhase::AwaitingDependencies,
        ProcessPhase::AwaitingTurn,
        ProcessPhase::PreStart,
        ProcessPhase::Spawning,
        ProcessPhase::Settling,
        ProcessPhase::GettingReady,
        ProcessPhase::RunningToEnd,
        ProcessPhase::Up,
        ProcessPhase::PreStop,
        ProcessPhase::Stopping,
        ProcessPhase::Stopped,
        ProcessPhase::Exited,
        ProcessPhase::Completed,
        ProcessPhase::WaitingToRestart,
        ProcessPhase::BackingOff,
        ProcessPhase::GivenUp,
        ProcessPhase::Unreachable,
    ];

    /// The state that clients see.
    pub const fn state(self) -> ProcessState {
        match self {
            ProcessPhase::NeverStarted | ProcessPhase::Stopped => ProcessState::Stopped,
            ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
            | ProcessPhase::RunningToEnd => ProcessState::Starting,
            ProcessPhase::Up => ProcessState::Running,
            ProcessPhase::PreStop | ProcessPhase::Stopping => ProcessState::Stopping,
            ProcessPhase::Exited | ProcessPhase::Completed | ProcessPhase::WaitingToRestart => ProcessState::Exited,
            ProcessPhase::BackingOff => ProcessState::Backoff,
            ProcessPhase::GivenUp => ProcessState::Fatal,
            ProcessPhase::Unreachable => ProcessState::Unknown,
        }
    }

    /// The timer that ends the phase, if it is set: [`ProcessPhase::RunningToEnd`], [`ProcessPhase::Up`] and [`ProcessPhase::GivenUp`] have
    /// one only where the configuration asks for it. In [`ProcessPhase::Settling`], [`Timer::ReadyTimeout`] may be set as well.
    pub const fn timer(self) -> Option<Timer> {
        match self {
            ProcessPhase::Settling => Some(Timer::Settled),
            ProcessPhase::GettingReady => Some(Timer::ReadyTimeout),
            ProcessPhase::PreStop | ProcessPhase::Stopping => Some(Timer::NextStopStep),
            ProcessPhase::WaitingToRestart => Some(Timer::Restart),
            ProcessPhase::BackingOff => Some(Timer::Retry),
            ProcessPhase::RunningToEnd | ProcessPhase::Up => Some(Timer::EndOfRun),
            ProcessPhase::GivenUp => Some(Timer::SecondLife),
            ProcessPhase::NeverStarted
            | ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Stopped
            | ProcessPhase::Exited
            | ProcessPhase::Completed
            | ProcessPhase::Unreachable => None,
        }
    }

    /// The last request, if nothing else is known.
    pub const fn implies(self) -> Wanted {
        match self {
            ProcessPhase::NeverStarted
            | ProcessPhase::PreStop
            | ProcessPhase::Stopping
            | ProcessPhase::Stopped
            | ProcessPhase::Unreachable => Wanted::Down,
            ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
            | ProcessPhase::RunningToEnd
            | ProcessPhase::Up
            | ProcessPhase::Exited
            | ProcessPhase::Completed
            | ProcessPhase::WaitingToRestart
            | ProcessPhase::BackingOff
            | ProcessPhase::GivenUp => Wanted::Up,
        }
    }
}

/// The last request of a client or of the daemon itself. A process that has exited by itself or was given up is still
/// wanted up; one that is being stopped only to be started again is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To run.
    Up,
    /// To be stopped.
    Down,
}

impl Wanted {
    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Wanted::Up => "up",
            Wanted::Down => "down",
        }
    }
}

/// A timer of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// `startsecs` have passed.
    Settled,
    /// It should be ready by now.
    ReadyTimeout,
    /// The next step of the [`StopPlan`](super::StopPlan) is due.
    NextStopStep,
    /// The automatic restart is due.
    Restart,
    /// The next attempt to start is due.
    Retry,
    /// It has run for as long as it may.
    EndOfRun,
    /// A program that was given up is to be started anew.
    SecondLife,
}

impl Timer {
    const ALL: [Timer; 7] = [
        Timer::Settled,
        Timer::ReadyTimeout,
        Timer::NextStopStep,
        Timer::Restart,
        Timer::Retry,
        Timer::EndOfRun,
        Timer::SecondLife,
    ];
}

/// When each [`Timer`] is due, on the monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timers([Option<Duration>; Timer::ALL.len()]);

impl Timers {
    /// Sets a timer, in place of what was set before.
    pub fn set(&mut self, timer: Timer, at: Duration) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// When a timer is due; none where it is not set.
    pub fn get(&self, timer: Timer) -> Option<Duration> {
        self.0[timer as usize]
    }

    /// The first timer that is due.
    pub(super) fn first(&self) -> Option<(Timer, Duration)> {
        let set = Timer::ALL.into_iter().filter_map(|timer| Some((timer, self.get(timer)?)));
        set.min_by_key(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timer_has_its_own_deadline() {
        let mut timers = Timers::default();
        assert_eq!(timers.first(), None);
        for (number, timer) in Timer::ALL.into_iter().enumerate() {
            timers.set(timer, Duration::from_secs(10 - number as u64));
            assert_eq!(timers.first(), Some((timer, Duration::from_secs(10 - number as u64))));
        }
        timers.clear(Timer::SecondLife);
        assert_eq!(timers.first(), Some((Timer::EndOfRun, Duration::from_secs(5))));
        assert_eq!(timers.get(Timer::Settled), Some(Duration::from_secs(10)));
    }

    #[test]
    fn each_state_that_clients_know_is_that_of_a_phase() {
        for state in ProcessState::ALL {
            assert!(ProcessPhase::ALL.into_iter().any(|phase| phase.state() == state), "{state}");
        }
    }
}
