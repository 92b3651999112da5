//! Questions to the system that a dead disk or name server may never answer. Another thread asks them; control waits for
//! the answer only so long.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::output::answer::answer;

/// How long an answer is waited for; normally it takes microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same while there are questions that have taken longer.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);

/// How many questions may take longer at a time.
const MOST_OVERDUE: usize = 64;

type Errand = Box<dyn FnOnce() + Send>;

/// There was no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoReply;

/// Asks questions, one after the other.
pub(super) struct Errands {
    patience: Duration,
    runner: Option<Runner>,
    /// What was not answered in time, and the threads that still wait for it. They end with the answer.
    overdue: HashMap<String, JoinHandle<()>>,
}

impl Default for Errands {
    fn default() -> Errands {
        Errands { patience: PATIENCE, runner: None, overdue: HashMap::new() }
    }
}

impl Errands {
    /// The answer to a question about `subject`. As long as one about the same is not answered, it is not asked again.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        subject: &str,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoReply> {
        if self.is_waiting() && (self.overdue.contains_key(subject) || self.overdue.len() >= MOST_OVERDUE) {
            return Err(NoReply);
        }
        let patience = if self.overdue.is_empty() { self.patience } else { LITTLE_PATIENCE };
        let Some(runner) = self.runner.take().or_else(|| Runner::start().ok()) else {
            // Where there is no room for a thread, nothing but a long wait is to be feared.
            return Ok(question());
        };
        let (reply, awaited) = answer();
        runner.run(Box::new(move || {
            // Nobody wants it any more when it comes too late.
            let _ = reply.give(question());
        }));
        let answered = awaited.within(patience).map_err(|_| NoReply);
        match answered {
            Ok(_) => self.runner = Some(runner),
            Err(NoReply) => drop(self.overdue.insert(subject.to_owned(), runner.thread)),
        }
        answered
    }

    /// Whether there are questions that were not answered in time, and still are not.
    pub(super) fn is_waiting(&mut self) -> bool {
        self.overdue.retain(|_, thread| !thread.is_finished());
        !self.overdue.is_empty()
    }
}

/// A thread that runs errands as long as it is needed.
struct Runner {
    errands: Sender<Errand>,
    thread: JoinHandle<()>,
}

impl Runner {
    fn start() -> io::Result<Runner> {
        let (errands, waiting) = channel::<Errand>();
        let run = move || waiting.into_iter().for_each(|errand| errand());
        let thread = thread::Builder::new().name("errands".to_owned()).spawn(run)?;
        Ok(Runner { errands, thread })
    }

    fn run(&self, errand: Errand) {
        // The thread takes errands as long as this end exists.
        let _ = self.errands.send(errand);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_is_not_answered_holds_up_no_other() {
        let mut errands = Errands::default();
        assert_eq!(errands.ask("one", || 1), Ok(1));
        let (release, held) = channel::<()>();
        errands.patience = Duration::ZERO;
        assert_eq!(errands.ask("held", move || held.recv().is_ok()), Err(NoReply));
        assert!(errands.is_waiting());
        assert_eq!(errands.ask("held", || true), Err(NoReply), "it is asked already");
        while errands.ask("two", || 2) != Ok(2) {}
        release.send(()).expect("somebody waits");
        while errands.is_waiting() {
            thread::yield_now();
        }
        errands.patience = PATIENCE;
        assert_eq!(errands.ask("held", || true), Ok(true));
    }
}
