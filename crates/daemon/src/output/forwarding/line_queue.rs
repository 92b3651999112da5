//! The lines that wait for one log service, bounded in bytes, with the account of those that were lost.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use supervisord_core::output::forward::{ForwardOrigin, ForwardedLine};

use super::connection::Failure;
use super::line_losses::LineLosses;
use crate::output::loss::{Account, Entries, Loss};

/// The most bytes that wait for one service.
pub(super) const FULL: usize = 4 << 20;
/// What a line takes besides its text.
const OVERHEAD: usize = size_of::<ForwardedLine>();
/// The most bytes of lines that are sent at once.
const BATCH: usize = 64 << 10;
/// How long a service that takes nothing is tried when no stream uses it any more.
const LINGER: Duration = Duration::from_secs(60);

/// The queue of a service.
#[derive(Debug)]
pub(super) struct LineQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    lines: VecDeque<ForwardedLine>,
    bytes: usize,
    /// Whose lines the sender has taken that have not been delivered.
    taken: VecDeque<Arc<ForwardOrigin>>,
    account: Account,
    losses: Arc<LineLosses>,
    /// Why the service took nothing when it was tried last; none where it did.
    failure: Option<String>,
    /// Whether there is a thread that sends.
    has_sender: bool,
    /// Since when no stream uses it; none while one does.
    closed: Option<Instant>,
    /// Nobody waits for anything any more.
    is_abandoned: bool,
}

