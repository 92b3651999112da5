//! Readings of the configuration: one after the other, and none for ever.
//!
//! A disk or a name server that does not answer keeps a reading. It is given up after a while, so that the next one has its turn;
//! while some are kept like that, no further thread is spent on others.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use supervisord_core::call::{Reason, Refusal};
use tokio::sync;
use tokio::time::timeout;

use crate::blocking::BlockingThreads;
use crate::calls::CallFailure;
use crate::host::{MOST_UNFINISHED_READINGS, READING_LIMIT};

/// Whether a reading is done or given up: whoever says so first decides which of them.
#[derive(Default)]
struct Decision(AtomicBool);

impl Decision {
    /// Whether this is the first word.
    fn decide(&self) -> bool {
        self.0.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// The readings of a daemon.
pub(super) struct Readings {
    /// Held from the beginning of a reading until its call is sent, so that an older one never overtakes a newer.
    turn: sync::Mutex<()>,
    limit: Duration,
    /// Those that were given up, each as long as it lasts.
    kept: Mutex<Vec<Weak<Decision>>>,
}

/// The turn of one reading.
pub(super) struct ReadingTurn<'a> {
    readings: &'a Readings,
    _turn: sync::MutexGuard<'a, ()>,
}

impl Default for Readings {
    fn default() -> Readings {
        Readings { turn: sync::Mutex::default(), limit: READING_LIMIT, kept: Mutex::default() }
    }
}

impl Readings {
    /// Waits for the readings that were asked for before.
    pub async fn turn(&self) -> ReadingTurn<'_> {
        ReadingTurn { _turn: self.turn.lock().await, readings: self }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Weak<Decision>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|reading| reading.strong_count() > 0);
        kept
    }
}

impl ReadingTurn<'_> {
    /// Reads on a thread that may be kept. A result that comes too late is dropped on that thread.
    ///
    /// # Errors
    /// It takes too long, or others have taken too long and are still kept.
    pub async fn read<T: Send + 'static>(
        &self,
        threads: &BlockingThreads,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallFailure> {
        let Readings { limit, .. } = self.readings;
        if self.readings.kept().len() >= MOST_UNFINISHED_READINGS {
            return Err(refusal("earlier readings of the configuration still wait for a disk or a name server"));
        }
        let decision = Arc::new(Decision::default());
        let of_work = decision.clone();
        let mut reading = pin!(threads.run(move || {
            let done = work();
            of_work.decide().then_some(done)
        }));
        let done = match timeout(*limit, &mut reading).await {
            Ok(done) => done?,
            Err(_) if decision.decide() => None,
            // It was done at the last moment.
            Err(_) => reading.await?,
        };
        done.ok_or_else(|| {
            self.readings.kept().push(Arc::downgrade(&decision));
            let text = "the configuration cannot be read: a disk or a name server has not responded for ";
            refusal(&format!("{text}{} seconds", limit.as_secs()))
        })
    }
}

fn refusal(text: &str) -> CallFailure {
    Refusal::with(Reason::CannotReread, text).into()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_reading_that_hangs_does_not_hold_up_the_next_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let readings = Readings { limit: Duration::from_millis(1), ..Readings::default() };
        let threads = BlockingThreads::default();
        let hang = || {
            let (release, held) = channel::<()>();
            let read = async {
                let turn = readings.turn().await;
                turn.read(&threads, move || held.recv().is_err()).await
            };
            assert!(
                matches!(runtime.block_on(read), Err(CallFailure::Refused(refusal)) if refusal.is(Reason::CannotReread))
            );
            release
        };
        let held: Vec<_> = (0..MOST_UNFINISHED_READINGS).map(|_| hang()).collect();
        let readings = Readings { limit: READING_LIMIT, ..readings };
        let read = || runtime.block_on(async { readings.turn().await.read(&threads, || 1).await });
        assert!(read().is_err(), "no more threads are spent");
        drop(held);
        while read().is_err() {
            std::thread::yield_now();
        }
        // The others end a moment later.
        while !readings.kept().is_empty() {
            std::thread::yield_now();
        }
        threads.close(READING_LIMIT);
    }

    #[test]
    fn what_comes_too_late_is_dropped_where_it_was_made() {
        struct Result(std::sync::mpsc::Sender<Option<String>>);
        impl Drop for Result {
            fn drop(&mut self) {
                let _ = self.0.send(std::thread::current().name().map(str::to_owned));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let readings = Readings { limit: Duration::from_millis(1), ..Readings::default() };
        let threads = BlockingThreads::default();
        let (release, held) = channel::<()>();
        let (dropped, drops) = channel();
        let read = async {
            let work = move || {
                let _ = held.recv();
                Result(dropped)
            };
            readings.turn().await.read(&threads, work).await.map(drop)
        };
        assert!(runtime.block_on(read).is_err());
        assert!(drops.try_recv().is_err(), "it is still being made");
        drop(release);
        let name = drops.recv().expect("it is dropped");
        assert_ne!(name.as_deref(), std::thread::current().name());
        threads.close(READING_LIMIT);
    }

    #[test]
    fn a_reading_is_either_done_or_given_up() {
        let decision = Decision::default();
        assert_eq!([decision.decide(), decision.decide()], [true, false]);
    }
}
