//! The order of steps between programs: each step comes after those it depends on.
//!
//! A plan is made completely before any step is begun. Its user then asks for the ready steps, begins them, and reports
//! those that are done, until none is left.

/// Steps with dependencies between them. Steps that can be begun at the same time keep the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<N> {
    steps: Vec<Step<N>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step<N> {
    node: N,
    /// The positions of the steps that must be done first.
    after: Vec<usize>,
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

impl<N: Clone + PartialEq> Plan<N> {
    /// A plan of steps without dependencies.
    pub fn independent(nodes: impl IntoIterator<Item = N>) -> Plan<N> {
        let step = |node| Step { node, after: Vec::new(), rank: 0, progress: Progress::Waiting };
        Plan { steps: nodes.into_iter().map(step).collect() }
    }

    /// A plan of steps in sequence.
    pub fn sequence(nodes: impl IntoIterator<Item = N>) -> Plan<N> {
        let step = |(position, node): (usize, N)| Step {
            node,
            after: position.checked_sub(1).into_iter().collect(),
            rank: 0,
            progress: Progress::Waiting,
        };
        Plan { steps: nodes.into_iter().enumerate().map(step).collect() }
    }

    /// A plan of steps, each after those at the given positions, which form no circle. Where these do not decide, steps of a
    /// higher rank come first: a step also waits for those that could be begun together with it and are of a higher rank.
    pub fn ranked(steps: impl IntoIterator<Item = (N, Vec<usize>, i64)>) -> Plan<N> {
        let step = |(node, after, rank)| Step { node, after, rank, progress: Progress::Waiting };
        Plan { steps: steps.into_iter().map(step).collect() }
    }

    /// The steps that can be begun now.
    pub fn ready(&self) -> impl Iterator<Item = &N> {
        let highest = self.highest_rank();
        self.steps
            .iter()
            .filter(move |step| Some(step.rank) >= highest && self.is_unblocked(step))
            .map(|step| &step.node)
    }

    /// The highest rank of the steps in progress and those that could be.
    fn highest_rank(&self) -> Option<i64> {
        let now = self.steps.iter().filter(|step| step.progress == Progress::Begun || self.is_unblocked(step));
        now.map(|step| step.rank).max()
    }

    fn is_unblocked(&self, step: &Step<N>) -> bool {
        step.progress == Progress::Waiting
            && step.after.iter().all(|position| self.steps[*position].progress == Progress::Done)
    }

    /// Begins all steps that can be begun now, and returns them in order.
    pub fn begin_ready(&mut self) -> Vec<N> {
        let highest = self.highest_rank();
        let is_ready = |step: &Step<N>| Some(step.rank) >= highest && self.is_unblocked(step);
        let ready: Vec<usize> = (0..self.steps.len()).filter(|position| is_ready(&self.steps[*position])).collect();
        let begin = |position: usize| {
            self.steps[position].progress = Progress::Begun;
            self.steps[position].node.clone()
        };
        ready.into_iter().map(begin).collect()
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.progress == Progress::Done)
    }

    /// The steps in progress.
    pub fn begun(&self) -> impl Iterator<Item = &N> {
        self.steps.iter().filter(|step| step.progress == Progress::Begun).map(|step| &step.node)
    }

    /// Records that a step has begun.
    pub fn begin(&mut self, node: &N) {
        self.set(node, Progress::Begun);
    }

    /// Records that a step is done.
    pub fn finish(&mut self, node: &N) {
        self.set(node, Progress::Done);
    }

    fn set(&mut self, node: &N, progress: Progress) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.node == *node) {
            step.progress = progress;
        }
    }
}

#[cfg(test)]
mod tests;
