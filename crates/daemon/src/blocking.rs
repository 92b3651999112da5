//! Threads for work that may block: reading logs and configuration files, starting plug-in processes.
//!
//! They exist only while there is such work. Where the system gives no thread, the work is refused: that is a fault of
//! one request, and never a panic.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use supervisord_sys::signal;
use tokio::sync::oneshot;

/// How many threads there are at most. More work waits.
const MOST: usize = 32;

/// How long a thread waits for more work.
const IDLE: Duration = Duration::from_secs(10);

/// After which time work counts as hanging.
const HANGS_AFTER: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one network plane. Clones share them.
#[derive(Clone, Default)]
pub struct BlockingThreads {
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    /// There is a job, or an end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// How many of them wait for a job.
    idle: usize,
    /// When the jobs were begun that are being done, by their numbers.
    begun: BTreeMap<u64, Instant>,
    next_job: u64,
    is_closed: bool,
}

/// Why some work has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The system gives no thread.
    NoThread,
    /// It panicked, or the plane has ended.
    Ended,
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotDone::NoThread => "the system cannot make a thread",
            NotDone::Ended => "it was not finished",
        })
    }
}

impl BlockingThreads {
    /// Runs what may wait for a disk.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
        let (job, result) = job(work);
        self.pool.submit(job).map_err(|_| NotDone::NoThread)?;
        result.await.map_err(|_| NotDone::Ended)
    }

    /// Runs what may wait for a disk and has no result. Without a thread it is done on this one, for want of better.
    pub fn run_detached(&self, work: impl FnOnce() + Send + 'static) {
        let (job, _) = job(work);
        if let Err(job) = self.pool.submit(job) {
            job();
        }
    }

    /// Runs what takes a processor for a while, and no disk. Without a thread it is done on this one, for want of better.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
        let (job, result) = job(work);
        if let Err(job) = self.pool.submit(job) {
            job();
        }
        result.await.map_err(|_| NotDone::Ended)
    }

    /// Whether some work has taken longer than it ever should, because a disk or a name server does not answer.
    pub fn hangs(&self) -> bool {
        self.pool.state().begun.values().any(|begun| begun.elapsed() >= HANGS_AFTER)
    }

    /// Waits until no work is being done, but not for longer than this. False where some still is.
    pub fn wait_until_idle(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.pool.state();
        while !state.begun.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.pool.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Ends the threads. Those that are still at work are waited for so long, and then left alone.
    pub fn close(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.pool.state();
        state.is_closed = true;
        state.queue.clear();
        self.pool.changed.notify_all();
        while state.threads > 0 && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            state = self.pool.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn job<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Job, oneshot::Receiver<T>) {
    let (reply, result) = oneshot::channel();
    let job = move || {
        if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
            // Whoever asked may be gone.
            let _ = reply.send(value);
        }
    };
    (Box::new(job), result)
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job done by some thread; gives it back where there is none and none can be made.
    fn submit(self: &Arc<Pool>, job: Job) -> Result<(), Job> {
        let mut state = self.state();
        if state.is_closed {
            // Nobody waits for the result any more.
            return Ok(());
        }
        if state.queue.len() >= state.idle && state.threads < MOST {
            let pool = self.clone();
            match std::thread::Builder::new().name("blocking".to_owned()).spawn(move || pool.work()) {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return Err(job),
                Err(_) => (),
            }
        }
        state.queue.push_back(job);
        // The thread that is woken needs the lock.
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn work(&self) {
        signal::block_in_this_thread();
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                let number = state.next_job;
                state.next_job += 1;
                state.begun.insert(number, Instant::now());
                drop(state);
                job();
                state = self.state();
                state.begun.remove(&number);
                self.changed.notify_all();
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let (woken, waited) = self.changed.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
    }

    #[test]
    fn work_is_done_side_by_side_and_a_panic_is_only_its_own() {
        let threads = BlockingThreads::default();
        let (first, second) = mpsc::channel();
        runtime().block_on(async {
            // Each waits for the other.
            let (back, forth) = mpsc::channel();
            let (a, b) = tokio::join!(
                threads.run(move || first.send(1).and(Ok(forth.recv()))),
                threads.run(move || second.recv().map(|one| back.send(one + 1)))
            );
            assert_eq!(a, Ok(Ok(Ok(2))));
            assert!(b.is_ok());
            assert_eq!(threads.run(|| panic!("only this one")).await, Err::<(), _>(NotDone::Ended));
            assert_eq!(threads.compute(|| 3).await, Ok(3));
        });
        threads.close(Duration::from_secs(20));
        assert_eq!(threads.pool.state().threads, 0);
        assert_eq!(runtime().block_on(threads.run(|| 3)), Err(NotDone::Ended));
    }

    #[test]
    fn it_is_known_whether_work_is_being_done() {
        let threads = BlockingThreads::default();
        let (release, held) = mpsc::channel::<()>();
        runtime().block_on(async {
            let mut work = Box::pin(threads.run(move || held.recv().is_err()));
            assert!(tokio::time::timeout(Duration::ZERO, &mut work).await.is_err());
            while threads.wait_until_idle(Duration::ZERO) {
                std::thread::yield_now();
            }
            assert!(!threads.hangs(), "it has not taken long yet");
            for begun in threads.pool.state().begun.values_mut() {
                *begun -= HANGS_AFTER;
            }
            assert!(threads.hangs());
            drop(release);
            assert_eq!(work.await, Ok(true));
        });
        assert!(threads.wait_until_idle(Duration::from_secs(20)) && !threads.hangs());
    }

    #[test]
    fn there_are_only_so_many_and_more_work_waits() {
        let threads = BlockingThreads::default();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        runtime().block_on(async {
            let mut work: Vec<_> = (0..2 * MOST)
                .map(|_| {
                    let (held, threads) = (held.clone(), threads.clone());
                    Box::pin(
                        async move { threads.run(move || held.lock().is_ok_and(|held| held.recv().is_err())).await },
                    )
                })
                .collect();
            for one in &mut work {
                // Begins it.
                assert!(tokio::time::timeout(Duration::ZERO, one).await.is_err());
            }
            assert_eq!(threads.pool.state().threads, MOST);
            drop(release);
            for one in work {
                assert_eq!(one.await, Ok(true));
            }
        });
    }
}
