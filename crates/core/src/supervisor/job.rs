//! A call that takes time, and what it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::messages::{CallId, ProcessId};
use crate::call::Status;
use crate::event::ProcessName;
use crate::process::ProcessPhase;
use crate::update_plan::UpdatePlan;

/// How often a slow stop is reported in the activity log.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(2);

/// A call that waits for one or more processes.
pub(super) struct Job {
    pub(super) call: CallId,
    /// Who asks.
    pub(super) by: Arc<str>,
    pub(super) shape: ReplyForm,
    /// What is being done, for [`ReplyForm::Plan`].
    pub(super) plan: Option<Box<UpdatePlan>>,
    /// What is waited for, by process.
    pub(super) open: BTreeMap<ProcessId, Item>,
    /// What is enabled that no active group has.
    pub(super) absent: Vec<ProcessName>,
    /// In the order in which the items finished.
    pub(super) done: Vec<Status>,
    /// No slow stop has to be reported before. It is not moved when an item finishes, which would take a look at all others.
    pub(super) next_report: Option<Duration>,
}

/// The form of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyForm {
    /// Done, or the refusal of the only item, with the process named as in the request.
    Single,
    /// The result of each item.
    Array,
    /// The plan that has been carried out.
    Plan,
}

/// A process that a job waits for.
pub(super) struct Item {
    /// How many items there were before it.
    pub(super) number: usize,
    /// The name in refusals.
    pub(super) name: String,
    pub(super) goal: Goal,
    /// How far its start had got when it was looked at last; none where it is not being started.
    pub(super) start_phase: Option<ProcessPhase>,
    /// When "waiting for NAME to stop" was last logged.
    pub(super) reported: Duration,
}

/// What an item waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The check of the command; then the process is started.
    Check { wait: bool },
    /// The spawn of the child.
    Spawn { wait: bool },
    /// The end of the child, after which another one is spawned.
    Replace,
    /// The RUNNING state, or the failure to reach it.
    Run,
    /// The stop of the processes that depend on it; then it is stopped.
    Turn,
    /// The stop signal.
    Kill { wait: bool },
    /// A stopped state.
    Stop,
    /// The stop by an update, and the start with its new definition where it has one.
    Renew,
    /// Its turn in a rolling restart, and that it is ready again.
    Roll,
    /// That it is stored that it is disabled or enabled.
    Store,
    /// The signal.
    Signal,
    /// The command that reloads it.
    Reload,
    /// The write to stdin.
    Feed,
    /// The clearing of the logs.
    Clear,
}

impl Item {
    /// When its stop is reported next, where it waits for one.
    fn next_report(&self) -> Option<Duration> {
        (self.goal == Goal::Stop).then_some(self.reported + REPORT_EVERY)
    }
}

impl Job {
    /// A call without items.
    pub(super) fn new(call: CallId, by: Arc<str>, shape: ReplyForm) -> Job {
        Job {
            call,
            by,
            shape,
            plan: None,
            open: BTreeMap::new(),
            absent: Vec::new(),
            done: Vec::new(),
            next_report: None,
        }
    }

    /// Sets the goal of an item, and when it was last reported, where that is now.
    pub(super) fn set_goal(&mut self, process: ProcessId, goal: Goal, reported: Option<Duration>) {
        let Some(item) = self.open.get_mut(&process) else { return };
        item.goal = goal;
        item.reported = reported.unwrap_or(item.reported);
        let next = item.next_report();
        self.next_report = [self.next_report, next].into_iter().flatten().min();
    }

    /// The processes whose slow stops are to be reported now, in the order of their items.
    pub(super) fn take_reports(&mut self, now: Duration) -> Vec<ProcessId> {
        if self.next_report.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (process, item) in &mut self.open {
            if item.next_report().is_some_and(|next| next <= now) {
                item.reported = now;
                due.push((item.number, *process));
            }
        }
        self.next_report = self.open.values().filter_map(Item::next_report).min();
        due.sort_unstable();
        due.into_iter().map(|(_, process)| process).collect()
    }
}
