//! The order of steps between programs, as a dependency graph.
//!
//! A plan is made completely before any step is begun. Its user then asks for the ready steps, begins them, and reports
//! those that are done, until none is left.

/// Steps with dependencies between them. Steps without an order in the graph keep the order in which they were given.
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
    /// A plan of these steps. `edges` are pairs of positions: the first step comes before the second.
    ///
    /// # Errors
    /// The edges form a cycle, which is returned: each of its steps comes before the next, and the last before the
    /// first.
    pub fn new(nodes: Vec<N>, edges: &[(usize, usize)]) -> Result<Plan<N>, Vec<N>> {
        let before = |position: usize| edges.iter().filter(move |(_, later)| *later == position).map(|edge| edge.0);
        let step = |(position, node)| Step { node, after: before(position).collect(), progress: Progress::Waiting };
        let plan = Plan { steps: nodes.into_iter().enumerate().map(step).collect() };
        match plan.cycle() {
            Some(cycle) => Err(cycle),
            None => Ok(plan),
        }
    }

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

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.progress == Progress::Done)
    }

    fn set(&mut self, node: &N, progress: Progress) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.node == *node) {
            step.progress = progress;
        }
    }

    fn cycle(&self) -> Option<Vec<N>> {
        // Every step that remains after a topological sort depends on another remaining step.
        let mut left: Vec<usize> = (0..self.steps.len()).collect();
        loop {
            let count = left.len();
            let known = left.clone();
            left.retain(|position| self.steps[*position].after.iter().any(|earlier| known.contains(earlier)));
            if left.len() == count {
                break;
            }
        }
        let mut path = vec![*left.first()?];
        loop {
            let last = *path.last()?;
            let earlier = *self.steps[last].after.iter().find(|earlier| left.contains(earlier))?;
            if let Some(begin) = path.iter().position(|known| *known == earlier) {
                return Some(path[begin..].iter().rev().map(|position| self.steps[*position].node.clone()).collect());
            }
            path.push(earlier);
        }
    }
}

#[cfg(test)]
mod tests;
