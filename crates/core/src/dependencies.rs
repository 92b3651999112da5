//! The graph of what depends on what: which conditions hold, what is awaited, and which way leads through it.
//!
//! The graph has no circles: an edge that would close one is left out when the graph is made.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use supervisord_config::dependency::DependencyCondition;
use supervisord_wire::name::namespec;
use supervisord_wire::state::ProcessState;

use crate::health::HealthStatus;
use crate::process::{Machine, ProcessPhase, StateDetail};

/// Something that must hold before a process is started.
#[derive(Clone, Debug)]
pub struct Need<N> {
    /// The group that is meant.
    pub group: Arc<str>,
    /// The process that is meant; none for all processes of the group.
    pub process: Option<Arc<str>>,
    /// What must hold of them.
    pub condition: DependencyCondition,
    /// Those that are meant; empty where there are none.
    pub members: Arc<[N]>,
}

/// Something that a process waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedDependency {
    /// The group that is meant.
    pub group: Arc<str>,
    /// The process that is meant; none for all processes of the group.
    pub process: Option<Arc<str>>,
    /// What must hold of them.
    pub condition: DependencyCondition,
    /// Why it will not hold unless somebody does something; none where it may.
    pub hindrance: Option<Hindrance>,
}

impl AwaitedDependency {
    fn is_of<N>(&self, need: &Need<N>) -> bool {
        self.condition == need.condition && self.process == need.process && self.group == need.group
    }
}

/// Why a condition will not hold by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// Which of the processes it is, as clients name it.
    pub name: String,
    /// What is the matter with it.
    pub cause: HindranceCause,
}

/// What is the matter with a process on which others depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HindranceCause {
    /// It is not active.
    Inactive,
    /// It is in this state.
    Is(ProcessState),
    /// It exited with this unexpected status; -1 after a signal.
    Exited(i32),
    /// It runs, but is unhealthy.
    Unhealthy,
    /// It waits itself for something that will not hold.
    Waits,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hindrance { name, cause } = self;
        match cause {
            HindranceCause::Inactive => write!(f, "{name} is not active"),
            HindranceCause::Is(state) => write!(f, "{name} is {state}"),
            HindranceCause::Exited(-1) => write!(f, "{name} was terminated by a signal"),
            HindranceCause::Exited(status) => write!(f, "{name} exited with status {status}"),
            HindranceCause::Unhealthy => write!(f, "{name} is unhealthy"),
            HindranceCause::Waits => write!(f, "{name} waits in vain"),
        }
    }
}

/// The part of the description of a process behind `waiting for`.
impl fmt::Display for AwaitedDependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.condition {
            DependencyCondition::Started => "to be started",
            DependencyCondition::Running => "to be running",
            DependencyCondition::Ready => "to be ready",
            DependencyCondition::Healthy => "to be healthy",
            DependencyCondition::Exited => "to exit",
            DependencyCondition::ExitedOk => "to exit successfully",
        };
        write!(f, "{} {what}", shown(&self.group, self.process.as_deref()))?;
        match &self.hindrance {
            Some(hindrance) => write!(f, " ({hindrance})"),
            None => Ok(()),
        }
    }
}

/// All that is awaited, as the description of a process has it.
pub fn waiting_for(awaited: &[AwaitedDependency]) -> String {
    let each: Vec<String> = awaited.iter().map(AwaitedDependency::to_string).collect();
    format!("waiting for {}", each.join(", "))
}

fn shown(group: &str, process: Option<&str>) -> String {
    process.map_or_else(|| format!("{group}:*"), |process| namespec(group, process))
}

/// Whether a condition holds of a process.
pub fn holds(condition: DependencyCondition, machine: &Machine) -> bool {
    use ProcessPhase::{Completed, Exited, GettingReady, RunningToEnd, Settling, Up, WaitingToRestart};
    match condition {
        DependencyCondition::Started => {
            matches!(
                machine.phase(),
                Settling | GettingReady | RunningToEnd | Up | Exited | Completed | WaitingToRestart
            )
        }
        DependencyCondition::Running => machine.is_up(),
        DependencyCondition::Ready => machine.is_up() || machine.has_completed(),
        DependencyCondition::Healthy => health(machine) == Some(HealthStatus::Healthy),
        DependencyCondition::Exited => matches!(machine.phase(), Exited | Completed | WaitingToRestart),
        DependencyCondition::ExitedOk => machine.has_completed() || machine.phase() == Exited && !machine.has_failed(),
    }
}

