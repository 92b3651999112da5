//! What an update of the configuration does, decided before anything is done: (active, new, mode) → steps.
//!
//! The plan is what people are shown, and what [`Supervisor`](crate::supervisor::Supervisor) carries out.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;

use supervisord_config::model::{Group, GroupKind, Process, UpdateMode};
use supervisord_config::option_changes::{OptionChange, option_changes};
use supervisord_config::scale::ProgramScale;
use supervisord_config::schema::Needs;
use supervisord_wire::name::namespec;

use crate::process::{Machine, ProcessPhase};
use crate::start_order::start_order;

/// What the plan asks about a process of an active group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs, or will run without a request.
    Active,
    /// It was given up.
    Failed,
    /// It has never been started.
    NeverStarted,
    /// It does not run, because it was stopped or has ended.
    AtRest,
}

impl Standing {
    /// That of the process of a machine.
    pub fn of(machine: &Machine) -> Standing {
        match machine.phase() {
            _ if machine.can_be_stopped() => Standing::Active,
            ProcessPhase::GivenUp => Standing::Failed,
            ProcessPhase::NeverStarted => Standing::NeverStarted,
            _ => Standing::AtRest,
        }
    }
}

/// An active group, with the standing of each of its processes.
#[derive(Clone, Debug)]
pub struct ActiveDefinition {
    /// Its definition.
    pub group: Arc<Group>,
    /// In the order of the processes of the definition.
    pub standings: Vec<Standing>,
}

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpdateAction {
    /// It is stopped, if it runs, and is no more.
    Remove,
    /// It is stopped, and not started again, because it is not to start by itself.
    Stop,
    /// It is stopped and started again.
    Restart,
    /// It does not run, and is started.
    Start,
    /// The changes take effect while it runs.
    Apply,
    /// It does not run; the changes take effect when it is started.
    NextStart,
    /// It is new, and is started where it starts by itself.
    Add,
}

impl UpdateAction {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            UpdateAction::Remove => "remove",
            UpdateAction::Stop => "stop",
            UpdateAction::Restart => "restart",
            UpdateAction::Start => "start",
            UpdateAction::Apply => "apply",
            UpdateAction::NextStart => "next_start",
            UpdateAction::Add => "add",
        }
    }
}

/// What becomes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupAction {
    /// It is stopped and removed.
    Remove,
    /// It is stopped, and another group of its name takes its place.
    Replace,
    /// It goes on, with changes.
    Change,
    /// It is new.
    Add,
}

impl GroupAction {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            GroupAction::Remove => "remove",
            GroupAction::Replace => "replace",
            GroupAction::Change => "change",
            GroupAction::Add => "add",
        }
    }
}

/// What becomes of a group in which something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStep {
    /// Its name.
    pub group: String,
    /// What is done.
    pub action: GroupAction,
    /// The options of the group itself that change.
    pub changes: Vec<OptionChange>,
}

/// What becomes of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStep {
    /// Its group.
    pub group: String,
    /// Its name.
    pub process: String,
    /// What is done.
    pub action: UpdateAction,
    /// Whether something that runs is stopped.
    pub stops: bool,
    /// Whether it is started.
    pub starts: bool,
    /// The options of it that change.
    pub changes: Vec<OptionChange>,
}

/// What an update does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatePlan {
    /// What it restarts.
    pub mode: UpdateMode,
    /// The groups in which something changes: those that go, those that change, those that come, each in the order of their
    /// configuration.
    pub groups: Vec<GroupStep>,
    /// The processes that are concerned: those that go, what depends on others first; then all others in the order in which
    /// they are started, each behind what it depends on.
    pub steps: Vec<ProcessStep>,
    /// The programs that run, and go on running, with another number of processes than their sections say.
    pub scales: Vec<ProgramScale>,
}

