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
//! | `Settling` | STARTING | | `Stopping` | `Stopping` | `Stopping` | exited too quickly: `BackingOff` or `GivenUp`; exited later: as in the next phase | `Settled`: `Up`, `GettingReady` or `RunningToEnd` |
//! | `GettingReady` | STARTING | | `Stopping` | `Stopping` | `Stopping` | ready: `Up`; exited: `BackingOff` or `GivenUp` | `ReadyTimeout`: `Stopping`, and then a failed start |
//! | `RunningToEnd` | STARTING | | `Stopping` | `Stopping` | `Stopping` | exited as expected: `Completed`; otherwise: `BackingOff` or `GivenUp`, or `Exited` with `autorestart=false` | `EndOfRun`: `Stopping`, and then as after an unexpected exit |
//! | `Up` | RUNNING | | `Stopping` | `Stopping` | `Stopping` | exited: `Exited`; then, by the policy, `Spawning`, `WaitingToRestart` or `GivenUp` | `EndOfRun`: `Stopping`, or the same at the input `Turn` |
//! | `PreStop` | STOPPING | | | | | exited: as in `Stopping` | `NextStopStep`: `Stopping` |
//! | `Stopping` | STOPPING | | | | | exited: `Stopped`, or `BackingOff` or `GivenUp` where it was not ready in time, or as from `Up` where it was unhealthy; cannot be signalled: `Unreachable` | `NextStopStep`: the next step |
//! | `Stopped` | STOPPED | `Spawning` | | | | | |
//! | `Exited` | EXITED | `Spawning` | | | | | |
//! | `Completed` | EXITED | `Spawning` | | | | | |
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
//! wherever the table says `Stopping`, and `Stopping` when the hook has ended. The same holds for the commands of an
//! [`EnvironmentPlan`], which run in `PreStart` one after the other, behind the hook.
//!
//! A step of a stop may run a command in place of a signal: the next step follows when its time has passed, or when the command
//! has failed.
//!
//! An empty cell is an input that changes nothing, except that `Stop` and `Shutdown` make a process wanted down in every
//! phase. `Retire` acts as `Stop` does. A `Start` that starts a process makes it wanted up.
//!
//! Every stop has a [`StopDecision`]: its cause, and what follows. `Intervene`, by which the daemon itself stops a process, acts
//! as `Stop` or as `Recycle`, by what is to follow, but the process remains wanted up: somebody wants it to run. After the exit of
//! a child that is to be followed by another one, the driver of the machine sends a `Start`; where the child was stopped because
//! it has failed, its exit counts as that failure instead. A process that the daemon has stopped without a restart has finished
//! for good ([`Finish::Stopped`]).
//!
//! A program that does its work and ends (`type=oneshot`) becomes `RunningToEnd` after `Settling`, and its exit means the same in
//! both. Before it is `Completed` it is `Up` for no time, so that clients see RUNNING and EXITED.
//!
//! A child that is ready in `Settling` is `Up` as soon as that is over. One that should have been ready in `Settling` is stopped
//! as in `GettingReady`. Where `ReadyTimeout` is noticed late, because the daemon was stopped, did not run or was held up, the
//! child has a last chance first: `ReadyTimeout` is set once more, and its driver gives it as soon as a last probe has failed.

mod ending;
mod environment_plan;
mod exit_rule;
mod failure;
mod finish;
mod last_end;
mod oneshot;
mod phase;
mod program_command;
mod progress;
mod questions;
mod readiness;
mod recycling;
mod redefinition;
mod reload_plan;
mod restart_policy;
mod restarts;
mod service_status;
mod starting;
mod state_detail;
mod stop_decision;
mod stop_plan;

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::{LogLevel, Process};
use supervisord_wire::state::ProcessState;