fn health(machine: &Machine) -> Option<HealthStatus> {
    machine.health().map(|health| health.status)
}

/// Why a condition that does not hold of a process will not hold by itself. `waits_in_vain` tells whether the process waits for
/// something that will not hold either.
fn hindrance(condition: DependencyCondition, machine: &Machine, waits_in_vain: bool) -> Option<HindranceCause> {
    if condition == DependencyCondition::Healthy && health(machine) == Some(HealthStatus::Unhealthy) {
        return Some(HindranceCause::Unhealthy);
    }
    if machine.comes_by_itself() {
        return (machine.awaits_dependencies() && waits_in_vain).then_some(HindranceCause::Waits);
    }
    match (condition, machine.phase(), machine.exit_status()) {
        (DependencyCondition::ExitedOk, ProcessPhase::Exited, Some(status)) => Some(HindranceCause::Exited(status)),
        _ => Some(HindranceCause::Is(machine.state())),
    }
}

/// What has happened to those that depend on a process whose state changes so; none where it has not failed.
pub fn failure(to: ProcessState, detail: StateDetail) -> Option<&'static str> {
    match (to, detail) {
        (ProcessState::Exited, StateDetail::Exit { expected: false, .. }) => Some("ended unexpectedly"),
        (ProcessState::Fatal, _) => Some("is FATAL"),
        _ => None,
    }
}

/// A process that others depend on, or that depends on others.
struct Node<N> {
    group: Arc<str>,
    name: Arc<str>,
    needs: Vec<Need<N>>,
    /// Those that depend on it, each once.
    dependents: Vec<N>,
    /// What was found to be awaited last.
    awaited: Vec<AwaitedDependency>,
}

/// A process with what it needs.
pub struct Dependent<N> {
    /// The process.
    pub id: N,
    /// Its group.
    pub group: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it needs.
    pub needs: Vec<Need<N>>,
}

/// What depends on what. Processes that neither depend on others nor have dependents are not in it.
pub struct DependencyGraph<N> {
    nodes: HashMap<N, Node<N>>,
}

impl<N> Default for DependencyGraph<N> {
    fn default() -> DependencyGraph<N> {
        DependencyGraph { nodes: HashMap::new() }
    }
}

impl<N: Copy + Eq + Hash> DependencyGraph<N> {
    /// The graph of all processes, and what was left out of it because it would close a circle: the name of a process, and of one
    /// that it depends on.
    pub fn new(processes: Vec<Dependent<N>>) -> (DependencyGraph<N>, Vec<(String, String)>) {
        let mut nodes: HashMap<N, Node<N>> = HashMap::new();
        let mut order = Vec::new();
        for Dependent { id, group, name, needs } in processes {
            order.push(id);
            nodes.insert(id, Node { group, name, needs, dependents: Vec::new(), awaited: Vec::new() });
        }
        let mut graph = DependencyGraph { nodes };
        let left_out = graph.leave_out_circles(&order);
        for id in &order {
            for dependency in graph.dependencies(*id) {
                if let Some(node) = graph.nodes.get_mut(&dependency) {
                    node.dependents.push(*id);
                }
            }
        }
        graph.nodes.retain(|_, node| !node.needs.is_empty() || !node.dependents.is_empty());
        (graph, left_out)
    }

    fn leave_out_circles(&mut self, order: &[N]) -> Vec<(String, String)> {
        let mut closing = Vec::new();
        post_order(order.iter().copied(), |id| self.dependencies(id), |id, dependency| closing.push((id, dependency)));
        let leave_out = |(id, dependency)| {
            self.leave_out(id, dependency);
            (self.name(id), self.name(dependency))
        };
        closing.into_iter().map(leave_out).collect()
    }

    fn leave_out(&mut self, id: N, dependency: N) {
        for need in self.nodes.get_mut(&id).into_iter().flat_map(|node| &mut node.needs) {
            if need.members.contains(&dependency) {
                need.members = need.members.iter().copied().filter(|member| *member != dependency).collect();
            }
        }
        // A need of nobody would be one of something that is not there.
        let is_left = |need: &Need<N>| !need.members.is_empty();
        self.nodes.get_mut(&id).into_iter().for_each(|node| node.needs.retain(is_left));
    }

