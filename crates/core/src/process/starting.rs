//! How a process comes up, or fails to.

use std::time::Duration;

use supervisord_config::model::LogLevel;

use super::environment_plan::EnvironmentPlan;
use super::failure::ProcessFailure;
use super::last_end::EndJudgement;
use super::phase::{ProcessPhase, Timer, Wanted};
use super::program_command::{HookPlan, ProgramCommand};
use super::readiness::ReadinessRule;
use super::restart_policy::{GaveUp, RestartPolicy};
use super::restarts::Restarts;
use super::state_detail::StateDetail;
use super::stop_decision::{StopCause, StopDecision};
use super::{Machine, MachineAction, MachineContext, MachineInput};
use crate::exit_status::ExitStatus;
use crate::texts;
use crate::time::{is_noticed_late, seconds};

/// How long a program can be getting ready, or stopping, because it asks for more time. An option of its own may allow more.
pub(super) const MOST_EXTENDED: Duration = Duration::from_secs(60 * 60);

impl Machine {
    pub(super) fn start(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let number = if self.is_between_lives() { self.progress.restarts.number.saturating_add(1) } else { 0 };
        self.progress.wanted = Wanted::Up;
        self.progress.attempts = 0;
        self.progress.restarts = Restarts::anew(number);
        self.progress.failure = None;
        self.spawn(at, out);
    }

    /// Starts it as if somebody had asked for it.
    pub(super) fn start_anew(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.restarts = Restarts::anew(self.progress.restarts.number.saturating_add(1));
        self.spawn(at, out);
    }

    /// Spawns the child, or waits until its dependencies and the number of programs that are starting allow it.
    pub(super) fn spawn(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.stop_decision = None;
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
        self.progress.last_chance = None;
        self.progress.service_status = None;
        self.progress.started = at.now.mono;
        self.progress.last_start = at.now.epoch();
        self.progress.environment_step = 0;
        if HookPlan::of(at.config).has(ProgramCommand::PreStart) {
            self.enter(ProcessPhase::PreStart, StateDetail::Tries(self.progress.attempts), out);
            out.push(MachineAction::Run(ProgramCommand::PreStart));
        } else {
            self.complete_environment(at, out);
        }
    }

    /// Asks the next command about the environment, or makes the child when all have told.
    fn complete_environment(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let next = self.progress.environment_step.saturating_add(1);
        if EnvironmentPlan::of(at.config).question(next).is_none() {
            return self.make_child(out);
        }
        self.progress.environment_step = next;
        self.enter(ProcessPhase::PreStart, StateDetail::Tries(self.progress.attempts), out);
        out.push(MachineAction::Run(ProgramCommand::Environment));
    }

    pub(super) fn make_child(&mut self, out: &mut Vec<MachineAction>) {
        self.enter(ProcessPhase::Spawning, StateDetail::Tries(self.progress.attempts), out);
        out.push(MachineAction::Spawn);
    }

    /// A command that runs before the child has ended well.
    fn go_on_before_child(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        match at.dependencies_met {
            // The shutdown stops it when it reaches its group.
            _ if !at.supervising => {}
            true => self.complete_environment(at, out),
            // All commands run again when the dependencies are met again.
            false => self.enter(ProcessPhase::AwaitingDependencies, StateDetail::None, out),
        }
    }

    pub(super) fn pre_start_ended(
        &mut self,
        result: Result<(), String>,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        match result {
            Ok(()) => self.go_on_before_child(at, out),
            Err(reason) => self.fail_before_child(texts::command_failed(ProgramCommand::PreStart, &reason), at, out),
        }
    }

    /// A command has told what is to be in the environment, or has not.
    pub(super) fn environment_told(
        &mut self,
        result: Result<(), String>,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        match result {
            Ok(()) => self.go_on_before_child(at, out),
            Err(reason) => {
                let question = EnvironmentPlan::of(at.config).question(self.progress.environment_step);
                let name = question.map_or_else(|| ProgramCommand::Environment.to_string(), |asked| asked.to_string());
                self.fail_before_child(texts::command_failed(name, &reason), at, out);
            }
        }
    }

    fn fail_before_child(&mut self, reason: String, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.attempted(at);
        out.push(MachineAction::Log(LogLevel::Info, texts::spawn_error(&reason)));
        self.fail_to_start(ProcessFailure::NotSpawned(reason), None, at, out);
    }

