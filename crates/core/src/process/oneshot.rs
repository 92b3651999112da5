//! How a program that does its work and ends, ends.

use supervisord_config::model::LogLevel;

use super::exit_rule::ExitRule;
use super::failure::ProcessFailure;
use super::last_end::EndJudgement;
use super::phase::{ProcessPhase, Timer};
use super::restart_policy::RestartPolicy;
use super::state_detail::StateDetail;
use super::stop_decision::{StopCause, StopDecision};
use super::{Machine, MachineAction, MachineContext};
use crate::exit_status::ExitStatus;
use crate::texts;

impl Machine {
    /// It has been alive for `startsecs`, and goes on until it ends.
    pub(super) fn run_to_end(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        self.enter(ProcessPhase::RunningToEnd, StateDetail::None, out);
        if let Some(runtime) = RestartPolicy::of(at.config).runtime() {
            self.progress.timers.set(Timer::EndOfRun, self.progress.started.saturating_add(runtime));
        }
    }

    /// It ended by itself: it has done its work, or its start has failed.
    pub(super) fn oneshot_ended(&mut self, status: ExitStatus, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        if !ExitRule::of(at.config).expects(status) {
            return self.oneshot_failed(ProcessFailure::BadExit(status.number()), status, at, out);
        }
        let pid = self.progress.pid;
        self.come_up(at, out);
        self.gone(status, EndJudgement::Expected, at, out);
        self.note_exit(status);
        self.progress.quick_ends = 0;
        self.enter(ProcessPhase::Completed, StateDetail::Exit { expected: true, pid }, out);
        out.push(MachineAction::Log(LogLevel::Info, texts::exited(&at.config.identity.name, status, true)));
    }

    /// It has not done its work, and is tried again where it may be.
    pub(super) fn oneshot_failed(
        &mut self,
        failure: ProcessFailure,
        status: ExitStatus,
        at: MachineContext<'_>,
        out: &mut Vec<MachineAction>,
    ) {
        let pid = self.progress.pid;
        self.gone(status, EndJudgement::Unexpected, at, out);
        self.note_exit(status);
        let line = texts::exited(&at.config.identity.name, status, false);
        if RestartPolicy::of(at.config).renews() {
            return self.fail_to_start(failure, Some(line), at, out);
        }
        self.progress.failure = Some(failure);
        self.enter(ProcessPhase::Exited, StateDetail::Exit { expected: false, pid }, out);
        out.push(MachineAction::Log(LogLevel::Warn, line));
    }

    /// Stops it, because it has not ended within the time that it may take.
    pub(super) fn fail_to_end(&mut self, at: MachineContext<'_>, out: &mut Vec<MachineAction>) {
        let ran = at.now.mono.saturating_sub(self.progress.started);
        out.push(MachineAction::Log(LogLevel::Info, texts::time_is_up(&at.config.identity.name, ran)));
        let limit = RestartPolicy::of(at.config).runtime().unwrap_or(ran);
        let failure = ProcessFailure::not_finished(limit);
        self.stop_for(StopDecision::restart(StopCause::NotFinished(failure.to_string())), at, out);
    }
}
