//! How far the activity log has got, so that whoever answers a client can wait until what the answer shows is in it.
//!
//! Nobody is woken as long as nobody waits, and a disk that hangs holds an answer up once, for a moment.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// The longest time an answer waits for the activity log.
const BOUND: Duration = Duration::from_millis(100);

/// How many lines have been handed to the output plane, and how many it has written.
#[derive(Debug, Default)]
pub struct LogProgress {
    queued: AtomicU64,
    written: AtomicU64,
    /// Whether somebody waits.
    is_awaited: AtomicBool,
    /// Whether somebody has waited in vain, and nothing has been written since.
    is_stalled: AtomicBool,
    advanced: Notify,
}

impl LogProgress {
    /// How many lines have been handed over so far.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::SeqCst)
    }

    /// Waits until as many lines have been written, for a bounded time; not at all while the log stalls.
    pub async fn reach(&self, lines: u64) {
        if self.has_reached(lines) || self.is_stalled.load(Ordering::SeqCst) {
            return;
        }
        if timeout(BOUND, self.reached(lines)).await.is_err() {
            self.is_stalled.store(true, Ordering::SeqCst);
        }
    }

    async fn reached(&self, lines: u64) {
        loop {
            let mut advanced = pin!(self.advanced.notified());
            advanced.as_mut().enable();
            self.is_awaited.store(true, Ordering::SeqCst);
            // What is written from here on is told.
            if self.has_reached(lines) {
                return;
            }
            advanced.await;
        }
    }

    fn has_reached(&self, lines: u64) -> bool {
        self.written.load(Ordering::SeqCst) >= lines
    }

    /// One more line has been handed over.
    pub(crate) fn queue(&self) {
        self.queued.fetch_add(1, Ordering::SeqCst);
    }

    /// So many more lines have been written.
    pub(crate) fn advance(&self, lines: u64) {
        self.written.fetch_add(lines, Ordering::SeqCst);
        self.tell();
    }

    /// Nothing more will be written.
    pub(crate) fn end(&self) {
        self.written.store(u64::MAX, Ordering::SeqCst);
        self.tell();
    }

    fn tell(&self) {
        self.is_stalled.store(false, Ordering::SeqCst);
        if self.is_awaited.swap(false, Ordering::SeqCst) {
            self.advanced.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::sync::Arc;
    use std::task::Poll;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// Whether nothing is waited for until so many lines are written.
    async fn is_immediate(progress: &LogProgress, lines: u64) -> bool {
        let mut reach = pin!(progress.reach(lines));
        poll_fn(|context| Poll::Ready(reach.as_mut().poll(context).is_ready())).await
    }

    #[test]
    fn what_is_written_already_is_not_waited_for() {
        run(async {
            let progress = LogProgress::default();
            progress.queue();
            progress.advance(1);
            assert!(is_immediate(&progress, progress.queued()).await);
            assert!(!progress.is_awaited.load(Ordering::SeqCst), "nobody is to be woken");
        });
    }

    #[test]
    fn the_wait_ends_with_the_line_it_is_for() {
        let progress = Arc::new(LogProgress::default());
        let writer = progress.clone();
        let thread = std::thread::spawn(move || {
            for _ in 0..2 {
                while !writer.is_awaited.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                writer.advance(1);
            }
        });
        run(progress.reached(2));
        thread.join().expect("no panic");
        assert!(progress.has_reached(2));
    }

    #[test]
    fn a_log_that_stalls_is_waited_for_once() {
        run(async {
            let progress = LogProgress::default();
            assert!(!is_immediate(&progress, 1).await);
            progress.reach(1).await;
            assert!(is_immediate(&progress, 1).await, "it has been waited for in vain");
            progress.advance(1);
            assert!(!is_immediate(&progress, 2).await, "it goes on, and is waited for again");
            progress.end();
            assert!(is_immediate(&progress, 3).await);
        });
    }
}
