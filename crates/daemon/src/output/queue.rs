//! The way into the output plane: a queue that never blocks the sender and is bounded in bytes.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::message::OutputRequest;
use crate::activity::LogProgress;
use crate::notifier::Notifier;

/// The most bytes of lines of the activity log, and of the audit log, that wait to be written.
const ACTIVITY_LIMIT: usize = 16 << 20;
/// The most bytes of listener output that wait to be written.
const WRITE_LIMIT: usize = 16 << 20;

/// The sending end; clones share one queue.
#[derive(Clone)]
pub struct OutputHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Set once the thread runs; until then requests just wait.
    notifier: OnceLock<Notifier>,
    /// Whether requests have been put off.
    is_ring_due: AtomicBool,
    progress: Arc<LogProgress>,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<OutputRequest>,
    activity_bytes: usize,
    audit_bytes: usize,
    write_bytes: usize,
    dropped: Dropped,
    closed: bool,
}

/// What did not fit into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Activity log lines.
    pub lines: u64,
    /// Audit log lines.
    pub audit_lines: u64,
    /// Bytes of listener output.
    pub bytes: u64,
}

impl OutputHandle {
    /// A queue that no thread takes anything out of yet.
    pub(crate) fn new() -> OutputHandle {
        OutputHandle { shared: Arc::default() }
    }

    /// Hands over a request; never blocks. Activity lines, audit lines and listener output beyond 16 MiB each are dropped and
    /// counted in a later line of the activity log. After the thread has ended all requests are dropped.
    pub fn send(&self, request: OutputRequest) {
        self.leave(request);
        self.ring();
    }

    /// The same, but wakes nobody: the request waits for the next one that is sent, or for [`OutputHandle::ring`].
    pub fn leave(&self, request: OutputRequest) {
        let mut waiting = self.lock();
        if waiting.closed || !waiting.admits(&request) {
            return;
        }
        if let OutputRequest::JournalBegin { .. } = request {
            waiting.forget_journal();
        }
        if let OutputRequest::Activity { .. } = request {
            self.shared.progress.queue();
        }
        waiting.requests.push_back(request);
    }

    /// The same, for a sender that does more of it in the same turn of its loop: nobody is woken before
    /// [`OutputHandle::ring_if_due`], or the next request that is sent.
    pub fn put_off(&self, request: OutputRequest) {
        self.leave(request);
        self.shared.is_ring_due.store(true, Ordering::Release);
    }

