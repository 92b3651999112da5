//! How a process is stopped, ends and is restarted.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::LogLevel;

use super::exit_rule::ExitRule;
use super::failure::ProcessFailure;
use super::last_end::{EndJudgement, EndTraces, LastEnd};
use super::phase::{ProcessPhase, Timer, Wanted};
use super::program_command::{HookPlan, PATIENCE, ProgramCommand};
use super::recycling::Recycling;
use super::restart_policy::{AfterExit, Exit, RestartPolicy};
use super::state_detail::StateDetail;
use super::stop_decision::{AfterStop, StopCause, StopDecision};
use super::stop_plan::{SIGKILL, StopMeasure, StopPlan, StopSignal};
use super::{Machine, MachineAction, MachineContext};
use crate::exit_status::ExitStatus;
use crate::recipients::KillScope;
use crate::texts;

impl Machine {
    /// Stops its child, for this reason.
    pub(super) fn stop_for(&mut self, decision: StopDecision, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if let StopCause::Unhealthy(_) = decision.cause {
            let restarts = decision.then == AfterStop::Restart
                && RestartPolicy::of(at.config).always().allows_another(&self.progress.restarts, at.now.mono);
            let line = texts::stopping_unhealthy(&at.config.identity.name, restarts);
            out.push(MachineAction::Log(LogLevel::Warn, line));
        }
        self.decide(decision);
        self.stop(at, out);
    }

    /// Stops it for good while it has no child. One that is to be started again is anyway.
    pub(super) fn stop_without_child(
        &mut self,
        decision: StopDecision,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        use ProcessPhase::{
            AwaitingDependencies, AwaitingTurn, BackingOff, Completed, Exited, GettingReady, GivenUp, NeverStarted,
            PreStart, PreStop, RunningToEnd, Settling, Spawning, Stopped, Stopping, Unreachable, Up, WaitingToRestart,
        };
        if decision.then == AfterStop::Restart {
            return;
        }
        self.decide(decision);
        match self.progress.phase {
            AwaitingDependencies | AwaitingTurn => self.stop_waiting(at, out),
            PreStart => self.stop_pre_start(at, out),
            BackingOff => self.stop_retrying(at, out),
            GivenUp => self.progress.timers.clear(Timer::SecondLife),
            WaitingToRestart => self.enter(Exited, StateDetail::None, out),
            // It is stopped as soon as its child is there.
            Spawning => {}
            NeverStarted | Settling | GettingReady | RunningToEnd | Up | PreStop | Stopping | Stopped | Exited
            | Completed | Unreachable => {}
        }
    }

    /// Somebody wants it to be down.
    pub(super) fn stop_as_asked(&mut self, decision: StopDecision) {
        self.progress.wanted = Wanted::Down;
        self.decide(decision);
    }

    /// Remembers why it is stopped.
    pub(super) fn decide(&mut self, decision: StopDecision) {
        if decision.then != AfterStop::Restart {
            self.progress.recycling = Recycling::No;
        }
        self.progress.stop_decision = Some(Arc::new(decision));
    }

    /// It has been stopped because it had failed.
    pub(super) fn ended_failing(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let Some(failure) = self.failure_of_stop() else { return };
        if matches!(failure, ProcessFailure::Unhealthy(_)) {
            return self.ended_unhealthy(failure, status, at, out);
        }
        if matches!(failure, ProcessFailure::NotFinished(_)) {
            self.oneshot_failed(failure, status, at, out);
            self.progress.stop_decision = None;
            return;
        }
        self.gone(status, EndJudgement::NotReady, at, out);
        self.progress.stop_decision = None;
        self.note_exit(status);
        let line = texts::stopped(&at.config.identity.name, status);
        self.fail_to_start(failure, Some(line), at, out);
    }

    /// It has been stopped because it was unhealthy, which is an unexpected end, whatever its status, and always followed by a
    /// restart.
    pub(super) fn ended_unhealthy(
        &mut self,
        failure: ProcessFailure,
        status: ExitStatus,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let pid = self.progress.pid;
        self.gone(status, EndJudgement::Unhealthy, at, out);
        self.progress.stop_decision = None;
        self.note_exit(status);
        self.progress.failure = Some(failure);
        self.enter(ProcessPhase::Exited, StateDetail::Exit { expected: false, pid }, out);
        out.push(MachineAction::Log(LogLevel::Warn, texts::stopped(&at.config.identity.name, status)));
        if at.supervising {
            self.restart(RestartPolicy::of(at.config).always(), status, false, at, out);
        }
    }