    /// Stops it while the hook before its start runs, which is ended.
    pub(super) fn stop_pre_start(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::Log(LogLevel::Info, texts::stopped_in_pre_start(&at.config.identity.name)));
        out.push(MachineAction::EndCommands);
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(0), out);
    }

    /// A start was tried: one that the system did not allow to try does not count.
    pub(super) fn attempted(&mut self, at: MachineContext<'_>) {
        if !std::mem::take(&mut self.progress.restarts.anew) {
            RestartPolicy::of(at.config).note(&mut self.progress.restarts, at.now.mono);
        }
    }

    pub(super) fn spawned(&mut self, pid: u32, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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
    pub(super) fn settled(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if at.config.is_oneshot() {
            self.run_to_end(at, out);
        } else if self.must_get_ready(at) {
            self.enter(ProcessPhase::GettingReady, StateDetail::None, out);
        } else {
            self.succeed(at, out);
        }
    }

    /// Whether it must say that it is ready, and has not.
    pub(super) fn must_get_ready(&self, at: MachineContext<'_>) -> bool {
        !self.progress.ready && ReadinessRule::of(at.config).sign().is_some()
    }

    /// It is ready before it has been alive for `startsecs`.
    pub(super) fn ready_early(&mut self) {
        self.progress.ready = true;
        self.progress.timers.clear(Timer::ReadyTimeout);
    }

    /// Puts a timer off, if it is set and due before, up to [`MOST_EXTENDED`] after the state was entered.
    pub(super) fn extend(&mut self, timer: Timer, time: Duration, at: MachineContext<'_>) {
        if let Some(due) = self.progress.timers.get(timer) {
            let in_state = u64::try_from(at.now.epoch().saturating_sub(self.progress.since)).unwrap_or(0);
            let most = MOST_EXTENDED.saturating_sub(Duration::from_secs(in_state));
            let until = at.now.mono.saturating_add(time.min(most));
            self.progress.timers.set(timer, due.max(until));
            // Its time to get ready may have been over. It is not any more.
            if timer == Timer::ReadyTimeout && until > at.now.mono {
                self.progress.last_chance = None;
            }
        }
    }

    pub(super) fn become_ready(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.ready = true;
        self.succeed(at, out);
    }

    /// It should have been ready by this moment. Where nobody could look at that moment, it is judged a little later.
    pub(super) fn ready_time_over(
        &mut self,
        by: Option<Duration>,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let by = by.unwrap_or(at.now.mono);
        let rule = ReadinessRule::of(at.config);
        let is_missed = at.owes_probe || is_noticed_late(by, at.now.mono);
        if self.progress.last_chance.is_some() || !is_missed {
            return self.fail_to_get_ready(&rule, self.progress.last_chance.unwrap_or(by), at, out);
        }
        self.progress.last_chance = Some(by);
        self.progress.timers.set(Timer::ReadyTimeout, at.now.mono + rule.last_chance());
        let late = at.now.mono.saturating_sub(by);
        // A probe may just have been due as well.
        let level = if is_noticed_late(by, at.now.mono) { LogLevel::Info } else { LogLevel::Debug };
        out.push(MachineAction::Log(level, texts::last_chance(&at.config.identity.name, late)));
    }

    /// Stops it, because it was not ready by this moment.
    fn fail_to_get_ready(
        &mut self,
        rule: &ReadinessRule<'_>,
        by: Duration,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let Some(sign) = rule.sign() else { return };
        let waited = by.saturating_sub(self.progress.started);
        let failure = ProcessFailure::not_ready(waited, sign, at.trouble);
        out.push(MachineAction::Log(LogLevel::Warn, texts::not_ready(&at.config.identity.name, &failure)));
        self.stop_for(StopDecision::restart(StopCause::NotReady(failure.to_string())), at, out);
    }

    /// Carries out a stop that was requested during the spawn.
    pub(super) fn apply_pending_stop(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if let Some(decision) = self.progress.stop_decision.take() {
            out.extend(self.handle(MachineInput::Intervene(StopDecision::clone(&decision)), at));
        }
    }

    pub(super) fn succeed(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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

    pub(super) fn come_up(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.attempts = 0;
        self.enter(ProcessPhase::Up, StateDetail::Pid(self.progress.pid), out);
        self.watch_health(at.config, at.now.mono);
        let policy = RestartPolicy::of(at.config);
        if let Some(runtime) = policy.recycled_after(at.random).or(policy.runtime()) {
            self.progress.timers.set(Timer::EndOfRun, self.progress.started + runtime);
        }
    }

    pub(super) fn is_too_quick(&self, at: MachineContext<'_>) -> bool {
        at.died.mono.saturating_sub(self.progress.started) < seconds(at.config.start.startsecs)
    }

    pub(super) fn ended_too_early(
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
            | ProcessFailure::NotFinished(_)
            | ProcessFailure::Unhealthy(_)
            | ProcessFailure::BadExit(_) => EndJudgement::TooQuick,
        };
        self.gone(status, judgement, at, out);
        let line = texts::exited(&at.config.identity.name, status, false);
        self.fail_to_start(failure, Some(line), at, out);
    }

    /// A start has failed: the next attempt comes later, or never. `line` is the log line.
    pub(super) fn fail_to_start(
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

    pub(super) fn delayed(&self, wait: Duration, at: MachineContext<'_>) -> MachineAction {
        let failures = self.progress.restarts.failures;
        MachineAction::Log(LogLevel::Info, texts::restart_delayed(&at.config.identity.name, wait, failures))
    }

    pub(super) fn delay_start(&mut self, reason: String, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.progress.failure = Some(ProcessFailure::NotSpawned(reason));
        self.back_off(Some(RestartPolicy::of(at.config).after_no_answer()), at, out);
    }

    pub(super) fn back_off(&mut self, wait: Option<Duration>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.enter(ProcessPhase::BackingOff, StateDetail::Tries(self.progress.attempts), out);
        if let Some(wait) = wait {
            self.progress.timers.set(Timer::Retry, at.now.mono + wait);
        }
    }

    /// Gives it up, for a reason that is logged where it is not the shutdown.
    pub(super) fn give_up(&mut self, reason: Option<GaveUp>, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
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

    pub(super) fn stop_waiting(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let line = texts::stopped_waiting(&at.config.identity.name, self.awaits_turn());
        out.push(MachineAction::Log(LogLevel::Info, line));
        let is_new = self.progress.last_start == 0;
        self.enter(if is_new { ProcessPhase::NeverStarted } else { ProcessPhase::Stopped }, StateDetail::Pid(0), out);
    }

    pub(super) fn stop_retrying(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        out.push(MachineAction::Log(LogLevel::Debug, texts::stop_in_backoff(&at.config.identity.name)));
        self.enter(ProcessPhase::Stopped, StateDetail::Pid(0), out);
    }
}
