//! Readings of the configuration: one after the other, and none for ever.
//!
//! A disk or a name server that does not answer keeps a reading. It is given up after a while, so that the next one has its turn;
//! while some are kept like that, no further thread is spent on others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use supervisord_core::call::{Reason, Refusal};
use tokio::sync;
use tokio::time::timeout;

use crate::blocking::BlockingThreads;
use crate::calls::CallFailure;

/// How long a reading may take. A main file that is a pipe is waited for half as long.
const LIMIT: Duration = Duration::from_secs(60);

/// How many readings that were given up may still be kept.
const MOST_KEPT: usize = 4;

/// Whether nobody waits any more for what is being read.
pub(super) type Abandonment = AtomicBool;

/// The readings of a daemon.
pub(super) struct Readings {
    /// Held from the beginning of a reading until its call is sent, so that an older one never overtakes a newer.
    turn: sync::Mutex<()>,
    limit: Duration,
    /// Those that were given up, each as long as it lasts.
    kept: Mutex<Vec<Weak<Abandonment>>>,
}

/// The turn of one reading.
pub(super) struct ReadingTurn<'a> {
    readings: &'a Readings,
    _turn: sync::MutexGuard<'a, ()>,
}

impl Default for Readings {
    fn default() -> Readings {
        Readings { turn: sync::Mutex::default(), limit: LIMIT, kept: Mutex::default() }
    }
}

impl Readings {
    /// Waits for the readings that were asked for before.
    pub async fn turn(&self) -> ReadingTurn<'_> {
        ReadingTurn { _turn: self.turn.lock().await, readings: self }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Weak<Abandonment>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|reading| reading.strong_count() > 0);
        kept
    }
}

impl ReadingTurn<'_> {
    /// Reads on a thread that may be kept. What it is given says whether its result has come too late.
    ///
    /// # Errors
    /// It takes too long, or others have taken too long and are still kept.
    pub async fn read<T: Send + 'static>(
        &self,
        threads: &BlockingThreads,
        work: impl FnOnce(&Abandonment) -> T + Send + 'static,
    ) -> Result<T, CallFailure> {
        let Readings { limit, .. } = self.readings;
        if self.readings.kept().len() >= MOST_KEPT {
            return Err(refusal("earlier readings of the configuration still wait for a disk or a name server"));
        }
        let abandonment = Arc::new(Abandonment::new(false));
        let of_work = abandonment.clone();
        match timeout(*limit, threads.run(move || work(&of_work))).await {
            Ok(done) => Ok(done?),
            Err(_) => {
                abandonment.store(true, Ordering::SeqCst);
                self.readings.kept().push(Arc::downgrade(&abandonment));
                let text = "the configuration cannot be read: a disk or a name server has not responded for ";
                Err(refusal(&format!("{text}{} seconds", limit.as_secs())))
            }
        }
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
                turn.read(&threads, move |abandonment| (held.recv().is_err(), abandonment.load(Ordering::SeqCst))).await
            };
            assert!(
                matches!(runtime.block_on(read), Err(CallFailure::Refused(refusal)) if refusal.is(Reason::CannotReread))
            );
            release
        };
        let held: Vec<_> = (0..MOST_KEPT).map(|_| hang()).collect();
        let readings = Readings { limit: LIMIT, ..readings };
        let read = || runtime.block_on(async { readings.turn().await.read(&threads, |_| 1).await });
        assert!(read().is_err(), "no more threads are spent");
        drop(held);
        while read().is_err() {
            std::thread::yield_now();
        }
        // The others end a moment later.
        while !readings.kept().is_empty() {
            std::thread::yield_now();
        }
        threads.close(LIMIT);
    }
}
