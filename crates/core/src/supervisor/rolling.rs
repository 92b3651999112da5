//! Rolling restarts: some processes at a time, the next when those are ready. The first that fails ends it, and what has not been
//! restarted goes on as it is.

use std::collections::BTreeMap;

use supervisord_config::model::LogLevel;

use super::job::{Goal, ReplyForm};
use super::rolling_turn::RollingTurn;
use super::rollout::Rollout;
use super::{CallId, Effect, ProcessId, Supervisor};
use crate::call::{Reason, Refusal};
use crate::event::ProcessName;
use crate::last_request::RequestedAction;
use crate::parallelism::Parallelism;
use crate::process::MachineInput;
use crate::scope::ProgramScope;
use crate::time::Now;

/// Who asked for rolling restarts that another daemon has begun.
const DAEMON_BEFORE: &str = "the daemon before";

/// How a process that is being restarted has fared.
enum Fate {
    Ready,
    Pending,
    /// Why it will not be ready.
    Failed(String),
}

impl Supervisor {
    /// Begins a rolling restart of these processes, for which the job of the call waits.
    ///
    /// # Errors
    /// One of them takes part in another one: together, the two could have more processes away than either may.
    pub(super) fn begin_rolling(
        &mut self,
        now: Now,
        call: CallId,
        scope: &ProgramScope,
        processes: Vec<ProcessName>,
        parallelism: Parallelism,
    ) -> Result<(), Refusal> {
        let mut named = processes.iter().filter_map(|name| self.find(&name.group, &name.process));
        if let Some(id) = named.find(|id| self.members.get(id).is_some_and(|member| member.rolling.is_some())) {
            return Err(Refusal::with(Reason::UnderWay, self.rolls_already(id)));
        }
        self.open_job(call, ReplyForm::Array);
        let ids = self.named(call, scope, processes);
        let (disabled, ids): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.is_disabled(*id));
        for id in disabled {
            // Refused.
            self.begin_start(call, id, true);
        }
        let ids = self.dependencies.in_order(ids);
        let parallel = parallelism.of(ids.len());
        let noun = if ids.len() == 1 { "process" } else { "processes" };
        let by = self.asker.clone();
        let line = format!("rolling restart of {} {noun}, {parallel} at a time, requested by {by}", ids.len());
        self.log(LogLevel::Info, line);
        // The number is that of nobody who is there.
        let number = self.rollouts.keys().next_back().map_or(0, |last| last + 1);
        let mut rollout = Rollout::new(by);
        for (place, id) in ids.into_iter().enumerate() {
            self.add_item(call, id, Goal::Roll);
            let turn = RollingTurn { rollout: number, parallel, place, is_under_way: false, has_failed: false };
            self.set_turn(id, Some(turn));
            rollout.members.insert(id);
        }
        if !rollout.members.is_empty() {
            self.rollouts.insert(number, rollout);
        }
        self.advance_rollouts(now);
        Ok(())
    }

    /// Why a process cannot take part in another rolling restart.
    fn rolls_already(&self, id: ProcessId) -> String {
        let turn = self.members.get(&id).and_then(|member| member.rolling);
        let by = turn.and_then(|turn| self.rollouts.get(&turn.rollout)).map(|rollout| rollout.by.clone());
        let by = by.unwrap_or_default();
        let name = self.member_name(id);
        format!(
            "{name} takes part in a rolling restart that was requested by {by} and is under way: wait until it has ended, or stop \
             the program that restarts now, which ends it"
        )
    }

    /// Goes on with rolling restarts, as far as the processes of them are ready.
    pub(super) fn advance_rollouts(&mut self, now: Now) {
        // Before it is known which children are left, none can be stopped.
        if self.rollouts.is_empty() || self.rechecks_waiting {
            return;
        }
        if self.is_ending() {
            for id in std::mem::take(&mut self.rollouts).into_values().flat_map(|rollout| rollout.members) {
                self.set_turn(id, None);
                self.answer_rolling(id, &Err(Refusal::new(Reason::ShuttingDown)));
            }
            return;
        }
        for rollout in self.rollouts.keys().copied().collect::<Vec<_>>() {
            self.advance_rollout(now, rollout);
        }
        self.rollouts.retain(|_, rollout| !rollout.members.is_empty());
    }

    fn advance_rollout(&mut self, now: Now, number: u64) {
        let Some(rollout) = self.rollouts.get(&number) else { return };
        let has_failed = rollout.has_failed;
        let turn = |id: &ProcessId| Some((self.members.get(id)?.rolling?, *id));
        let turns: Vec<(RollingTurn, ProcessId)> = rollout.members.iter().filter_map(turn).collect();
        let (begun, waiting): (Vec<_>, Vec<_>) = turns.into_iter().partition(|(turn, _)| turn.is_under_way);
        let mut away = 0;
        let mut failed = None;
        for (_, id) in begun {
            match self.fate(id) {
                Fate::Pending => away += 1,
                Fate::Ready => self.finish_rolling(number, id, Ok(())),
                Fate::Failed(why) => {
                    let name = self.member_name(id);
                    let refusal = Refusal::with(Reason::AbnormalTermination, format!("{name}: {why}"));
                    self.finish_rolling(number, id, Err(refusal));
                    failed = failed.or(Some(format!("{name}: {why}")));
                }
            }
        }
        let mut waiting: BTreeMap<usize, (RollingTurn, ProcessId)> =
            waiting.into_iter().map(|(turn, id)| (turn.place, (turn, id))).collect();
        match failed {
            Some(failed) if has_failed => return self.log(LogLevel::Warn, format!("rolling restart: {failed}")),
            Some(failed) => {
                return self.end_rollout(number, &failed, waiting.into_values().map(|(_, id)| id).collect());
            }
            None => {}
        }
        while let Some((_, (turn, id))) = waiting.pop_first() {
            if away >= turn.parallel {
                return;
            }
            away += 1;
            self.set_turn(id, Some(RollingTurn { is_under_way: true, ..turn }));
            self.restart_in_turn(now, number, id);
        }
        if away == 0 && !has_failed {
            self.log(LogLevel::Info, "rolling restart: all are ready");
        }
    }

    fn restart_in_turn(&mut self, now: Now, rollout: u64, id: ProcessId) {
        let by = self.rollouts.get(&rollout).map(|rollout| rollout.by.clone()).unwrap_or_default();
        let Some(member) = self.members.get(&id) else { return };
        let machine = &member.machine;
        let is_replaced = machine.is_alive() || machine.can_be_stopped() && machine.is_recycled();
        let can_be_stopped = machine.can_be_stopped();
        let by = format!("{by}, in a rolling restart");
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
        if let Some(failure) = machine.failure() {
            return Fate::Failed(machine.failed_start(&member.config).unwrap_or_else(|| failure.in_sentence()));
        }
        if self.dependencies.waits_in_vain(id) && machine.awaits_dependencies() {
            return Fate::Failed("it waits in vain for what it depends on".to_owned());
        }
        if member.is_at_rest() {
            return Fate::Failed(format!("it was stopped and is {}", machine.state()));
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
        let Some(rollout) = self.rollouts.get_mut(&rollout) else { return };
        rollout.has_failed = true;
        for id in rollout.members.clone() {
            let turn = self.members.get(&id).and_then(|member| member.rolling);
            self.set_turn(id, turn.map(|turn| RollingTurn { has_failed: true, ..turn }));
        }
    }

    fn finish_rolling(&mut self, rollout: u64, id: ProcessId, result: Result<(), Refusal>) {
        if let Some(rollout) = self.rollouts.get_mut(&rollout) {
            rollout.members.remove(&id);
        }
        self.set_turn(id, None);
        self.answer_rolling(id, &result);
    }

    fn answer_rolling(&mut self, id: ProcessId, result: &Result<(), Refusal>) {
        for call in self.calls_with(id, |goal| *goal == Goal::Roll) {
            self.finish_item(call, id, result.clone());
        }
    }

    /// A process is removed. One that has not become ready again ends its rolling restart, whose others could not tell when it is.
    pub(super) fn leave_rollout(&mut self, id: ProcessId) {
        let Some(turn) = self.members.get(&id).and_then(|member| member.rolling) else { return };
        let Some(rollout) = self.rollouts.get_mut(&turn.rollout) else { return };
        rollout.members.remove(&id);
        if turn.is_under_way && !rollout.has_failed {
            let is_waiting = |id: &&ProcessId| {
                let turn = self.members.get(id).and_then(|member| member.rolling);
                turn.is_some_and(|turn| !turn.is_under_way)
            };
            let waiting = rollout.members.iter().filter(is_waiting).copied().collect();
            let name = self.member_name(id);
            self.end_rollout(turn.rollout, &format!("{name}: it was removed"), waiting);
        }
    }

    /// A process is disabled: the rolling restart goes on without it.
    pub(super) fn drop_from_rollout(&mut self, id: ProcessId) {
        if self.members.get(&id).is_none_or(|member| member.rolling.is_none()) {
            return;
        }
        self.leave_rollout(id);
        self.set_turn(id, None);
        if let Some(refusal) = self.refusal_of_disabled(id) {
            self.answer_rolling(id, &Err(refusal));
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
                let rollout = self.rollouts.entry(turn.rollout).or_insert_with(|| Rollout::new(DAEMON_BEFORE.into()));
                rollout.members.insert(*id);
                rollout.has_failed |= turn.has_failed;
            }
        }
    }
}
