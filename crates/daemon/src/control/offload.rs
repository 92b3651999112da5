//! Questions to the system that a dead disk or name server may never answer. Another thread asks them; control waits for
//! the answer only so long.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use supervisord_sys::signal;

use crate::output::OutputHandle;
use crate::output::answer::answer;

/// How long answers that do not come are waited for in one turn of the loop; normally they take microseconds.
const WAIT_PER_TURN: Duration = Duration::from_secs(2);

/// How long one is waited for while there are questions that have taken longer.
const WAIT_WHILE_OVERDUE: Duration = Duration::from_millis(100);

/// How long each question is waited for, whatever was waited for before it in this turn: one that does not respond must not look
/// as if none did.
const LEAST_WAIT: Duration = Duration::from_millis(10);

/// How many questions may take longer at a time.
const MOST_OVERDUE: usize = 256;

type Task = Box<dyn FnOnce() + Send>;

/// There was no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoReply;

/// Asks questions on another thread, one after the other.
pub(super) struct Offload {
    /// How long this turn may still wait.
    wait_left: Duration,
    runner: Option<Runner>,
    /// What was not answered in time, and the threads that still wait for it. They end with the answer.
    overdue: HashMap<String, JoinHandle<()>>,
    /// What was logged so far in this turn is written while control waits.
    output: OutputHandle,
}

impl Offload {
    /// No question is asked yet.
    pub(super) fn new(output: OutputHandle) -> Offload {
        Offload { wait_left: WAIT_PER_TURN, runner: None, overdue: HashMap::new(), output }
    }

    /// Begins a turn of the loop, with all of the waiting time again.
    pub(super) fn begin_turn(&mut self) {
        self.wait_left = WAIT_PER_TURN;
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
        let most = if self.overdue.is_empty() { WAIT_PER_TURN } else { WAIT_WHILE_OVERDUE };
        let Some(runner) = self.runner.take().or_else(|| Runner::start().ok()) else {
            // Where there is no room for a thread, nothing but a long wait is to be feared.
            return Ok(question());
        };
        let (reply, awaited) = answer();
        runner.run(Box::new(move || {
            // Nobody wants it any more when it comes too late.
            let _ = reply.give(question());
        }));
        self.output.ring_if_due();
        let limit = self.wait_left.min(most).max(LEAST_WAIT);
        let answered = awaited.within(limit).map_err(|_| NoReply);
        match answered {
            Ok(_) => self.runner = Some(runner),
            Err(NoReply) => {
                self.wait_left = self.wait_left.saturating_sub(limit);
                self.overdue.insert(subject.to_owned(), runner.thread);
            }
        }
        answered
    }

    /// Ends the thread that has answered so far; the next question starts another.
    pub(super) fn rest(&mut self) {
        self.runner = None;
    }

    /// Whether there are questions that were not answered in time, and still are not.
    pub(super) fn is_waiting(&mut self) -> bool {
        self.overdue.retain(|_, thread| !thread.is_finished());
        !self.overdue.is_empty()
    }
}

/// A thread that runs tasks as long as it is needed.
struct Runner {
    tasks: Sender<Task>,
    thread: JoinHandle<()>,
}

impl Runner {
    fn start() -> io::Result<Runner> {
        let (tasks, waiting) = channel::<Task>();
        let run = move || {
            signal::block_in_this_thread();
            waiting.into_iter().for_each(|task| task());
        };
        let thread = thread::Builder::new().name("offload".to_owned()).spawn(run)?;
        Ok(Runner { tasks, thread })
    }

    fn run(&self, task: Task) {
        // The thread takes tasks as long as this end exists.
        let _ = self.tasks.send(task);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_question_that_is_not_answered_holds_up_no_other() {
        let mut offload = Offload::new(OutputHandle::new());
        assert_eq!(offload.ask("one", || 1), Ok(1));
        let (release, held) = channel::<()>();
        offload.wait_left = Duration::from_millis(1);
        assert_eq!(offload.ask("held", move || held.recv().is_ok()), Err(NoReply));
        assert_eq!(offload.wait_left, Duration::ZERO, "it is spent");
        assert!(offload.is_waiting());
        assert_eq!(offload.ask("held", || true), Err(NoReply), "it is asked already");
        let (end, begun) = (Instant::now() + Duration::from_secs(60), Duration::ZERO);
        while offload.ask("another", || 1) != Ok(1) {
            assert!(
                offload.wait_left == begun && Instant::now() < end,
                "the next question of the turn is not waited for"
            );
        }
        offload.begin_turn();
        while offload.ask("two", || 2) != Ok(2) {}
        release.send(()).expect("somebody waits");
        while offload.is_waiting() {
            thread::yield_now();
        }
        assert_eq!(offload.ask("held", || true), Ok(true));
    }
}