impl LineQueue {
    /// An empty one for the service of this name.
    pub fn new(name: Arc<str>, losses: Arc<LineLosses>) -> LineQueue {
        let state = State {
            lines: VecDeque::new(),
            bytes: 0,
            taken: VecDeque::new(),
            account: Account::new(name, "messages"),
            losses,
            failure: None,
            has_sender: false,
            closed: None,
            is_abandoned: false,
        };
        LineQueue { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether lines were lost that nobody has been told of.
    pub fn has_losses(&self) -> bool {
        self.lock().losses.are_any()
    }

    /// A stream uses it.
    pub fn open(&self) {
        self.lock().closed = None;
    }

    /// No stream uses it any more.
    pub fn close(&self) {
        self.lock().closed.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Whether there is a thread that sends.
    pub fn is_busy(&self) -> bool {
        self.lock().has_sender
    }

    /// One line more, or its loss. True when a thread must be started that sends.
    pub fn push(&self, line: ForwardedLine, entries: &mut Entries) -> bool {
        let mut state = self.lock();
        let size = line.text.len() + OVERHEAD;
        if state.bytes + size > FULL {
            let loss = match &state.failure {
                Some(reason) => Loss::new(1, &format_args!("{reason}, and too much waits for it")),
                None => Loss::new(1, &"it takes less than is forwarded"),
            };
            state.losses.add(&line.origin);
            state.account.settle(Err(loss), entries);
            return false;
        }
        state.bytes += size;
        state.lines.push_back(line);
        let needs_sender = !mem::replace(&mut state.has_sender, true);
        drop(state);
        self.changed.notify_all();
        needs_sender
    }

    /// There is no thread: what waits stays for the next try, with the next line.
    pub fn lack_thread(&self, error: &dyn fmt::Display, entries: &mut Entries) {
        let mut state = self.lock();
        state.has_sender = false;
        state.account.settle(Err(Loss::new(0, error)), entries);
    }

    /// Takes the next lines, for which it waits. False when there will be none; then the sender must end.
    pub fn take(&self, batch: &mut VecDeque<ForwardedLine>) -> bool {
        let mut state = self.lock();
        while state.lines.is_empty() {
            if state.closed.is_some() || state.is_abandoned {
                state.has_sender = false;
                drop(state);
                self.changed.notify_all();
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while bytes < BATCH
            && let Some(line) = state.lines.pop_front()
        {
            bytes += line.text.len() + OVERHEAD;
            batch.push_back(line);
        }
        state.taken = batch.iter().map(|line| line.origin.clone()).collect();
        true
    }

    /// So many lines have been sent.
    pub fn delivered(&self, batch: &mut VecDeque<ForwardedLine>, count: usize, entries: &mut Entries) {
        let mut state = self.lock();
        if state.is_abandoned {
            return batch.clear();
        }
        state.forget(batch, count, false);
        state.failure = None;
        // While more comes than it takes, the trouble is not over.
        if state.taken.is_empty() && state.lines.is_empty() {
            state.account.settle(Ok(()), entries);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The service took nothing more.
    pub fn failed(&self, batch: &mut VecDeque<ForwardedLine>, failure: &Failure, entries: &mut Entries) {
        let mut state = self.lock();
        if state.is_abandoned {
            return batch.clear();
        }
        // Those before were most likely of the same stream as the next.
        for _ in 0..failure.lost_before {
            state.taken.front().into_iter().for_each(|origin| state.losses.add(origin));
        }
        state.forget(batch, failure.lost, true);
        state.failure = Some(failure.reason.clone());
        state.account.settle(Err(Loss::new(failure.lost + failure.lost_before, &failure.reason)), entries);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits before the service is tried again. False when it is not to be tried any more.
    pub fn pause(&self, length: Duration) -> bool {
        let (end, mut state) = (Instant::now() + length, self.lock());
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.is_abandoned || state.closed.is_some_and(|since| since.elapsed() > LINGER) {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The sender ends although something may wait, which is lost.
    pub fn give_up(&self, entries: &mut Entries) {
        let mut state = self.lock();
        state.has_sender = false;
        state.abandon(entries);
        state.is_abandoned = false;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the service has taken everything, or takes nothing, or this moment has come; what is left is lost.
    pub fn end(&self, deadline: Instant, entries: &mut Entries) {
        let mut state = self.lock();
        while state.taken.len() + state.lines.len() > 0 && state.failure.is_none() && state.has_sender {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.abandon(entries);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// The first lines of a batch are over, one way or the other.
    fn forget(&mut self, batch: &mut VecDeque<ForwardedLine>, count: usize, are_lost: bool) {
        let over = self.taken.drain(..count.min(self.taken.len()));
        over.filter(|_| are_lost).for_each(|origin| self.losses.add(&origin));
        let sizes = batch.drain(..count.min(batch.len())).map(|line| line.text.len() + OVERHEAD);
        self.bytes = self.bytes.saturating_sub(sizes.sum());
    }

    fn abandon(&mut self, entries: &mut Entries) {
        self.is_abandoned = true;
        let (taken, lines) = (mem::take(&mut self.taken), mem::take(&mut self.lines));
        let left = taken.len() + lines.len();
        taken.iter().chain(lines.iter().map(|line| &line.origin)).for_each(|origin| self.losses.add(origin));
        self.bytes = 0;
        self.account.close(left as u64, entries);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::line;
    use super::*;

    fn queue() -> LineQueue {
        LineQueue::new("udp://h:1".into(), Arc::default())
    }

    fn lost(queue: &LineQueue) -> u64 {
        queue.lock().losses.take().into_values().sum()
    }

    fn texts(entries: &Entries) -> Vec<&str> {
        entries.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted_once_it_is_over() {
        let (queue, mut entries, mut batch) = (queue(), Entries::new(), VecDeque::new());
        let text = "x".repeat(1 << 20);
        assert!(queue.push(line(&text), &mut entries), "the first line needs a sender");
        (0..6).for_each(|_| assert!(!queue.push(line(&text), &mut entries)));
        assert_eq!(texts(&entries), ["could not write to udp://h:1, output is lost: it takes less than is forwarded"]);
        for left in [2, 1, 0] {
            assert!(queue.take(&mut batch));
            assert_eq!(batch.len(), 1, "each is more than is sent at once");
            queue.delivered(&mut batch, 1, &mut entries);
            assert_eq!(entries.len(), if left > 0 { 1 } else { 2 });
        }
        assert_eq!(texts(&entries)[1..], ["udp://h:1 can be written again, 4 messages were lost"]);
        assert_eq!(queue.lock().bytes, 0);
        assert_eq!(lost(&queue), 4);
    }

    #[test]
    fn the_cause_of_the_trouble_is_said_when_too_much_waits() {
        let (queue, mut entries, mut batch) = (queue(), Entries::new(), VecDeque::new());
        let text = "x".repeat(1 << 20);
        assert!(queue.push(line(&text), &mut entries) && queue.take(&mut batch));
        queue.failed(&mut batch, &Failure { reason: "refused".to_owned(), lost: 0, lost_before: 0 }, &mut entries);
        (0..6).for_each(|_| assert!(!queue.push(line(&text), &mut entries)));
        let expected = [
            "could not write to udp://h:1, output waits: refused",
            "could not write to udp://h:1, output is lost: refused, and too much waits for it",
        ];
        assert_eq!(texts(&entries), expected);
    }

    #[test]
    fn what_waits_at_the_end_is_counted() {
        let (queue, mut entries, mut batch) = (queue(), Entries::new(), VecDeque::new());
        (0..3).for_each(|_| _ = queue.push(line("x"), &mut entries));
        assert!(queue.take(&mut batch));
        let failure = Failure { reason: "refused".to_owned(), lost: 1, lost_before: 1 };
        queue.failed(&mut batch, &failure, &mut entries);
        queue.end(Instant::now() + Duration::from_secs(600), &mut entries);
        assert!(!queue.pause(Duration::from_secs(600)), "nobody waits any more");
        queue.delivered(&mut batch, 1, &mut entries);
        assert!(batch.is_empty());
        let expected = ["could not write to udp://h:1, output is lost: refused", "4 messages for udp://h:1 were lost"];
        assert_eq!(texts(&entries), expected);
        assert_eq!((lost(&queue), lost(&queue)), (4, 0), "two at the failure, two at the end");
    }

    #[test]
    fn a_queue_that_nobody_uses_ends_its_sender_and_may_be_used_again() {
        let (queue, mut entries, mut batch) = (queue(), Entries::new(), VecDeque::new());
        assert!(queue.push(line("x"), &mut entries));
        queue.close();
        assert!(queue.take(&mut batch), "what waits is sent");
        queue.delivered(&mut batch, 1, &mut entries);
        assert!(!queue.take(&mut batch) && !queue.is_busy());
        queue.open();
        assert!(queue.push(line("y"), &mut entries), "another sender is needed");
    }
}
