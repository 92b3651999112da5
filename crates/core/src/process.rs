//! The state machine of one process.
//!
//! A machine has two variables: the [`ProcessPhase`] of the process, and whether the process is [`Wanted`] up or down. It takes
//! [`MachineInput`]s and returns [`MachineAction`]s, in order. It has no clock and no process table: its driver carries out
//! `Spawn` and `Signal` and passes their results back as inputs. The configuration of a program reaches it as a
//! [`RestartPolicy`], a [`StopPlan`] and an [`ExitRule`].
//!
//! | phase | client's state | `Start` | `Stop` | `Shutdown` | `Recycle` | the child | its timer |
//! |---|---|---|---|---|---|---|---|
//! | `NeverStarted` | STOPPED | `Spawning` | | | | | |
//! | `AwaitingDependencies` | STARTING | `Spawning` | `NeverStarted` or `Stopped` | `NeverStarted` or `Stopped` | | | |
//! | `AwaitingTurn` | STARTING | `Spawning` | `NeverStarted` or `Stopped` | `NeverStarted` or `Stopped` | | | |
//! | `PreStart` | STARTING | | `Stopped` | `Stopped` | | | |
//! | `Spawning` | STARTING | | after the spawn | after the spawn | | spawned: `Settling`, or as after it with `startsecs=0`; not spawned: `BackingOff` or `GivenUp`; exited: as in `Settling` | |
//! | `Settling` | STARTING | | `Stopping` | `Stopping` | `Stopping` | exited too quickly: `BackingOff` or `GivenUp`; exited later: as in the next phase | `Settled`: `Up`, or `GettingReady` |
//! | `GettingReady` | STARTING | | `Stopping` | `Stopping` | `Stopping` | ready: `Up`; exited: `BackingOff` or `GivenUp` | `ReadyTimeout`: `Stopping`, and then a failed start |
//! | `Up` | RUNNING | | `Stopping` | `Stopping` | `Stopping` | exited: `Exited`; then, by the policy, `Spawning`, `WaitingToRestart` or `GivenUp` | `EndOfRun`: `Stopping`, or the same at the input `Turn` |
//! | `PreStop` | STOPPING | | | | | exited: as in `Stopping` | `NextStopStep`: `Stopping` |
//! | `Stopping` | STOPPING | | | | | exited: `Stopped`, or `BackingOff` or `GivenUp` where it was not ready in time, or as from `Up` where it was unhealthy; cannot be signalled: `Unreachable` | `NextStopStep`: the next signal |
//! | `Stopped` | STOPPED | `Spawning` | | | | | |
//! | `Exited` | EXITED | `Spawning` | | | | | |
//! | `WaitingToRestart` | EXITED | `Spawning` | `Exited` | `Exited` | | | `Restart`: `Spawning` |
//! | `BackingOff` | BACKOFF | | `Stopped` | `GivenUp` | | | `Retry`: `Spawning` |
//! | `GivenUp` | FATAL | `Spawning` | no second life | no second life | | | `SecondLife`: `Spawning` |
//! | `Unreachable` | UNKNOWN | | | | | exited: `Exited` | |
//!
//! Where the dependencies of the process are not met, it becomes `AwaitingDependencies` wherever the table says `Spawning`, and
//! `Spawning` at the input `DependenciesMet`. Where they are met and too many others are starting, it becomes `AwaitingTurn`, and
//! `Spawning` at the input `Turn`.
//!
//! With a hook before the start it becomes `PreStart` wherever the table says `Spawning`; when the hook has ended, it becomes
//! `Spawning`, or, where the hook has failed, `BackingOff` or `GivenUp`. With a hook before the stop it becomes `PreStop`
//! wherever the table says `Stopping`, and `Stopping` when the hook has ended.
//!
//! An empty cell is an input that changes nothing, except that `Stop` and `Shutdown` make a process wanted down in every
//! phase. A `Start` that starts a process makes it wanted up. A process that is `Stopping` (or then `Unreachable`) and
//! wanted up is being recycled: after the exit of its child, the driver of the machine sends a `Start`. Where it is being
//! stopped because it has failed ([`Progress::failing`]), the exit of its child counts as that failure instead.
//!
//! A child that is ready in `Settling` is `Up` as soon as that is over. One that should have been ready in `Settling` is stopped
//! as in `GettingReady`.

mod exit_rule;
mod failure;
mod finish;
mod last_end;
mod phase;
mod program_command;
mod progress;
mod readiness;
mod recycling;
mod restart_policy;
mod restarts;
mod service_status;
mod state_detail;
mod stop_plan;

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{LogLevel, Process};
use supervisord_wire::state::ProcessState;

pub use crate::exit_status::ExitStatus;
use crate::health::{HealthPolicy, HealthProgress};
pub use crate::recipients::KillScope;
use crate::texts;
use crate::time::{Now, seconds};
pub use exit_rule::ExitRule;
pub use failure::ProcessFailure;
pub use finish::Finish;
pub use last_end::{EndJudgement, EndTraces, LastEnd, MemoryKills};
pub use phase::{ProcessPhase, Timer, Timers, Wanted};
pub use program_command::{CommandEnd, CommandPlan, HookPlan, ProgramCommand};
pub use progress::Progress;
pub use readiness::ReadinessRule;
pub use recycling::Recycling;
pub use restart_policy::{AfterExit, Exit, GaveUp, RestartPolicy};
pub use restarts::Restarts;
pub use service_status::ServiceStatus;
pub use state_detail::StateDetail;
pub use stop_plan::{StopPlan, StopSignal};