pub use crate::exit_status::ExitStatus;
use crate::health::{HealthPolicy, HealthProgress};
pub use crate::recipients::KillScope;
use crate::texts;
use crate::time::Now;
pub(crate) use environment_plan::option_at_fault;
pub use environment_plan::{EnvironmentPlan, EnvironmentQuestion};
pub use exit_rule::ExitRule;
pub use failure::ProcessFailure;
pub use finish::Finish;
pub use last_end::{EndJudgement, EndTraces, LastEnd, MemoryKills};
pub use phase::{ProcessPhase, Timer, Timers, Wanted};
pub use program_command::{CommandEnd, CommandPlan, HookPlan, ProgramCommand};
pub use progress::Progress;
pub use readiness::ReadinessRule;
pub use recycling::Recycling;
pub use reload_plan::ReloadPlan;
pub use restart_policy::{AfterExit, Exit, GaveUp, RestartPolicy};
pub use restarts::Restarts;
pub use service_status::ServiceStatus;
pub use state_detail::StateDetail;
pub use stop_decision::{AfterStop, StopCause, StopDecision};
pub use stop_plan::{StopMeasure, StopPlan, StopSignal};

/// The inputs of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineInput {
    /// A client, or the daemon's start, wants it to run.
    Start,
    /// A client wants it to stop.
    Stop,
    /// Its definition has changed or is gone, or the daemon begins anew: it must stop, and leave its name to what comes after it.
    Retire(AfterStop),
    /// The daemon shuts down: it must stop, and there are no more attempts.
    Shutdown,
    /// A client wants it to stop and start again.
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
    /// The daemon itself stops it, although somebody wants it to run.
    Intervene(StopDecision),
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
            | MachineInput::Retire(_)
            | MachineInput::Recycle
            | MachineInput::Spawned(_)
            | MachineInput::SpawnFailed(_)
            | MachineInput::SpawnUnanswered(_)
            | MachineInput::Ready
            | MachineInput::Intervene(_)
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
    /// Run a hook, or the command of the present step of the stop.
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
    /// Whether a probe of its readiness should have been answered by now, and nobody could begin it in time.
    pub owes_probe: bool,
    /// Whether one more program may start at once.
    pub has_place: bool,
}

