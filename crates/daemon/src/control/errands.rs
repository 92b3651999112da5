//! Questions to the system that a dead disk or name server may never answer. Another thread asks them; control waits for
//! the answer only so long.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::output::answer::answer;

/// How long answers that do not come are waited for in one turn of the loop; normally they take microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long one is waited for while there are questions that have taken longer.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);

/// How many questions may take longer at a time.
const MOST_OVERDUE: usize = 256;

type Errand = Box<dyn FnOnce() + Send>;

/// There was no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoReply;

/// Asks questions, one after the other.
pub(super) struct Errands {
    /// How much patience is left in this turn.
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
    /// From now on there is all patience again.
    pub(super) fn begin_turn(&mut self) {
        self.patience = PATIENCE;
    }

    /// The answer to a question about `subject`, which names what may hang. As long as one question about the same is not
    /// answered, no other is asked.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        subject: &str,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoReply> {
        if self.is_waiting() && (self.overdue.contains_key(subject) || self.overdue.len() >= MOST_OVERDUE) {
            return Err(NoReply);
        }
        let most = if self.overdue.is_empty() { PATIENCE } else { LITTLE_PATIENCE };
        let Some(runner) = self.runner.take().or_else(|| Runner::start().ok()) else {
            // Where there is no room for a thread, nothing but a long wait is to be feared.
            return Ok(question());
        };
        let (reply, awaited) = answer();
        runner.run(Box::new(move || {
            // Nobody wants it any more when it comes too late.
            let _ = reply.give(question());
        }));
        let asked = Instant::now();
        let answered = awaited.within(self.patience.min(most)).map_err(|_| NoReply);
        match answered {
            Ok(_) => self.runner = Some(runner),
            Err(NoReply) => {
                self.patience = self.patience.saturating_sub(asked.elapsed());
                self.overdue.insert(subject.to_owned(), runner.thread);
            }
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
        errands.patience = Duration::from_millis(1);
        assert_eq!(errands.ask("held", move || held.recv().is_ok()), Err(NoReply));
        assert_eq!(errands.patience, Duration::ZERO, "it is spent");
        assert!(errands.is_waiting());
        assert_eq!(errands.ask("held", || true), Err(NoReply), "it is asked already");
        errands.begin_turn();
        while errands.ask("two", || 2) != Ok(2) {}
        release.send(()).expect("somebody waits");
        while errands.is_waiting() {
            thread::yield_now();
        }
        assert_eq!(errands.ask("held", || true), Ok(true));
    }
}