use stop_plan::SIGKILL;

/// The inputs of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineInput {
    /// A client, or the daemon's start, wants it to run.
    Start,
    /// A client wants it to stop.
    Stop,
    /// The daemon shuts down: it must stop, and there are no more attempts.
    Shutdown,
    /// Stop it and start it again.
    Recycle,
    /// What it depends on allows it to start now.
    DependenciesMet,
    /// It is its turn to start, or to be recycled.
    Turn,
    /// The child was spawned.
    Spawned(u32),
    /// No child could be spawned, for this reason.
    SpawnFailed(String),
    /// It is not known yet whether a child can be spawned, for this reason.
    SpawnUnanswered(String),
    /// The child is ready.
    Ready,
    /// The child is unhealthy, for this reason, and is to be replaced.
    Unhealthy(String),
    /// Its start or its stop may take this much longer from now on.
    Extend(Duration),
    /// The child exited.
    Ended(ExitStatus),
    /// A timer of the machine is due.
    Due(Timer),
    /// The signal of a [`MachineAction::Signal`] was sent.
    SignalSent,
    /// A signal could not be sent although the child exists.
    SignalRefused,
    /// A command of the program has ended; whether it has done what it was for, or why not.
    CommandEnded(ProgramCommand, Result<(), String>),
}

impl MachineInput {
    /// Whether it may be followed by a spawn at once, so that the dependencies of the process matter.
    pub fn may_spawn(&self) -> bool {
        match self {
            MachineInput::Start
            | MachineInput::DependenciesMet
            | MachineInput::Turn
            | MachineInput::Ended(_)
            | MachineInput::CommandEnded(..)
            | MachineInput::Due(Timer::Restart | Timer::Retry | Timer::SecondLife) => true,
            MachineInput::Stop
            | MachineInput::Shutdown
            | MachineInput::Recycle
            | MachineInput::Spawned(_)
            | MachineInput::SpawnFailed(_)
            | MachineInput::SpawnUnanswered(_)
            | MachineInput::Ready
            | MachineInput::Unhealthy(_)
            | MachineInput::Extend(_)
            | MachineInput::Due(Timer::Settled | Timer::ReadyTimeout | Timer::NextStopStep | Timer::EndOfRun)
            | MachineInput::SignalSent
            | MachineInput::SignalRefused => false,
        }
    }
}

/// Why a process cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It runs, or is being started, or waits for the next attempt.
    AlreadyStarted,
    /// Its child was asked to stop, and has not exited yet.
    Stopping,
    /// Its child cannot be signalled, and may still run.
    Unreachable,
}

/// An output of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineAction {
    /// The state that clients see changed.
    Changed { from: ProcessState, to: ProcessState, detail: StateDetail },
    /// A line for the activity log.
    Log(LogLevel, String),
    /// Spawn the child.
    Spawn,
    /// Run a hook.
    Run(ProgramCommand),
    /// End the commands of the program that still run, but for those that outlive it.
    EndCommands,
    /// Send a signal.
    Signal { signal: i32, scope: KillScope },
}

/// The machine of one process.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    progress: Progress,
}

impl From<Progress> for Machine {
    fn from(progress: Progress) -> Machine {
        Machine { progress }
    }
}

