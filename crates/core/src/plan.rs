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
        let step = |node| Step { node, after: Vec::new(), progress: Progress::Waiting };
        Plan { steps: nodes.into_iter().map(step).collect() }
    }

    /// A plan of steps in sequence.
    pub fn sequence(nodes: impl IntoIterator<Item = N>) -> Plan<N> {
        let step = |(position, node): (usize, N)| Step {
            node,
            after: position.checked_sub(1).into_iter().collect(),
            progress: Progress::Waiting,
        };
        Plan { steps: nodes.into_iter().enumerate().map(step).collect() }
    }

    /// The steps that can be begun now.
    pub fn ready(&self) -> impl Iterator<Item = &N> {
        self.steps.iter().filter(|step| self.is_ready(step)).map(|step| &step.node)
    }

    fn is_ready(&self, step: &Step<N>) -> bool {
        step.progress == Progress::Waiting
            && step.after.iter().all(|position| self.steps[*position].progress == Progress::Done)
    }

    /// Begins all steps that can be begun now, and returns them in order.
    pub fn begin_ready(&mut self) -> Vec<N> {
        let ready: Vec<usize> =
            (0..self.steps.len()).filter(|position| self.is_ready(&self.steps[*position])).collect();
        let begin = |position: usize| {
            self.steps[position].progress = Progress::Begun;
            self.steps[position].node.clone()
        };
        ready.into_iter().map(begin).collect()
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