impl UpdatePlan {
    /// Plans the way from the active groups to those of another configuration: all of it, or the groups that are named.
    pub fn new(
        active: &[ActiveDefinition],
        new: &[Arc<Group>],
        mode: UpdateMode,
        only: Option<&BTreeSet<String>>,
    ) -> UpdatePlan {
        let is_meant = |group: &str| only.is_none_or(|only| only.contains(group));
        let old_by_name: HashMap<&str, &ActiveDefinition> =
            active.iter().map(|active| (active.group.name.as_str(), active)).collect();
        let new_by_name: HashMap<&str, &Arc<Group>> = new.iter().map(|group| (group.name.as_str(), group)).collect();
        let mut groups = Vec::new();
        let (mut going, mut others) = (Vec::new(), Vec::new());
        for gone in active.iter().filter(|active| !new_by_name.contains_key(active.group.name.as_str())) {
            if is_meant(&gone.group.name) {
                groups.push(group_step(&gone.group, GroupAction::Remove, Vec::new()));
                going.extend(gone.processes().map(|(process, standing)| removal(&gone.group, process, standing)));
            }
        }
        for group in new.iter().filter(|group| is_meant(&group.name)) {
            match old_by_name.get(group.name.as_str()) {
                Some(known) => groups.extend(change(known, group, mode, &mut going, &mut others)),
                None => {
                    groups.push(group_step(group, GroupAction::Add, Vec::new()));
                    others.extend(group.processes.iter().map(|process| addition(group, process)));
                }
            }
        }
        let place = |step: &ProcessStep| (step.group.clone(), step.process.clone());
        let before = start_order(active.iter().map(|active| &active.group));
        going.sort_by_cached_key(|step| std::cmp::Reverse(before.get(&place(step)).copied()));
        let after = start_order(new.iter());
        others.sort_by_cached_key(|step| after.get(&place(step)).copied());
        going.extend(others);
        UpdatePlan { mode, groups, steps: going, scales: Vec::new() }
    }

    /// Takes back what it would start of these processes, by group and name.
    pub fn leave_down(&mut self, is_left_down: impl Fn(&str, &str) -> bool) {
        for step in self.steps.iter_mut().filter(|step| step.starts) {
            if is_left_down(&step.group, &step.process) {
                step.starts = false;
                step.action = match step.action {
                    UpdateAction::Restart => UpdateAction::Stop,
                    UpdateAction::Start => UpdateAction::NextStart,
                    other => other,
                };
            }
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl fmt::Display for GroupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update: {} group {}", self.action.word(), self.group)
    }
}

impl fmt::Display for ProcessStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update: {} {}", self.action.word(), namespec(&self.group, &self.process))?;
        let options: Vec<&str> = self.changes.iter().map(|change| change.option).collect();
        if options.is_empty() { Ok(()) } else { write!(f, " ({})", options.join(", ")) }
    }
}

impl ActiveDefinition {
    fn processes(&self) -> impl Iterator<Item = (&Arc<Process>, Standing)> {
        self.group.processes.iter().zip(self.standings.iter().copied())
    }
}

fn group_step(group: &Group, action: GroupAction, changes: Vec<OptionChange>) -> GroupStep {
    GroupStep { group: group.name.clone(), action, changes }
}

fn removal(group: &Group, process: &Process, standing: Standing) -> ProcessStep {
    ProcessStep {
        group: group.name.clone(),
        process: process.identity.name.clone(),
        action: UpdateAction::Remove,
        stops: standing == Standing::Active,
        starts: false,
        changes: Vec::new(),
    }
}

fn addition(group: &Group, process: &Process) -> ProcessStep {
    ProcessStep {
        group: group.name.clone(),
        process: process.identity.name.clone(),
        action: UpdateAction::Add,
        stops: false,
        starts: process.start.autostart,
        changes: Vec::new(),
    }
}