    /// Whether nothing depends on anything.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn name(&self, id: N) -> String {
        self.nodes.get(&id).map(|node| namespec(&node.group, &node.name)).unwrap_or_default()
    }

    /// What a process needs.
    pub fn needs(&self, id: N) -> &[Need<N>] {
        self.nodes.get(&id).map_or(&[], |node| &node.needs)
    }

    /// Those that a process depends on, each once.
    fn dependencies(&self, id: N) -> Vec<N> {
        let mut seen = HashSet::new();
        let all = self.needs(id).iter().flat_map(|need| need.members.iter().copied());
        all.filter(|member| seen.insert(*member)).collect()
    }

    /// Those that depend on a process, each once.
    pub fn dependents(&self, id: N) -> &[N] {
        self.nodes.get(&id).map_or(&[], |node| &node.dependents)
    }

    /// What a process was found to wait for last.
    pub fn awaited(&self, id: N) -> &[AwaitedDependency] {
        self.nodes.get(&id).map_or(&[], |node| &node.awaited)
    }

    /// Goes on from what was known of the same processes in another graph.
    pub fn resume(&mut self, mut before: DependencyGraph<N>) {
        for (id, node) in &mut self.nodes {
            if let Some(known) = before.nodes.remove(id) {
                node.awaited = known.awaited;
            }
        }
    }

    /// Whether a process waits for something that will not hold by itself.
    pub fn waits_in_vain(&self, id: N) -> bool {
        self.awaited(id).iter().any(|awaited| awaited.hindrance.is_some())
    }

    /// Forgets what a process waited for, because it does not wait any more.
    pub fn forget_awaited(&mut self, id: N) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.awaited.clear();
        }
    }

    /// Whether all that a process needs holds.
    pub fn is_met<'m>(&self, id: N, machine: impl Fn(N) -> Option<&'m Machine>) -> bool {
        self.needs(id).iter().all(|need| is_met(need, &machine))
    }

    /// Finds out again what a process waits for, because `changed` has changed; none for whatever may have. Returns what it was
    /// before, where it is something else now.
    pub fn refresh<'m>(
        &mut self,
        id: N,
        changed: Option<N>,
        machine: impl Fn(N) -> Option<&'m Machine>,
    ) -> Option<Vec<AwaitedDependency>> {
        // Looking at all processes of a group after each change of one would take quadratic time, and so would looking for each
        // need among what was awaited, which has the order of the needs.
        let mut before = self.awaited(id).iter().peekable();
        let mut awaited = Vec::new();
        for need in self.needs(id) {
            let known = before.next_if(|known| known.is_of(need)).filter(|known| known.hindrance.is_none());
            if is_met(need, &machine) {
                continue;
            }
            awaited.push(match (known, changed) {
                (Some(known), Some(changed)) if self.cause(need, changed, &machine).is_none() => known.clone(),
                _ => self.await_need(need, &machine),
            });
        }
        let node = self.nodes.get_mut(&id)?;
        (node.awaited != awaited).then(|| std::mem::replace(&mut node.awaited, awaited))
    }

    fn await_need<'m>(&self, need: &Need<N>, machine: &impl Fn(N) -> Option<&'m Machine>) -> AwaitedDependency {
        let Need { group, process, condition, members } = need;
        let hindrance = match members.is_empty() {
            true => Some(Hindrance { name: shown(group, process.as_deref()), cause: HindranceCause::Inactive }),
            false => members.iter().find_map(|member| {
                let cause = self.cause(need, *member, machine)?;
                Some(Hindrance { name: self.name(*member), cause })
            }),
        };
        AwaitedDependency { group: group.clone(), process: process.clone(), condition: *condition, hindrance }
    }

    /// Why a need will not be met by one of its members.
    fn cause<'m>(
        &self,
        need: &Need<N>,
        member: N,
        machine: &impl Fn(N) -> Option<&'m Machine>,
    ) -> Option<HindranceCause> {
        let known = machine(member)?;
        if holds(need.condition, known) {
            return None;
        }
        hindrance(need.condition, known, self.waits_in_vain(member))
    }

    /// What has to be started for a process, directly or not, each after what it depends on: whatever does not meet its
    /// condition and `can_start`. What waits itself is not started, but what it waits for is.
    pub fn foundation<'m>(
        &self,
        id: N,
        machine: impl Fn(N) -> Option<&'m Machine>,
        can_start: impl Fn(&Machine) -> bool,
    ) -> Vec<N> {
        let is_wanted = |member: N, condition: DependencyCondition| {
            machine(member).is_some_and(|known| {
                !holds(condition, known) && (can_start(known) || known.phase() == ProcessPhase::AwaitingDependencies)
            })
        };
        let wanted = |id: N| -> Vec<N> {
            let each = self.needs(id).iter().flat_map(|need| need.members.iter().map(|id| (*id, need.condition)));
            each.filter(|(id, condition)| is_wanted(*id, *condition)).map(|(id, _)| id).collect()
        };
        let mut found = post_order([id], wanted, |_, _| ());
        found.retain(|other| *other != id && machine(*other).is_some_and(&can_start));
        found
    }

    /// These processes, and behind them all that depend on them, directly or not.
    pub fn with_dependents(&self, mut ids: Vec<N>) -> Vec<N> {
        let mut seen: HashSet<N> = ids.iter().copied().collect();
        let mut next = 0;
        while let Some(id) = ids.get(next).copied() {
            ids.extend(self.dependents(id).iter().filter(|dependent| seen.insert(**dependent)));
            next += 1;
        }
        ids
    }

    /// For each of these processes the positions of those that depend on it, directly or by way of others that are not among
    /// them.
    pub fn dependents_among(&self, ids: &[N]) -> Vec<Vec<usize>> {
        let positions: HashMap<N, usize> = ids.iter().enumerate().map(|(position, id)| (*id, position)).collect();
        let dependents = |id: &N| {
            let mut seen = HashSet::from([*id]);
            let mut found = Vec::new();
            let mut rest = vec![*id];
            while let Some(id) = rest.pop() {
                for dependent in self.dependents(id).iter().filter(|dependent| seen.insert(**dependent)) {
                    match positions.get(dependent) {
                        Some(position) => found.push(*position),
                        None => rest.push(*dependent),
                    }
                }
            }
            found
        };
        ids.iter().map(dependents).collect()
    }

    /// These processes in an order in which each stands behind those that it depends on, and otherwise as they are.
    pub fn in_order(&self, ids: Vec<N>) -> Vec<N> {
        if self.is_empty() {
            return ids;
        }
        let wanted: HashSet<N> = ids.iter().copied().collect();
        let mut ordered = post_order(ids, |id| self.dependencies(id), |_, _| ());
        ordered.retain(|id| wanted.contains(id));
        ordered
    }
}