    /// It is to be recycled, for which it may have to wait until it has run for as long as it may.
    pub(super) fn run_is_over(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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
    pub(super) fn recycle(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let ran = at.now.mono.saturating_sub(self.progress.started);
        out.push(MachineAction::Log(LogLevel::Info, texts::recycling(&at.config.identity.name, ran)));
        self.progress.recycling = Recycling::UnderWay;
        self.stop_for(StopDecision::restart(StopCause::RecycleAfter(ran)), at, out);
    }

    /// Stops it, because it has run for as long as it may.
    pub(super) fn end_run(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let ran = at.now.mono.saturating_sub(self.progress.started);
        out.push(MachineAction::Log(LogLevel::Info, texts::time_is_up(&at.config.identity.name, ran)));
        let then = if RestartPolicy::of(at.config).renews() { AfterStop::Restart } else { AfterStop::Rest };
        self.stop_for(StopDecision { cause: StopCause::MaxRuntime(ran), then }, at, out);
    }

    pub(super) fn ended(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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
    pub(super) fn ended_unreachable(
        &mut self,
        status: ExitStatus,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let expected = self.exited(status, at, out);
        out.push(MachineAction::Log(LogLevel::Warn, texts::exited(&at.config.identity.name, status, expected)));
    }

    /// It exited by itself. Returns whether that is expected.
    pub(super) fn exited(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) -> bool {
        let pid = self.progress.pid;
        let expected = ExitRule::of(at.config).expects(status);
        self.gone(status, if expected { EndJudgement::Expected } else { EndJudgement::Unexpected }, at, out);
        self.note_exit(status);
        self.enter(ProcessPhase::Exited, StateDetail::Exit { expected, pid }, out);
        expected
    }

    pub(super) fn restart(
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

    pub(super) fn stop(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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

    pub(super) fn follow_stop_plan(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.stop_step = 0;
        let plan = StopPlan::of(at.config);
        let measure = plan.step(0);
        out.extend(self.step_line(&plan, &measure, at));
        match measure {
            StopMeasure::Signal(StopSignal { signal, scope, wait }) => {
                out.push(self.killing(signal, scope, at));
                self.enter(ProcessPhase::Stopping, StateDetail::Pid(self.progress.pid), out);
                self.progress.timers.set(Timer::NextStopStep, at.now.mono + wait);
                out.push(MachineAction::Signal { signal, scope });
            }
            StopMeasure::Command { wait, .. } => {
                self.enter(ProcessPhase::Stopping, StateDetail::Pid(self.progress.pid), out);
                self.run_stop_command(wait, at, out);
            }
        }
    }

    /// The step ends with a report of the command, which comes when its time has passed, if not before.
    fn run_stop_command(&mut self, wait: Duration, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.timers.set(Timer::NextStopStep, at.now.mono.saturating_add(wait).saturating_add(PATIENCE));
        out.push(MachineAction::Run(ProgramCommand::StopStep));
    }

    /// The command of a step has ended: the program has the rest of the time to exit, but not where the command has failed.
    pub(super) fn stop_command_ended(
        &mut self,
        result: &Result<(), String>,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let measure = StopPlan::of(at.config).step(self.progress.stop_step);
        let (StopMeasure::Command { .. }, Some(due)) = (measure, self.progress.timers.get(Timer::NextStopStep)) else {
            return;
        };
        match result {
            Ok(()) => self.progress.timers.set(Timer::NextStopStep, due.saturating_sub(PATIENCE).max(at.now.mono)),
            Err(_) => self.take_next_stop_step(at, out),
        }
    }

    pub(super) fn take_next_stop_step(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let plan = StopPlan::of(at.config);
        self.progress.stop_step = plan.after(self.progress.stop_step);
        let measure = plan.step(self.progress.stop_step);
        out.extend(self.step_line(&plan, &measure, at));
        let StopSignal { signal, scope, wait } = match measure {
            StopMeasure::Signal(signal) => signal,
            StopMeasure::Command { wait, .. } => return self.run_stop_command(wait, at, out),
        };
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

    /// The line about a step of a stop sequence; none for SIGKILL, of which there is a warning, and where none is configured.
    fn step_line(&self, plan: &StopPlan, measure: &StopMeasure, at: MachineContext<'_>) -> Option<MachineAction> {
        let signal = match measure {
            _ if !plan.is_sequence() => return None,
            StopMeasure::Signal(StopSignal { signal: SIGKILL, .. }) => return None,
            StopMeasure::Signal(StopSignal { signal, .. }) => Some(*signal),
            StopMeasure::Command { .. } => None,
        };
        let number = self.progress.stop_step.saturating_add(1);
        let line = texts::stop_step(&at.config.identity.name, number, signal, measure.wait());
        Some(MachineAction::Log(LogLevel::Info, line))
    }

    pub(super) fn killing(&self, signal: i32, scope: KillScope, at: MachineContext<'_>) -> MachineAction {
        MachineAction::Log(LogLevel::Debug, texts::killing(&at.config.identity.name, self.progress.pid, signal, scope))
    }

    /// Other processes may have been signalled since this signal was decided.
    pub(super) fn wait_since_signal(&mut self, at: MachineContext<'_>) {
        let waited_for = at.now.mono + StopPlan::of(at.config).step(self.progress.stop_step).wait();
        if let Some(due) = self.progress.timers.get(Timer::NextStopStep) {
            self.progress.timers.set(Timer::NextStopStep, due.max(waited_for));
        }
    }

    pub(super) fn stopped(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let pid = self.progress.pid;
        let judgement = match self.progress.stop_decision.as_ref().map(|decision| &decision.cause) {
            Some(StopCause::Unhealthy(_)) => EndJudgement::Unhealthy,
            _ => EndJudgement::Stopped,
        };
        self.gone(status, judgement, at, out);
        self.note_exit(status);
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(pid), out);
        let expected = ExitRule::of(at.config).expects(status);
        let level = if expected { LogLevel::Info } else { LogLevel::Warn };
        out.push(MachineAction::Log(level, texts::stopped(&at.config.identity.name, status)));
    }

    pub(super) fn note_exit(&mut self, status: ExitStatus) {
        self.progress.exit_status = Some(status.number());
        self.progress.exit_signal = status.signal();
    }

    pub(super) fn gone(
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
            stop_decision: self.progress.stop_decision.clone(),
            lived: Duration::from_millis(at.died.mono.saturating_sub(self.progress.started).as_millis() as u64),
            traces: EndTraces::default(),
        }));
        out.push(MachineAction::EndCommands);
        if HookPlan::of(at.config).has(ProgramCommand::PostStop) {
            out.push(MachineAction::Run(ProgramCommand::PostStop));
        }
    }
}