impl Machine {
    /// Processes one input. An input without a meaning in the current phase changes nothing.
    pub fn handle(&mut self, input: MachineInput, at: MachineContext<'_>) -> Vec<MachineAction> {
        use MachineInput::{
            CommandEnded, DependenciesMet, Due, Ended, Extend, Intervene, Ready, Recycle, Retire, Shutdown,
            SignalRefused, SignalSent, SpawnFailed, SpawnUnanswered, Spawned, Start, Stop, Turn,
        };
        use ProcessPhase::{
            AwaitingDependencies, AwaitingTurn, BackingOff, Completed, Exited, GettingReady, GivenUp, NeverStarted,
            PreStart, PreStop, RunningToEnd, Settling, Spawning, Stopped, Stopping, Unreachable, Up, WaitingToRestart,
        };
        let mut actions = Vec::new();
        let out = &mut actions;
        let before = self.state();
        // The hook after an end comes before the next start.
        let is_followed = matches!(input, Ended(_)) && HookPlan::of(at.config).has(ProgramCommand::PostStop);
        let at = MachineContext { dependencies_met: at.dependencies_met && !is_followed, ..at };
        let ready_by = self.ready_by();
        match input {
            Stop => self.stop_as_asked(StopDecision::rest(StopCause::Request)),
            Shutdown => self.stop_as_asked(StopDecision::rest(StopCause::Shutdown)),
            Retire(then) => self.stop_as_asked(StopDecision { cause: StopCause::Configuration, then }),
            Due(timer) => self.progress.timers.clear(timer),
            Start | Recycle | DependenciesMet | Turn | Spawned(_) | SpawnFailed(_) | SpawnUnanswered(_) | Ready
            | Extend(_) | Intervene(_) | Ended(_) | SignalSent | SignalRefused | CommandEnded(..) => {}
        }
        match (self.progress.phase, input) {
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | Stopped | Exited | Completed | WaitingToRestart
                | GivenUp,
                Start,
            ) => {
                self.start(at, out);
            }
            (AwaitingDependencies, DependenciesMet) if at.supervising && at.dependencies_met => self.spawn(at, out),
            (AwaitingTurn, Turn) if at.supervising => self.spawn(at, out),
            (Up, Turn) if at.supervising && self.progress.recycling == Recycling::Due => self.recycle(at, out),
            (
                PreStart | Spawning | Settling | GettingReady | RunningToEnd | Up | PreStop | Stopping | BackingOff
                | Unreachable,
                Start,
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Settling | GettingReady
                | RunningToEnd | Up | PreStop | Stopping | Stopped | Exited | Completed | WaitingToRestart | BackingOff
                | GivenUp | Unreachable,
                DependenciesMet | Turn,
            ) => {}

            (Settling | GettingReady | RunningToEnd | Up, Stop | Retire(_) | Shutdown) => self.stop(at, out),
            (Settling | GettingReady | RunningToEnd | Up, Recycle) => {
                self.stop_for(StopDecision::restart(StopCause::Request), at, out);
            }
            (Settling | GettingReady | RunningToEnd | Up, Intervene(decision)) => self.stop_for(decision, at, out),
            (
                AwaitingDependencies | AwaitingTurn | PreStart | Spawning | WaitingToRestart | BackingOff | GivenUp,
                Intervene(decision),
            ) => self.stop_without_child(decision, at, out),
            (NeverStarted | PreStop | Stopping | Stopped | Exited | Completed | Unreachable, Intervene(_)) => {}

            (AwaitingDependencies | AwaitingTurn, Stop | Retire(_) | Shutdown) => self.stop_waiting(at, out),
            (PreStart, Stop | Retire(_) | Shutdown) => self.stop_pre_start(at, out),
            (BackingOff, Stop | Retire(_)) => self.stop_retrying(at, out),
            (BackingOff, Shutdown) => self.give_up(None, at, out),
            (GivenUp, Stop | Retire(_) | Shutdown) => self.progress.timers.clear(Timer::SecondLife),
            (GivenUp, Recycle) => {}
            (WaitingToRestart, Stop | Retire(_) | Shutdown) => self.enter(Exited, StateDetail::None, out),
            (AwaitingDependencies | AwaitingTurn | PreStart | BackingOff | WaitingToRestart, Recycle) => {}
            (
                NeverStarted | Spawning | PreStop | Stopping | Stopped | Exited | Completed | Unreachable,
                Stop | Retire(_) | Shutdown | Recycle,
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
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Settling | GettingReady | RunningToEnd
                | Up | PreStop | Stopping | Stopped | Exited | Completed | WaitingToRestart | BackingOff | GivenUp
                | Unreachable,
                Spawned(_) | SpawnFailed(_) | SpawnUnanswered(_),
            ) => {}

            (Spawning | Settling, Ended(status)) if at.config.is_oneshot() => {
                self.oneshot_ended(status, at, out);
            }
            (Spawning | Settling, Ended(status)) if self.is_too_quick(at) => {
                self.ended_too_early(ProcessFailure::TooQuick, status, at, out);
            }
            (Settling | GettingReady, Extend(time)) => self.extend(Timer::ReadyTimeout, time, at),
            (Stopping, Extend(time)) => self.extend(Timer::NextStopStep, time, at),
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | RunningToEnd | Up | PreStop
                | Stopped | Exited | Completed | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Extend(_),
            ) => {}