    /// Has the thread look at what was put off, if anything was.
    pub fn ring_if_due(&self) {
        if self.shared.is_ring_due.swap(false, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// How far the activity log has got.
    pub fn progress(&self) -> &Arc<LogProgress> {
        &self.shared.progress
    }

    /// Takes all requests, in order, and the account of those that did not fit.
    pub(super) fn take(&self) -> (VecDeque<OutputRequest>, Dropped) {
        let mut waiting = self.lock();
        waiting.activity_bytes = 0;
        waiting.audit_bytes = 0;
        waiting.write_bytes = 0;
        (mem::take(&mut waiting.requests), mem::take(&mut waiting.dropped))
    }

    /// Drops what waits and everything to come.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let left = mem::take(&mut waiting.requests);
        drop(waiting);
        drop(left);
        self.shared.progress.end();
    }

    pub(super) fn set_notifier(&self, notifier: Notifier) {
        // The thread is started once.
        let _ = self.shared.notifier.set(notifier);
    }

    /// Has the thread look at what waits.
    pub fn ring(&self) {
        if let Some(notifier) = self.shared.notifier.get() {
            notifier.notify();
        }
    }

    /// The thread has been woken, and looks at what waits next.
    pub(super) fn answer(&self) {
        if let Some(notifier) = self.shared.notifier.get() {
            notifier.acknowledge();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn admits(&mut self, request: &OutputRequest) -> bool {
        match request {
            OutputRequest::Activity { line } if self.activity_bytes + line.len() > ACTIVITY_LIMIT => {
                self.dropped.lines += 1;
                return false;
            }
            OutputRequest::Write { bytes, .. } if self.write_bytes + bytes.len() > WRITE_LIMIT => {
                self.dropped.bytes += bytes.len() as u64;
                return false;
            }
            OutputRequest::Audit { line } if self.audit_bytes + line.len() > ACTIVITY_LIMIT => {
                self.dropped.audit_lines += 1;
                return false;
            }
            OutputRequest::Activity { line } => self.activity_bytes += line.len(),
            OutputRequest::Audit { line } => self.audit_bytes += line.len(),
            OutputRequest::Write { bytes, .. } => self.write_bytes += bytes.len(),
            _ => {}
        }
        true
    }

    /// A state file that begins anew needs nothing of what was to be written before.
    fn forget_journal(&mut self) {
        self.requests
            .retain(|request| !matches!(request, OutputRequest::JournalBegin { .. } | OutputRequest::Journal { .. }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::message::RunId;

    fn line(length: usize) -> OutputRequest {
        OutputRequest::Activity { line: "x".repeat(length) }
    }

    #[test]
    fn requests_keep_their_order() {
        let handle = OutputHandle::new();
        handle.send(OutputRequest::Drain { run: RunId(1), marker: None });
        handle.clone().send(OutputRequest::Drain { run: RunId(2), marker: None });
        let (requests, dropped) = handle.take();
        let runs: Vec<u64> = requests
            .iter()
            .map(|request| if let OutputRequest::Drain { run, .. } = request { run.0 } else { 0 })
            .collect();
        assert_eq!(runs, [1, 2]);
        assert_eq!(dropped, Dropped::default());
    }

    #[test]
    fn what_is_put_off_is_announced_once_at_the_end_of_the_turn() {
        let mut poll = mio::Poll::new().expect("a loop");
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
        let mut events = mio::Events::with_capacity(8);
        let mut is_woken = || {
            poll.poll(&mut events, Some(std::time::Duration::ZERO)).expect("it waits");
            !events.is_empty()
        };
        let handle = OutputHandle::new();
        handle.set_notifier(Notifier::new(waker));
        handle.ring_if_due();
        assert!(!is_woken(), "nothing waits");
        handle.put_off(line(1));
        handle.put_off(line(1));
        assert!(!is_woken());
        handle.ring_if_due();
        assert!(is_woken());
        handle.answer();
        handle.ring_if_due();
        assert!(!is_woken(), "it has been announced");
        assert_eq!(handle.take().0.len(), 2);
    }

    #[test]
    fn lines_beyond_the_limit_are_dropped_and_counted_once() {
        let handle = OutputHandle::new();
        handle.send(line(ACTIVITY_LIMIT - 1));
        handle.send(line(2));
        handle.send(line(1));
        handle.send(line(1));
        let (requests, dropped) = handle.take();
        assert_eq!((requests.len(), dropped), (2, Dropped { lines: 2, ..Dropped::default() }));
        handle.send(line(2));
        let (requests, dropped) = handle.take();
        assert_eq!((requests.len(), dropped), (1, Dropped::default()));
    }

    #[test]
    fn a_state_file_that_begins_anew_replaces_what_waits_for_it() {
        let handle = OutputHandle::new();
        let begin = |content: &str| OutputRequest::JournalBegin { path: "/s".to_owned(), content: content.into() };
        for request in [begin("1"), OutputRequest::Journal { line: b"a".to_vec() }, line(1), begin("2")] {
            handle.send(request);
        }
        handle.send(OutputRequest::Journal { line: b"b".to_vec() });
        let kinds: String = handle
            .take()
            .0
            .iter()
            .map(|request| match request {
                OutputRequest::JournalBegin { content, .. } => char::from(content[0]),
                OutputRequest::Journal { line } => char::from(line[0]),
                _ => '-',
            })
            .collect();
        assert_eq!(kinds, "-2b");
    }

    #[test]
    fn a_closed_queue_takes_nothing() {
        let handle = OutputHandle::new();
        handle.send(line(1));
        handle.close();
        handle.send(line(1));
        assert_eq!(handle.take().0.len(), 0);
    }
}
