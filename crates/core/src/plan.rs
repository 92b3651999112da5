//! The order of steps between programs: each step comes after those it depends on.
//!
//! A plan is made completely before any step is begun. Its user then asks for the ready steps, begins them, and reports
//! those that are done, until none is left. The time of a whole plan grows with its steps and their dependencies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// Steps with dependencies between them. Steps that can be begun at the same time keep the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<N: Eq + Hash> {
    steps: Vec<Step<N>>,
    positions: HashMap<N, usize>,
    /// The positions of the steps that are not blocked by others and have not begun, by rank.
    unblocked: BTreeMap<i64, BTreeSet<usize>>,
    /// The positions of the steps in progress, by rank.
    begun: BTreeMap<i64, BTreeSet<usize>>,
    /// How many steps are not done.
    left: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step<N> {
    node: N,
    /// The positions of the steps that come after this one.
    before: Vec<usize>,
    /// How many steps must be done first.
    blockers: usize,
    /// Of steps that could be begun, those of the highest rank are, and the others when these are done.
    rank: i64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    Begun,
    Done,
}

impl<N: Clone + Eq + Hash> Plan<N> {
    /// A plan of steps without dependencies.
    pub fn independent(nodes: impl IntoIterator<Item = N>) -> Plan<N> {
        Plan::ranked(nodes.into_iter().map(|node| (node, Vec::new(), 0)))
    }

    /// A plan of steps in sequence.
    pub fn sequence(nodes: impl IntoIterator<Item = N>) -> Plan<N> {
        let step = |(position, node): (usize, N)| (node, position.checked_sub(1).into_iter().collect(), 0);
        Plan::ranked(nodes.into_iter().enumerate().map(step))
    }

    /// A plan of steps, each after those at the given positions, which form no circle. Where these do not decide, steps of a
    /// higher rank come first: a step also waits for those that could be begun together with it and are of a higher rank.
    pub fn ranked(steps: impl IntoIterator<Item = (N, Vec<usize>, i64)>) -> Plan<N> {
        let (mut all, mut afters) = (Vec::new(), Vec::new());
        for (node, after, rank) in steps {
            all.push(Step { node, before: Vec::new(), blockers: after.len(), rank, progress: Progress::Waiting });
            afters.push(after);
        }
        for (position, after) in afters.into_iter().enumerate() {
            for earlier in after {
                all[earlier].before.push(position);
            }
        }
        let mut unblocked: BTreeMap<i64, BTreeSet<usize>> = BTreeMap::new();
        for (position, step) in all.iter().enumerate().filter(|(_, step)| step.blockers == 0) {
            unblocked.entry(step.rank).or_default().insert(position);
        }
        let positions = all.iter().enumerate().map(|(position, step)| (step.node.clone(), position)).collect();
        Plan { left: all.len(), steps: all, positions, unblocked, begun: BTreeMap::new() }
    }

    /// The steps that can be begun now.
    pub fn ready(&self) -> impl Iterator<Item = &N> {
        let begun = self.begun.last_key_value().map(|(rank, _)| *rank);
        let highest = self.unblocked.last_key_value().filter(|(rank, _)| Some(**rank) >= begun);
        highest.into_iter().flat_map(|(_, positions)| positions).map(|position| &self.steps[*position].node)
    }

    /// Begins all steps that can be begun now, and returns them in order.
    pub fn begin_ready(&mut self) -> Vec<N> {
        let ready: Vec<N> = self.ready().cloned().collect();
        ready.iter().for_each(|node| self.begin(node));
        ready
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The steps in progress.
    pub fn begun(&self) -> impl Iterator<Item = &N> {
        self.begun.values().flatten().map(|position| &self.steps[*position].node)
    }

    /// Whether a step is in progress.
    pub fn has_begun(&self, node: &N) -> bool {
        self.positions.get(node).is_some_and(|position| self.steps[*position].progress == Progress::Begun)
    }

    /// Records that a step has begun.
    pub fn begin(&mut self, node: &N) {
        let Some(position) = self.positions.get(node).copied() else { return };
        let step = &mut self.steps[position];
        if step.progress == Progress::Waiting {
            step.progress = Progress::Begun;
            remove(&mut self.unblocked, step.rank, position);
            self.begun.entry(step.rank).or_default().insert(position);
        }
    }

    /// Records that a step is done.
    pub fn finish(&mut self, node: &N) {
        let Some(position) = self.positions.get(node).copied() else { return };
        let step = &mut self.steps[position];
        match step.progress {
            Progress::Waiting => remove(&mut self.unblocked, step.rank, position),
            Progress::Begun => remove(&mut self.begun, step.rank, position),
            Progress::Done => return,
        }
        step.progress = Progress::Done;
        self.left -= 1;
        for later in std::mem::take(&mut step.before) {
            let step = &mut self.steps[later];
            step.blockers -= 1;
            if step.blockers == 0 && step.progress == Progress::Waiting {
                self.unblocked.entry(step.rank).or_default().insert(later);
            }
        }
    }
}

fn remove(from: &mut BTreeMap<i64, BTreeSet<usize>>, rank: i64, position: usize) {
    if let Some(positions) = from.get_mut(&rank) {
        positions.remove(&position);
        if positions.is_empty() {
            from.remove(&rank);
        }
    }
}

#[cfg(test)]
mod tests;
