//! Rolling restarts: some processes at a time, the next when those are ready. The first that fails ends it, and what has not been
//! restarted goes on as it is.

use std::collections::BTreeMap;

use supervisord_config::model::LogLevel;

use super::job::{Goal, ReplyForm};
use super::rolling_turn::RollingTurn;
use super::{CallId, Effect, ProcessId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::event::ProcessName;
use crate::last_request::RequestedAction;
use crate::parallelism::Parallelism;
use crate::process::MachineInput;
use crate::scope::ProgramScope;
use crate::time::Now;

/// How a process that is being restarted has fared.
enum Fate {
    Ready,
    Pending,
    /// Why it will not be ready.
    Failed(String),
}

impl Supervisor {
    /// Begins a rolling restart of these processes, for which the job of the call waits.
    pub(super) fn begin_rolling(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        processes: Vec<ProcessName>,
        parallelism: Parallelism,
    ) {
        self.open_job(call, ReplyForm::Array);
        let ids = self.named(call, scope, processes);
        let ids = self.dependencies.in_order(ids);
        let parallel = parallelism.of(ids.len());
        let line = format!("rolling restart of {} processes, {parallel} at a time", ids.len());
        self.log(LogLevel::Info, line);
        // The number is that of nobody who is there.
        let rollout = self.rollouts.keys().next_back().map_or(0, |last| last + 1);
        for (place, id) in ids.into_iter().enumerate() {
            self.add_item(call, id, Goal::Roll);
            self.leave_rollout(id);
            self.set_turn(id, Some(RollingTurn { rollout, parallel, place, is_under_way: false }));
            self.rollouts.entry(rollout).or_default().insert(id);
        }
        self.rolled_by = self.asker.clone();
        self.advance_rollouts(now);
    }

    /// Goes on with rolling restarts, as far as the processes of them are ready.
    pub(super) fn advance_rollouts(&mut self, now: Now) {
        // Before it is known which children are left, none can be stopped.
        if self.rollouts.is_empty() || self.rechecks_waiting {
            return;
        }
        if self.is_ending() {
            for id in std::mem::take(&mut self.rollouts).into_values().flatten() {
                self.set_turn(id, None);
                self.answer_rolling(id, &Err(Refusal::new(Reason::ShuttingDown)));
            }
            return;
        }
        for rollout in self.rollouts.keys().copied().collect::<Vec<_>>() {
            self.advance_rollout(now, rollout);
        }
        self.rollouts.retain(|_, members| !members.is_empty());
    }

    fn advance_rollout(&mut self, now: Now, rollout: u64) {
        let Some(members) = self.rollouts.get(&rollout) else { return };
        let turn = |id: &ProcessId| Some((self.members.get(id)?.rolling?, *id));
        let turns: Vec<(RollingTurn, ProcessId)> = members.iter().filter_map(turn).collect();
        let (begun, waiting): (Vec<_>, Vec<_>) = turns.into_iter().partition(|(turn, _)| turn.is_under_way);
        let mut away = 0;
        let mut failed = None;
        for (_, id) in begun {
            match self.fate(id) {
                Fate::Pending => away += 1,
                Fate::Ready => self.finish_rolling(rollout, id, Ok(())),
                Fate::Failed(why) => {
                    let name = self.member_name(id);
                    let refusal = Refusal::with(Reason::AbnormalTermination, format!("{name}: {why}"));
                    self.finish_rolling(rollout, id, Err(refusal));
                    failed = failed.or(Some(format!("{name}: {why}")));
                }
            }
        }
        let mut waiting: BTreeMap<usize, (RollingTurn, ProcessId)> =
            waiting.into_iter().map(|(turn, id)| (turn.place, (turn, id))).collect();
        if let Some(failed) = failed {
            return self.end_rollout(rollout, &failed, waiting.into_values().map(|(_, id)| id).collect());
        }
        while let Some((_, (turn, id))) = waiting.pop_first() {
            if away >= turn.parallel {
                return;
            }
            away += 1;
            self.set_turn(id, Some(RollingTurn { is_under_way: true, ..turn }));
            self.restart_in_turn(now, id);
        }
        if away == 0 {
            self.log(LogLevel::Info, "rolling restart: all are ready");
        }
    }

    fn restart_in_turn(&mut self, now: Now, id: ProcessId) {
        let Some(member) = self.members.get(&id) else { return };
        let machine = &member.machine;
        let is_replaced = machine.is_alive() || machine.can_be_stopped() && machine.is_recycled();
        let can_be_stopped = machine.can_be_stopped();
        let by = format!("{}, in a rolling restart", self.rolled_by);
        self.cancel_listener_restart(id);
        self.note_request(id, RequestedAction::Restart, &by);
        if is_replaced {
            self.log_dependents_beside(&[id]);
            return self.drive_machine(now, id, MachineInput::Recycle);
        }
        if can_be_stopped {
            self.drive_machine(now, id, MachineInput::Stop);
        }
        self.start_with_dependencies(now, id, &by);
    }

    fn fate(&self, id: ProcessId) -> Fate {
        let Some(member) = self.members.get(&id) else { return Fate::Ready };
        let machine = &member.machine;
        if machine.is_up() || machine.has_completed() {
            return Fate::Ready;
        }
        if machine.has_failed() {
            return Fate::Failed(machine.failed_start(&member.config).unwrap_or_else(|| "it did not start".to_owned()));
        }
        if self.dependencies.waits_in_vain(id) && machine.awaits_dependencies() {
            return Fate::Failed("it waits in vain for what it depends on".to_owned());
        }
        if member.is_at_rest() {
            return Fate::Failed(format!("it is {}", machine.state()));
        }
        Fate::Pending
    }

    /// Ends a rolling restart at its first failure.
    fn end_rollout(&mut self, rollout: u64, failed: &str, waiting: Vec<ProcessId>) {
        let names: Vec<String> = waiting.iter().map(|id| self.member_name(*id)).collect();
        let left = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        self.log(LogLevel::Warn, format!("rolling restart: stopped at {failed}; not restarted: {left}"));
        for (id, name) in waiting.into_iter().zip(names) {
            let text = format!("{name}: not restarted, because the rolling restart stopped at {failed}");
            self.finish_rolling(rollout, id, Err(Refusal::with(Reason::Failed, text)));
        }
    }

    fn finish_rolling(&mut self, rollout: u64, id: ProcessId, result: Result<(), Refusal>) {
        if let Some(members) = self.rollouts.get_mut(&rollout) {
            members.remove(&id);
        }
        self.set_turn(id, None);
        self.answer_rolling(id, &result);
    }

    fn answer_rolling(&mut self, id: ProcessId, result: &Result<(), Refusal>) {
        for call in self.calls_with(id, |goal| *goal == Goal::Roll) {
            self.finish_item(call, id, result.clone());
        }
    }

    /// A process is removed, or takes part in another rolling restart.
    pub(super) fn leave_rollout(&mut self, id: ProcessId) {
        for members in self.rollouts.values_mut() {
            members.remove(&id);
        }
    }

    /// Has it kept where a process stands in a rolling restart.
    fn set_turn(&mut self, id: ProcessId, turn: Option<RollingTurn>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.rolling != turn {
            member.rolling = turn;
            self.effects.push_back(Effect::PublishRow(id));
        }
    }

    /// Goes on with the rolling restarts of another supervisor.
    pub(super) fn resume_rollouts(&mut self) {
        for (id, member) in &self.members {
            if let Some(turn) = member.rolling {
                self.rollouts.entry(turn.rollout).or_default().insert(*id);
                self.rolled_by = "the daemon before".into();
            }
        }
    }
}