/// What becomes of a group that is in both; none where nothing differs.
fn change(
    known: &ActiveDefinition,
    new: &Group,
    mode: UpdateMode,
    going: &mut Vec<ProcessStep>,
    others: &mut Vec<ProcessStep>,
) -> Option<GroupStep> {
    let old = &*known.group;
    let mut changes = changes_of_group(old, new);
    let by_name: HashMap<&str, (&Arc<Process>, Standing)> =
        known.processes().map(|(process, standing)| (process.identity.name.as_str(), (process, standing))).collect();
    let names: BTreeSet<&str> = new.processes.iter().map(|process| process.identity.name.as_str()).collect();
    let differing: Vec<(&Arc<Process>, Option<Standing>, Vec<OptionChange>)> = new
        .processes
        .iter()
        .map(|process| match by_name.get(process.identity.name.as_str()) {
            Some((known, standing)) => (process, Some(*standing), option_changes(known, process)),
            None => (process, None, Vec::new()),
        })
        .collect();
    let gone: Vec<_> =
        known.processes().filter(|(process, _)| !names.contains(process.identity.name.as_str())).collect();
    let is_changed = differing.iter().any(|(_, standing, changes)| standing.is_none() || !changes.is_empty());
    if !is_changed && gone.is_empty() && changes.is_empty() {
        let order = |group: &Group| -> Vec<String> {
            group.processes.iter().map(|process| process.identity.name.clone()).collect()
        };
        if order(old) == order(new) {
            return None;
        }
        changes.push(OptionChange {
            option: "programs",
            old: order(old).join(","),
            new: order(new).join(","),
            needs: Needs::Live,
        });
    }
    let is_replaced = mode == UpdateMode::Groups || changes.iter().any(|change| change.needs > Needs::Live);
    going.extend(gone.into_iter().map(|(process, standing)| removal(old, process, standing)));
    for (process, standing, changes) in differing {
        others.extend(match standing {
            None => Some(addition(new, process)),
            Some(standing) if is_replaced => Some(replacement(new, process, standing, changes)),
            Some(_) if changes.is_empty() => None,
            Some(standing) => Some(alteration(new, process, standing, changes)),
        });
    }
    let action = if is_replaced { GroupAction::Replace } else { GroupAction::Change };
    Some(group_step(new, action, changes))
}

/// A process of a group that is replaced as a whole.
fn replacement(group: &Group, process: &Process, standing: Standing, changes: Vec<OptionChange>) -> ProcessStep {
    let (stops, starts) = (standing == Standing::Active, process.start.autostart);
    let action = match (stops, starts) {
        (true, true) => UpdateAction::Restart,
        (true, false) => UpdateAction::Stop,
        (false, true) => UpdateAction::Start,
        (false, false) => UpdateAction::NextStart,
    };
    let (group, process) = (group.name.clone(), process.identity.name.clone());
    ProcessStep { group, process, action, stops, starts, changes }
}

/// A process that goes on as far as its changes allow it.
fn alteration(group: &Group, process: &Process, standing: Standing, changes: Vec<OptionChange>) -> ProcessStep {
    let must_restart = changes.iter().any(|change| change.needs > Needs::Live);
    let action = match standing {
        Standing::Active if must_restart => UpdateAction::Restart,
        Standing::Active => UpdateAction::Apply,
        Standing::Failed if must_restart && process.start.autostart => UpdateAction::Start,
        Standing::NeverStarted if process.start.autostart => UpdateAction::Start,
        Standing::Failed | Standing::NeverStarted | Standing::AtRest => UpdateAction::NextStart,
    };
    let stops = action == UpdateAction::Restart;
    let starts = stops || action == UpdateAction::Start;
    let (group, process) = (group.name.clone(), process.identity.name.clone());
    ProcessStep { group, process, action, stops, starts, changes }
}

/// The options of the group itself that differ.
fn changes_of_group(old: &Group, new: &Group) -> Vec<OptionChange> {
    let mut changes = Vec::new();
    let mut note = |option: &'static str, old: String, new: String, needs: Needs| {
        if old != new {
            changes.push(OptionChange { option, old, new, needs });
        }
    };
    note("priority", old.priority.to_string(), new.priority.to_string(), Needs::Live);
    match (&old.kind, &new.kind) {
        (GroupKind::Listeners(a), GroupKind::Listeners(b)) => {
            let events = |events: &[String]| {
                let sorted: BTreeSet<&str> = events.iter().map(String::as_str).collect();
                sorted.into_iter().collect::<Vec<_>>().join(",")
            };
            note("events", events(&a.events), events(&b.events), Needs::Restart);
            note("buffer_size", a.buffer_size.to_string(), b.buffer_size.to_string(), Needs::Restart);
            note("result_handler", a.result_handler.clone(), b.result_handler.clone(), Needs::Restart);
        }
        (a, b) if discriminant(a) == discriminant(b) => {}
        (a, b) => note("kind", kind(a).to_owned(), kind(b).to_owned(), Needs::Restart),
    }
    changes
}

const fn kind(kind: &GroupKind) -> &'static str {
    match kind {
        GroupKind::Programs => "programs",
        GroupKind::FastCgi => "fcgi-program",
        GroupKind::Listeners(_) => "eventlistener",
    }
}

#[cfg(test)]
mod tests;