/// The context of an input.
#[derive(Clone, Copy)]
pub struct MachineContext<'a> {
    /// The current time.
    pub now: Now,
    /// When the child died, for its exit; its last output may have been read since.
    pub died: Now,
    /// The definition of the process.
    pub config: &'a Process,
    /// Whether processes are (re)started at all: not during a shutdown.
    pub supervising: bool,
    /// A random number, for what is spread in time.
    pub random: u64,
    /// Whether what it depends on allows it to start, and no command of it runs; of no meaning for an input that cannot cause a
    /// spawn.
    pub dependencies_met: bool,
    /// Why a probe found that it is not ready.
    pub trouble: Option<&'a str>,
    /// Whether one more program may start at once.
    pub has_place: bool,
}

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

    /// The same, to be changed.
    pub(crate) fn health_mut(&mut self) -> Option<&mut HealthProgress> {
        self.progress.health.as_deref_mut()
    }

    /// Watches its health where it is up and not watched yet, and goes on where another daemon watched it.
    pub(crate) fn watch_health(&mut self, config: &Process, now: Duration) {
        let policy = HealthPolicy::of(config).filter(|_| self.is_up());
        self.progress.health = policy.map(|policy| match self.progress.health.take() {
            Some(mut health) => {
                health.resume(&policy, now);
                health
            }
            None => Box::new(HealthProgress::begin(&policy, now)),
        });
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

    /// Adds what is known of the end of its child besides the status, once it has ended.
    pub fn add_traces(&mut self, EndTraces { output, kills }: EndTraces) {
        if let Some(end) = &mut self.progress.last_end {
            let traces = &mut Arc::make_mut(end).traces;
            if !output.is_empty() {
                traces.output = output;
            }
            traces.kills = kills.or(traces.kills);
        }
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

    /// Whether it is being stopped, and can be signalled as far as is known.
    fn is_stopping(&self) -> bool {
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
    fn has_second_life(&self) -> bool {
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

    /// Remembers what its child says about itself. Returns whether that is news.
    pub(crate) fn set_service_status(&mut self, status: ServiceStatus) -> bool {
        let status = (status != ServiceStatus::default()).then(|| Box::new(status));
        let is_news = self.progress.service_status != status;
        self.progress.service_status = status;
        is_news
    }

    /// How often it was started again without a request since somebody started it.
    pub fn restarts(&self) -> u32 {
        self.progress.restarts.number
    }

    /// Whether its child is alive and was not asked to stop.
    pub fn is_alive(&self) -> bool {
        matches!(self.progress.phase, ProcessPhase::Settling | ProcessPhase::GettingReady | ProcessPhase::Up)
    }

    /// Whether it will probably be spawned again as soon as the exit of its child is known. The policy has the last word.
    pub fn restarts_after_exit(&self, config: &Process) -> bool {
        self.is_up() && RestartPolicy::of(config).restarts_at_once()
    }

    /// Whether its child has been alive for `startsecs`, is ready, and was not asked to stop.
    pub fn is_up(&self) -> bool {
        self.progress.phase == ProcessPhase::Up
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
    pub fn is_starting(&self) -> bool {
        match self.progress.phase {
            ProcessPhase::PreStart | ProcessPhase::Spawning | ProcessPhase::Settling | ProcessPhase::GettingReady => {
                true
            }
            ProcessPhase::NeverStarted
            | ProcessPhase::AwaitingDependencies
            | ProcessPhase::AwaitingTurn
            | ProcessPhase::Up
            | ProcessPhase::PreStop
            | ProcessPhase::Stopping
            | ProcessPhase::Stopped
            | ProcessPhase::Exited
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
            | ProcessPhase::WaitingToRestart
            | ProcessPhase::GivenUp => None,
            ProcessPhase::PreStart
            | ProcessPhase::Spawning
            | ProcessPhase::Settling
            | ProcessPhase::GettingReady
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
        self.is_ending() && self.progress.wanted == Wanted::Up && self.progress.failing.is_none()
    }

    /// Whether its child was to be stopped, and has not exited yet.
    fn is_ending(&self) -> bool {
        self.is_stopping() || self.progress.phase == ProcessPhase::Unreachable
    }

    /// Whether it is being stopped because it has failed, not because somebody asked for it.
    pub fn is_failing(&self) -> bool {
        self.is_ending() && self.progress.failing.is_some()
    }

    /// Whether it has been stopped to be started again, which follows at once.
    fn is_between_lives(&self) -> bool {
        self.progress.phase == ProcessPhase::Stopped && self.progress.wanted == Wanted::Up
    }

    /// Whether it runs, or will run, without a request, also once it has been recycled, or has failed and is tried again.
    pub fn comes_by_itself(&self) -> bool {
        self.is_active() || self.is_failing() || self.is_recycled() || self.is_between_lives()
    }

    /// How it has finished for good: it ended by itself or was given up, and is not started again without a request.
    pub fn finish(&self) -> Option<Finish> {
        let is_for_good = self.progress.wanted == Wanted::Up && self.next_timer().is_none();
        match self.progress.phase {
            ProcessPhase::Exited if is_for_good => Some(Finish::Exited {
                status: self.progress.exit_status,
                signal: self.progress.exit_signal,
                expected: self.progress.failure.is_none(),
            }),
            ProcessPhase::GivenUp if is_for_good => Some(Finish::GivenUp),
            _ => None,
        }
    }

    /// Whether it has a child as far as the machine knows, or one is being spawned.
    pub fn has_child(&self) -> bool {
        self.progress.pid != 0 || self.progress.phase == ProcessPhase::Spawning
    }

    /// Processes one input. An input without a meaning in the current phase changes nothing.
    pub fn handle(&mut self, input: MachineInput, at: MachineContext<'_>) -> Vec<MachineAction> {
        use MachineInput::{
            CommandEnded, DependenciesMet, Due, Ended, Extend, Ready, Recycle, Shutdown, SignalRefused, SignalSent,
            SpawnFailed, SpawnUnanswered, Spawned, Start, Stop, Turn, Unhealthy,
        };
        use ProcessPhase::{
            AwaitingDependencies, AwaitingTurn, BackingOff, Exited, GettingReady, GivenUp, NeverStarted, PreStart,
            PreStop, Settling, Spawning, Stopped, Stopping, Unreachable, Up, WaitingToRestart,
        };
        let mut actions = Vec::new();
        let out = &mut actions;
        let before = self.state();
        // The hook after an end comes before the next start.
        let is_followed = matches!(input, Ended(_)) && HookPlan::of(at.config).has(ProgramCommand::PostStop);
        let at = MachineContext { dependencies_met: at.dependencies_met && !is_followed, ..at };
        let ready_by = self.ready_by();
        match input {
            Stop | Shutdown => {
                self.progress.wanted = Wanted::Down;
                self.progress.failing = None;
                self.progress.recycling = Recycling::No;
            }
            Due(timer) => self.progress.timers.clear(timer),
            Start | Recycle | DependenciesMet | Turn | Spawned(_) | SpawnFailed(_) | SpawnUnanswered(_) | Ready
            | Extend(_) | Unhealthy(_) | Ended(_) | SignalSent | SignalRefused | CommandEnded(..) => {}
        }
        match (self.progress.phase, input) {
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | Stopped | Exited | WaitingToRestart | GivenUp,
                Start,
            ) => {
                self.start(at, out);
            }
            (AwaitingDependencies, DependenciesMet) if at.supervising && at.dependencies_met => self.spawn(at, out),
            (AwaitingTurn, Turn) if at.supervising => self.spawn(at, out),
            (Up, Turn) if at.supervising && self.progress.recycling == Recycling::Due => self.recycle(at, out),
            (
                PreStart | Spawning | Settling | GettingReady | Up | PreStop | Stopping | BackingOff | Unreachable,
                Start,
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Settling | GettingReady | Up
                | PreStop | Stopping | Stopped | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                DependenciesMet | Turn,
            ) => {}

            (Settling | GettingReady | Up, Stop | Shutdown | Recycle) => self.stop(at, out),
            (AwaitingDependencies | AwaitingTurn, Stop | Shutdown) => self.stop_waiting(at, out),
            (PreStart, Stop | Shutdown) => self.stop_pre_start(at, out),
            (BackingOff, Stop) => self.stop_retrying(at, out),
            (BackingOff, Shutdown) => self.give_up(None, at, out),
            (GivenUp, Stop | Shutdown) => self.progress.timers.clear(Timer::SecondLife),
            (GivenUp, Recycle) => {}
            (WaitingToRestart, Stop | Shutdown) => self.enter(Exited, StateDetail::None, out),
            (AwaitingDependencies | AwaitingTurn | PreStart | BackingOff | WaitingToRestart, Recycle) => {}
            (
                NeverStarted | Spawning | PreStop | Stopping | Stopped | Exited | Unreachable,
                Stop | Shutdown | Recycle,
            ) => {}

            (Spawning, Spawned(pid)) => {
                self.spawned(pid, at, out);
                self.apply_pending_stop(at, out);
            }
            (Spawning, SpawnFailed(reason)) => {
                self.attempted(at);
                out.push(MachineAction::Log(LogLevel::Info, texts::spawn_error(&reason)));
                self.fail_to_start(ProcessFailure::NotSpawned(reason), None, at, out);
                self.apply_pending_stop(at, out);
            }
            (Spawning, SpawnUnanswered(reason)) => {
                out.push(MachineAction::Log(LogLevel::Info, texts::spawn_error(&reason)));
                self.delay_start(reason, at, out);
                self.apply_pending_stop(at, out);
            }
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Settling | GettingReady | Up | PreStop
                | Stopping | Stopped | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Spawned(_) | SpawnFailed(_) | SpawnUnanswered(_),
            ) => {}

            (Spawning | Settling, Ended(status)) if self.is_too_quick(at) => {
                self.ended_too_early(ProcessFailure::TooQuick, status, at, out);
            }
            (Settling | GettingReady, Extend(time)) => self.extend(Timer::ReadyTimeout, time, at),
            (Stopping, Extend(time)) => self.extend(Timer::NextStopStep, time, at),
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Up | PreStop | Stopped
                | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Extend(_),
            ) => {}

            (Settling, Ready) => self.ready_early(),
            (GettingReady, Ready) => self.become_ready(at, out),
            (Up, Unhealthy(reason)) if at.supervising => self.fail_in_health(&reason, at, out),
            // The shutdown stops it.
            (Up, Unhealthy(_)) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Settling | GettingReady
                | PreStop | Stopping | Stopped | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Unhealthy(_),
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Up | PreStop | Stopping
                | Stopped | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Ready,
            ) => {}

            (Spawning | Settling | GettingReady, Ended(status)) if self.must_get_ready(at) => {
                self.ended_too_early(ProcessFailure::never_ready(), status, at, out);
            }
            (Spawning | Settling | GettingReady, Ended(status)) => {
                self.come_up(at, out);
                self.ended(status, at, out);
            }
            (Up, Ended(status)) => self.ended(status, at, out),
            (PreStop | Stopping | Unreachable, Ended(status)) if self.is_failing() => {
                self.ended_failing(status, at, out)
            }
            (PreStop | Stopping, Ended(status)) => self.stopped(status, at, out),
            (Unreachable, Ended(status)) => self.ended_unreachable(status, at, out),
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Stopped | Exited | WaitingToRestart
                | BackingOff | GivenUp,
                Ended(_),
            ) => {}

            (Settling, Due(Timer::Settled)) => self.settled(at, out),
            (Settling | GettingReady, Due(Timer::ReadyTimeout)) if at.supervising => {
                self.fail_to_get_ready(ready_by, at, out);
            }
            // The shutdown stops it.
            (Settling | GettingReady, Due(Timer::ReadyTimeout)) => {}
            // The hook cannot even be killed.
            (PreStop, Due(Timer::NextStopStep)) => self.follow_stop_plan(at, out),
            (Stopping, Due(Timer::NextStopStep)) => self.take_next_stop_step(at, out),
            (WaitingToRestart, Due(Timer::Restart)) if at.supervising => self.spawn(at, out),
            (WaitingToRestart, Due(Timer::Restart)) => self.enter(Exited, StateDetail::None, out),
            (BackingOff, Due(Timer::Retry)) if at.supervising => self.spawn(at, out),
            // The shutdown makes it FATAL when it reaches its group.
            (BackingOff, Due(Timer::Retry)) => {}
            (Up, Due(Timer::EndOfRun)) if at.supervising => self.run_is_over(at, out),
            // The shutdown stops it.
            (Up, Due(Timer::EndOfRun)) => {}
            (GivenUp, Due(Timer::SecondLife)) if at.supervising => self.start_anew(at, out),
            (GivenUp, Due(Timer::SecondLife)) => {}
            (
                GettingReady,
                Due(
                    Timer::Settled
                    | Timer::NextStopStep
                    | Timer::Restart
                    | Timer::Retry
                    | Timer::EndOfRun
                    | Timer::SecondLife,
                ),
            ) => {}
            (
                Settling,
                Due(Timer::NextStopStep | Timer::Restart | Timer::Retry | Timer::EndOfRun | Timer::SecondLife),
            ) => {}
            (
                Up,
                Due(
                    Timer::Settled
                    | Timer::ReadyTimeout
                    | Timer::NextStopStep
                    | Timer::Restart
                    | Timer::Retry
                    | Timer::SecondLife,
                ),
            ) => {}
            (
                PreStop | Stopping,
                Due(
                    Timer::Settled
                    | Timer::ReadyTimeout
                    | Timer::Restart
                    | Timer::Retry
                    | Timer::EndOfRun
                    | Timer::SecondLife,
                ),
            ) => {}
            (
                WaitingToRestart,
                Due(
                    Timer::Settled
                    | Timer::ReadyTimeout
                    | Timer::NextStopStep
                    | Timer::Retry
                    | Timer::EndOfRun
                    | Timer::SecondLife,
                ),
            ) => {}
            (
                BackingOff,
                Due(
                    Timer::Settled
                    | Timer::ReadyTimeout
                    | Timer::NextStopStep
                    | Timer::Restart
                    | Timer::EndOfRun
                    | Timer::SecondLife,
                ),
            ) => {}
            (
                GivenUp,
                Due(
                    Timer::Settled
                    | Timer::ReadyTimeout
                    | Timer::NextStopStep
                    | Timer::Restart
                    | Timer::Retry
                    | Timer::EndOfRun,
                ),
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Stopped | Exited
                | Unreachable,
                Due(_),
            ) => {}

            (Stopping, SignalSent) => self.wait_since_signal(at),
            (Spawning | Settling | GettingReady | Up | PreStop | Stopping, SignalRefused) => {
                self.enter(Unreachable, StateDetail::None, out)
            }
            (Spawning | Settling | GettingReady | Up | PreStop, SignalSent) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Stopped | Exited | WaitingToRestart
                | BackingOff | GivenUp | Unreachable,
                SignalSent | SignalRefused,
            ) => {}

            (PreStart, CommandEnded(ProgramCommand::PreStart, result)) => self.pre_start_ended(result, at, out),
            (PreStop, CommandEnded(ProgramCommand::PreStop, _)) => self.follow_stop_plan(at, out),
            (
                PreStart,
                CommandEnded(
                    ProgramCommand::PostStart
                    | ProgramCommand::PreStop
                    | ProgramCommand::PostStop
                    | ProgramCommand::HealthProbe
                    | ProgramCommand::ReadinessProbe,
                    _,
                ),
            ) => {}
            (
                PreStop,
                CommandEnded(
                    ProgramCommand::PreStart
                    | ProgramCommand::PostStart
                    | ProgramCommand::PostStop
                    | ProgramCommand::HealthProbe
                    | ProgramCommand::ReadinessProbe,
                    _,
                ),
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | Spawning | Settling | GettingReady | Up | Stopping
                | Stopped | Exited | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                CommandEnded(..),
            ) => {}
        }
        if self.state() != before {
            self.progress.since = at.now.epoch();
        }
        actions
    }

    fn start(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let number = if self.is_between_lives() { self.progress.restarts.number.saturating_add(1) } else { 0 };
        self.progress.wanted = Wanted::Up;
        self.progress.attempts = 0;
        self.progress.restarts = Restarts::anew(number);
        self.progress.failure = None;
        self.spawn(at, out);
    }

    /// Starts it as if somebody had asked for it.
    fn start_anew(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.restarts = Restarts::anew(self.progress.restarts.number.saturating_add(1));
        self.spawn(at, out);
    }

    /// Spawns the child, or waits until its dependencies and the number of programs that are starting allow it.
    fn spawn(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if !at.dependencies_met {
            self.enter(ProcessPhase::AwaitingDependencies, StateDetail::Tries(self.progress.attempts), out);
            return;
        }
        if !at.has_place {
            self.enter(ProcessPhase::AwaitingTurn, StateDetail::Tries(self.progress.attempts), out);
            return;
        }
        self.progress.failure = None;
        self.progress.exit_status = None;
        self.progress.exit_signal = None;
        self.progress.ready = false;
        self.progress.failing = None;
        self.progress.service_status = None;
        self.progress.started = at.now.mono;
        self.progress.last_start = at.now.epoch();
        if HookPlan::of(at.config).has(ProgramCommand::PreStart) {
            self.enter(ProcessPhase::PreStart, StateDetail::Tries(self.progress.attempts), out);
            out.push(MachineAction::Run(ProgramCommand::PreStart));
        } else {
            self.make_child(out);
        }
    }

    fn make_child(&mut self, out: &mut Vec<MachineAction>) {
        self.enter(ProcessPhase::Spawning, StateDetail::Tries(self.progress.attempts), out);
        out.push(MachineAction::Spawn);
    }

    fn pre_start_ended(&mut self, result: Result<(), String>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        match result {
            // The shutdown stops it when it reaches its group.
            Ok(()) if !at.supervising => {}
            Ok(()) if at.dependencies_met => self.make_child(out),
            // It runs again when the dependencies are met again.
            Ok(()) => self.enter(ProcessPhase::AwaitingDependencies, StateDetail::None, out),
            Err(reason) => {
                self.attempted(at);
                let reason = texts::command_failed(ProgramCommand::PreStart, &reason);
                out.push(MachineAction::Log(LogLevel::Info, texts::spawn_error(&reason)));
                self.fail_to_start(ProcessFailure::NotSpawned(reason), None, at, out);
            }
        }
    }

    /// Stops it while the hook before its start runs, which is ended.
    fn stop_pre_start(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::Log(LogLevel::Info, texts::stopped_in_pre_start(&at.config.identity.name)));
        out.push(MachineAction::EndCommands);
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(0), out);
    }

    /// A start was tried: one that the system did not allow to try does not count.
    fn attempted(&mut self, at: MachineContext<'_>) {
        if !std::mem::take(&mut self.progress.restarts.anew) {
            RestartPolicy::of(at.config).note(&mut self.progress.restarts, at.now.mono);
        }
    }

    fn spawned(&mut self, pid: u32, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.attempted(at);
        self.progress.pid = pid;
        // Other processes may have been spawned since this spawn was decided.
        self.progress.started = at.now.mono;
        self.progress.last_start = at.now.epoch();
        out.push(MachineAction::Log(LogLevel::Info, texts::spawned(&at.config.identity.name, pid)));
        let rule = ReadinessRule::of(at.config);
        if rule.sign().is_some() {
            self.progress.timers.set(Timer::ReadyTimeout, self.progress.started.saturating_add(rule.timeout()));
        }
        let wait = seconds(at.config.start.startsecs);
        if wait.is_zero() {
            self.settled(at, out);
        } else {
            self.enter(ProcessPhase::Settling, StateDetail::None, out);
            self.progress.timers.set(Timer::Settled, self.progress.started + wait);
        }
    }

    /// It has been alive for `startsecs`.
    fn settled(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if self.must_get_ready(at) {
            self.enter(ProcessPhase::GettingReady, StateDetail::None, out);
        } else {
            self.succeed(at, out);
        }
    }

    /// Whether it must say that it is ready, and has not.
    fn must_get_ready(&self, at: MachineContext<'_>) -> bool {
        !self.progress.ready && ReadinessRule::of(at.config).sign().is_some()
    }

    /// It is ready before it has been alive for `startsecs`.
    fn ready_early(&mut self) {
        self.progress.ready = true;
        self.progress.timers.clear(Timer::ReadyTimeout);
    }

    /// Puts a timer off, if it is set and due before.
    fn extend(&mut self, timer: Timer, time: Duration, at: MachineContext<'_>) {
        if let Some(due) = self.progress.timers.get(timer) {
            self.progress.timers.set(timer, due.max(at.now.mono.saturating_add(time)));
        }
    }

    fn become_ready(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.ready = true;
        self.succeed(at, out);
    }

    /// Stops it, because it was not ready by this moment.
    fn fail_to_get_ready(&mut self, by: Option<Duration>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let Some(sign) = ReadinessRule::of(at.config).sign() else { return };
        let waited = by.unwrap_or(at.now.mono).saturating_sub(self.progress.started);
        let failure = ProcessFailure::not_ready(waited, sign, at.trouble);
        out.push(MachineAction::Log(LogLevel::Warn, texts::not_ready(&at.config.identity.name, &failure)));
        self.progress.failing = Some(failure);
        self.stop(at, out);
    }

    /// Stops it, because it is unhealthy.
    fn fail_in_health(&mut self, reason: &str, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::Log(LogLevel::Warn, texts::replacing_unhealthy(&at.config.identity.name)));
        self.progress.failing = Some(ProcessFailure::unhealthy(reason));
        self.stop(at, out);
    }

    /// It has been stopped because it had failed.
    fn ended_failing(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let Some(failure) = self.progress.failing.take() else { return };
        if matches!(failure, ProcessFailure::Unhealthy(_)) {
            return self.ended_unhealthy(failure, status, at, out);
        }
        self.gone(status, EndJudgement::NotReady, at, out);
        self.note_exit(status);
        let line = texts::stopped(&at.config.identity.name, status);
        self.fail_to_start(failure, Some(line), at, out);
    }

    /// It has been stopped because it was unhealthy, which is an unexpected end, whatever its status, and always followed by a
    /// restart.
    fn ended_unhealthy(
        &mut self,
        failure: ProcessFailure,
        status: ExitStatus,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let pid = self.progress.pid;
        self.gone(status, EndJudgement::Unhealthy, at, out);
        self.note_exit(status);
        self.progress.failure = Some(failure);
        self.enter(ProcessPhase::Exited, StateDetail::Exit { expected: false, pid }, out);
        out.push(MachineAction::Log(LogLevel::Warn, texts::stopped(&at.config.identity.name, status)));
        if at.supervising {
            self.restart(RestartPolicy::of(at.config).always(), status, false, at, out);
        }
    }

    /// Carries out a stop that was requested during the spawn.
    fn apply_pending_stop(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if self.progress.wanted == Wanted::Down {
            out.extend(self.handle(MachineInput::Stop, at));
        }
    }

    fn succeed(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.come_up(at, out);
        let name = &at.config.identity.name;
        let line = match ReadinessRule::of(at.config).sign() {
            Some(sign) => texts::ready(name, sign, at.now.mono.saturating_sub(self.progress.started)),
            None => texts::success(name, at.config.start.startsecs),
        };
        out.push(MachineAction::Log(LogLevel::Info, line));
        if HookPlan::of(at.config).has(ProgramCommand::PostStart) {
            out.push(MachineAction::Run(ProgramCommand::PostStart));
        }
    }

    fn come_up(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.attempts = 0;
        self.enter(ProcessPhase::Up, StateDetail::Pid(self.progress.pid), out);
        self.watch_health(at.config, at.now.mono);
        let policy = RestartPolicy::of(at.config);
        if let Some(runtime) = policy.recycled_after(at.random).or(policy.runtime()) {
            self.progress.timers.set(Timer::EndOfRun, self.progress.started + runtime);
        }
    }

    /// It is to be recycled, for which it may have to wait until it has run for as long as it may.
    fn run_is_over(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let policy = RestartPolicy::of(at.config);
        if policy.recycled_after(at.random).is_none() || self.progress.recycling == Recycling::Due {
            return self.end_run(at, out);
        }
        self.progress.recycling = Recycling::Due;
        if let Some(runtime) = policy.runtime() {
            self.progress.timers.set(Timer::EndOfRun, self.progress.started + runtime);
        }
    }

    /// Stops it, because it is to be recycled and it is its turn.
    fn recycle(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let ran = at.now.mono.saturating_sub(self.progress.started);
        out.push(MachineAction::Log(LogLevel::Info, texts::recycling(&at.config.identity.name, ran)));
        self.progress.recycling = Recycling::UnderWay;
        self.stop(at, out);
    }

    /// Stops it, because it has run for as long as it may.
    fn end_run(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let ran = at.now.mono.saturating_sub(self.progress.started);
        out.push(MachineAction::Log(LogLevel::Info, texts::time_is_up(&at.config.identity.name, ran)));
        if !RestartPolicy::of(at.config).renews() {
            self.progress.wanted = Wanted::Down;
        }
        self.stop(at, out);
    }

    fn is_too_quick(&self, at: MachineContext<'_>) -> bool {
        at.died.mono.saturating_sub(self.progress.started) < seconds(at.config.start.startsecs)
    }

    fn ended_too_early(
        &mut self,
        failure: ProcessFailure,
        status: ExitStatus,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let judgement = match failure {
            ProcessFailure::NotReady(_) => EndJudgement::NotReady,
            ProcessFailure::NotSpawned(_)
            | ProcessFailure::TooQuick
            | ProcessFailure::Unhealthy(_)
            | ProcessFailure::BadExit(_) => EndJudgement::TooQuick,
        };
        self.gone(status, judgement, at, out);
        let line = texts::exited(&at.config.identity.name, status, false);
        self.fail_to_start(failure, Some(line), at, out);
    }

    /// A start has failed: the next attempt comes later, or never. `line` is the log line.
    fn fail_to_start(
        &mut self,
        failure: ProcessFailure,
        line: Option<String>,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        self.progress.attempts += 1;
        self.progress.failure = Some(failure);
        self.progress.restarts.failures = self.progress.restarts.failures.saturating_add(1);
        let policy = RestartPolicy::of(at.config);
        let restarts = &self.progress.restarts;
        let next = policy.after_failed_starts(self.progress.attempts, restarts, at.now.mono, at.random);
        self.back_off(next.ok(), at, out);
        out.extend(line.map(|line| MachineAction::Log(LogLevel::Warn, line)));
        match next {
            Ok(wait) if policy.is_paced() => out.push(self.delayed(wait, at)),
            Ok(_) => {}
            Err(reason) => self.give_up(Some(reason), at, out),
        }
    }

    fn delayed(&self, wait: Duration, at: MachineContext<'_>) -> MachineAction {
        let failures = self.progress.restarts.failures;
        MachineAction::Log(LogLevel::Info, texts::restart_delayed(&at.config.identity.name, wait, failures))
    }

    fn delay_start(&mut self, reason: String, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.failure = Some(ProcessFailure::NotSpawned(reason));
        self.back_off(Some(RestartPolicy::of(at.config).after_no_answer()), at, out);
    }

    fn back_off(&mut self, wait: Option<Duration>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.enter(ProcessPhase::BackingOff, StateDetail::Tries(self.progress.attempts), out);
        if let Some(wait) = wait {
            self.progress.timers.set(Timer::Retry, at.now.mono + wait);
        }
    }

    /// Gives it up, for a reason that is logged where it is not the shutdown.
    fn give_up(&mut self, reason: Option<GaveUp>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.attempts = 0;
        self.enter(ProcessPhase::GivenUp, StateDetail::None, out);
        let Some(reason) = reason else { return };
        out.push(MachineAction::Log(LogLevel::Info, texts::gave_up(&at.config.identity.name, reason)));
        let second_life = RestartPolicy::of(at.config).second_life(at.random);
        if let Some(delay) = second_life.filter(|_| at.supervising && self.progress.wanted == Wanted::Up) {
            self.progress.timers.set(Timer::SecondLife, at.now.mono + delay);
            out.push(self.delayed(delay, at));
        }
    }

    fn ended(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let expected = self.exited(status, at, out);
        if !expected {
            self.progress.failure = Some(ProcessFailure::BadExit(status.number()));
        }
        let level = if expected { LogLevel::Info } else { LogLevel::Warn };
        out.push(MachineAction::Log(level, texts::exited(&at.config.identity.name, status, expected)));
        if at.supervising {
            self.restart(RestartPolicy::of(at.config), status, expected, at, out);
        }
    }

    /// The original aborts here (an assertion in `supervisor/process.py`); here the process becomes EXITED.
    fn ended_unreachable(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let expected = self.exited(status, at, out);
        out.push(MachineAction::Log(LogLevel::Warn, texts::exited(&at.config.identity.name, status, expected)));
    }

    /// It exited by itself. Returns whether that is expected.
    fn exited(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) -> bool {
        let pid = self.progress.pid;
        let expected = ExitRule::of(at.config).expects(status);
        self.gone(status, if expected { EndJudgement::Expected } else { EndJudgement::Unexpected }, at, out);
        self.note_exit(status);
        self.enter(ProcessPhase::Exited, StateDetail::Exit { expected, pid }, out);
        expected
    }

    fn restart(
        &mut self,
        policy: RestartPolicy,
        status: ExitStatus,
        expected: bool,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let (started, died) = (self.progress.started, at.died.mono);
        let exit = Exit { status, expected, started, died, quick_ends: self.progress.quick_ends };
        self.progress.restarts.failures = policy.failures(&exit, &self.progress.restarts);
        match policy.after_exit(exit, &self.progress.restarts, at.random) {
            AfterExit::Rest => {}
            AfterExit::Restart { quick_ends } => {
                self.progress.quick_ends = quick_ends;
                self.spawn(at, out);
            }
            AfterExit::Wait { quick_ends, until } => {
                self.progress.quick_ends = quick_ends;
                self.enter(ProcessPhase::WaitingToRestart, StateDetail::None, out);
                self.progress.timers.set(Timer::Restart, until);
                if policy.is_paced() {
                    out.push(self.delayed(until.saturating_sub(at.now.mono), at));
                }
            }
            AfterExit::GiveUp(reason) => self.give_up(Some(reason), at, out),
        }
    }

    fn stop(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::EndCommands);
        let hooks = HookPlan::of(at.config);
        if hooks.has(ProgramCommand::PreStop) {
            self.enter(ProcessPhase::PreStop, StateDetail::Pid(self.progress.pid), out);
            self.progress.timers.set(Timer::NextStopStep, at.now.mono + hooks.longest_wait());
            out.push(MachineAction::Run(ProgramCommand::PreStop));
        } else {
            self.follow_stop_plan(at, out);
        }
    }

    fn follow_stop_plan(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.stop_step = 0;
        let StopSignal { signal, scope, wait } = StopPlan::of(at.config).step(0);
        out.push(self.killing(signal, scope, at));
        self.enter(ProcessPhase::Stopping, StateDetail::Pid(self.progress.pid), out);
        self.progress.timers.set(Timer::NextStopStep, at.now.mono + wait);
        out.push(MachineAction::Signal { signal, scope });
    }

    fn take_next_stop_step(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let plan = StopPlan::of(at.config);
        self.progress.stop_step = plan.after(self.progress.stop_step);
        let StopSignal { signal, scope, wait } = plan.step(self.progress.stop_step);
        if signal == SIGKILL {
            out.push(MachineAction::Log(
                LogLevel::Warn,
                texts::killing_hard(&at.config.identity.name, self.progress.pid),
            ));
        }
        out.push(self.killing(signal, scope, at));
        self.progress.timers.set(Timer::NextStopStep, at.now.mono + wait);
        out.push(MachineAction::Signal { signal, scope });
    }

    fn killing(&self, signal: i32, scope: KillScope, at: MachineContext<'_>) -> MachineAction {
        MachineAction::Log(LogLevel::Debug, texts::killing(&at.config.identity.name, self.progress.pid, signal, scope))
    }

    /// Other processes may have been signalled since this signal was decided.
    fn wait_since_signal(&mut self, at: MachineContext<'_>) {
        let waited_for = at.now.mono + StopPlan::of(at.config).step(self.progress.stop_step).wait;
        if let Some(due) = self.progress.timers.get(Timer::NextStopStep) {
            self.progress.timers.set(Timer::NextStopStep, due.max(waited_for));
        }
    }

    fn stop_waiting(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let line = texts::stopped_waiting(&at.config.identity.name, self.awaits_turn());
        out.push(MachineAction::Log(LogLevel::Info, line));
        let is_new = self.progress.last_start == 0;
        self.enter(if is_new { ProcessPhase::NeverStarted } else { ProcessPhase::Stopped }, StateDetail::Pid(0), out);
    }

    fn stop_retrying(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::Log(LogLevel::Debug, texts::stop_in_backoff(&at.config.identity.name)));
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(0), out);
    }

    fn stopped(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let pid = self.progress.pid;
        self.gone(status, EndJudgement::Stopped, at, out);
        self.note_exit(status);
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(pid), out);
        let expected = ExitRule::of(at.config).expects(status);
        let level = if expected { LogLevel::Info } else { LogLevel::Warn };
        out.push(MachineAction::Log(level, texts::stopped(&at.config.identity.name, status)));
    }

    fn note_exit(&mut self, status: ExitStatus) {
        self.progress.exit_status = Some(status.number());
        self.progress.exit_signal = status.signal();
    }

    fn gone(
        &mut self,
        status: ExitStatus,
        judgement: EndJudgement,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        self.progress.pid = 0;
        self.progress.service_status = None;
        self.progress.last_stop = at.died.epoch();
        self.progress.last_end = Some(Arc::new(LastEnd {
            at: at.died.epoch(),
            status,
            judgement,
            // As exact as the state keeps it.
            lived: Duration::from_millis(at.died.mono.saturating_sub(self.progress.started).as_millis() as u64),
            traces: EndTraces::default(),
        }));
        out.push(MachineAction::EndCommands);
        if HookPlan::of(at.config).has(ProgramCommand::PostStop) {
            out.push(MachineAction::Run(ProgramCommand::PostStop));
        }
    }

    /// Enters a phase and clears the timer of the old one.
    fn enter(&mut self, to: ProcessPhase, detail: StateDetail, out: &mut Vec<MachineAction>) {
        let from = std::mem::replace(&mut self.progress.phase, to);
        self.progress.recycling = self.progress.recycling.after(to);
        if let Some(timer) = from.timer() {
            self.progress.timers.clear(timer);
        }
        if from == ProcessPhase::Settling && to != ProcessPhase::GettingReady {
            self.progress.timers.clear(Timer::ReadyTimeout);
        }
        if from == ProcessPhase::Up {
            self.progress.health = None;
        }
        if from.state() != to.state() {
            out.push(MachineAction::Changed { from: from.state(), to: to.state(), detail });
        }
    }
}

#[cfg(test)]
mod tests;