/// Everything that can be reached from the starts, each behind what it leads to. An edge to a node on the path to it closes a
/// circle, and is not followed.
fn post_order<N: Copy + Eq + Hash>(
    starts: impl IntoIterator<Item = N>,
    targets: impl Fn(N) -> Vec<N>,
    mut closes_circle: impl FnMut(N, N),
) -> Vec<N> {
    let (mut seen, mut on_path) = (HashSet::new(), HashSet::new());
    let mut ordered = Vec::new();
    for start in starts {
        let mut next = Some(start);
        let mut path: Vec<(N, std::vec::IntoIter<N>)> = Vec::new();
        loop {
            if let Some(node) = next.filter(|node| seen.insert(*node)) {
                on_path.insert(node);
                path.push((node, targets(node).into_iter()));
            }
            let Some((node, rest)) = path.last_mut() else { break };
            let node = *node;
            next = rest.next();
            match next {
                Some(target) if on_path.contains(&target) => closes_circle(node, target),
                Some(_) => {}
                None => {
                    on_path.remove(&node);
                    ordered.push(node);
                    path.pop();
                }
            }
        }
    }
    ordered
}

fn is_met<'m, N: Copy>(need: &Need<N>, machine: &impl Fn(N) -> Option<&'m Machine>) -> bool {
    let holds_of = |member: &N| machine(*member).is_some_and(|machine| holds(need.condition, machine));
    // Processes of a group usually become ready in their order: the last one tells soonest that not all are.
    !need.members.is_empty() && need.members.iter().rev().all(holds_of)
}

#[cfg(test)]
mod tests;