            (Settling, Ready) => self.ready_early(),
            (GettingReady, Ready) => self.become_ready(at, out),
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | RunningToEnd | Up | PreStop
                | Stopping | Stopped | Exited | Completed | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                Ready,
            ) => {}

            (Spawning | Settling | GettingReady, Ended(status)) if self.must_get_ready(at) => {
                self.ended_too_early(ProcessFailure::never_ready(), status, at, out);
            }
            (Spawning | Settling | GettingReady, Ended(status)) => {
                self.come_up(at, out);
                self.ended(status, at, out);
            }
            (RunningToEnd, Ended(status)) => self.oneshot_ended(status, at, out),
            (Up, Ended(status)) => self.ended(status, at, out),
            (PreStop | Stopping | Unreachable, Ended(status)) if self.is_failing() => {
                self.ended_failing(status, at, out)
            }
            (PreStop | Stopping, Ended(status)) => self.stopped(status, at, out),
            (Unreachable, Ended(status)) => self.ended_unreachable(status, at, out),
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Stopped | Exited | Completed
                | WaitingToRestart | BackingOff | GivenUp,
                Ended(_),
            ) => {}

            (Settling, Due(Timer::Settled)) => self.settled(at, out),
            (Settling | GettingReady, Due(Timer::ReadyTimeout)) if at.supervising => {
                self.ready_time_over(ready_by, at, out);
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
            (RunningToEnd, Due(Timer::EndOfRun)) if at.supervising => self.fail_to_end(at, out),
            // The shutdown stops it.
            (RunningToEnd | Up, Due(Timer::EndOfRun)) => {}
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
                RunningToEnd | Up,
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
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Spawning | Stopped | Exited | Completed
                | Unreachable,
                Due(_),
            ) => {}

            (Stopping, SignalSent) => self.wait_since_signal(at),
            (Spawning | Settling | GettingReady | RunningToEnd | Up | PreStop | Stopping, SignalRefused) => {
                self.enter(Unreachable, StateDetail::None, out)
            }
            (Spawning | Settling | GettingReady | RunningToEnd | Up | PreStop, SignalSent) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | PreStart | Stopped | Exited | Completed
                | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                SignalSent | SignalRefused,
            ) => {}

            (PreStart, CommandEnded(ProgramCommand::PreStart, result)) => self.pre_start_ended(result, at, out),
            (PreStart, CommandEnded(ProgramCommand::Environment, result)) => self.environment_told(result, at, out),
            (PreStop, CommandEnded(ProgramCommand::PreStop, _)) => self.follow_stop_plan(at, out),
            (Stopping, CommandEnded(ProgramCommand::StopStep, result)) => self.stop_command_ended(&result, at, out),
            (
                Stopping,
                CommandEnded(
                    ProgramCommand::PreStart
                    | ProgramCommand::Environment
                    | ProgramCommand::PostStart
                    | ProgramCommand::PreStop
                    | ProgramCommand::PostStop
                    | ProgramCommand::Reload
                    | ProgramCommand::HealthProbe
                    | ProgramCommand::ReadinessProbe,
                    _,
                ),
            ) => {}
            (
                PreStart,
                CommandEnded(
                    ProgramCommand::PostStart
                    | ProgramCommand::PreStop
                    | ProgramCommand::StopStep
                    | ProgramCommand::PostStop
                    | ProgramCommand::Reload
                    | ProgramCommand::HealthProbe
                    | ProgramCommand::ReadinessProbe,
                    _,
                ),
            ) => {}
            (
                PreStop,
                CommandEnded(
                    ProgramCommand::PreStart
                    | ProgramCommand::Environment
                    | ProgramCommand::PostStart
                    | ProgramCommand::StopStep
                    | ProgramCommand::PostStop
                    | ProgramCommand::Reload
                    | ProgramCommand::HealthProbe
                    | ProgramCommand::ReadinessProbe,
                    _,
                ),
            ) => {}
            (
                NeverStarted | AwaitingDependencies | AwaitingTurn | Spawning | Settling | GettingReady | RunningToEnd
                | Up | Stopped | Exited | Completed | WaitingToRestart | BackingOff | GivenUp | Unreachable,
                CommandEnded(..),
            ) => {}
        }
        if self.state() != before {
            self.progress.since = at.now.epoch();
        }
        actions
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

    /// Remembers what its child says about itself. Returns whether that is news.
    pub(crate) fn set_service_status(&mut self, status: ServiceStatus) -> bool {
        let status = (status != ServiceStatus::default()).then(|| Box::new(status));
        let is_news = self.progress.service_status != status;
        self.progress.service_status = status;
        is_news
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
