//! Time limits of calls.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::error::ClientError;

/// A call without an answer for this long is reported.
const SILENCE_NOTICE_AFTER: Duration = Duration::from_secs(5);

/// What happens while a call has no answer; by default nothing.
#[derive(Clone, Default)]
pub(super) struct WaitPolicy {
    /// The time limit of a call; none for no limit.
    pub(super) limit: Option<Duration>,
    /// Called once for each silent call.
    pub(super) on_silence: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl WaitPolicy {
    /// Starts the clock of a call. Silence of a call that is expected to take long is not reported.
    pub(super) fn wait(&self, takes_time: bool) -> Wait {
        let on_silence = self.on_silence.clone().filter(|_| !takes_time);
        Wait { started: Instant::now(), limit: self.limit, takes_time, on_silence }
    }
}

/// The clock of one call, including the connection.
pub(super) struct Wait {
    started: Instant,
    limit: Option<Duration>,
    takes_time: bool,
    on_silence: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Wait {
    /// The time until the next action is due; none if there is none.
    fn next(&self) -> Option<Duration> {
        let silence = self.on_silence.as_ref().map(|_| SILENCE_NOTICE_AFTER);
        let next = silence.into_iter().chain(self.limit).min()?;
        Some(next.saturating_sub(self.started.elapsed()))
    }

    /// Reports silence and enforces the limit, if they are due.
    fn check_limits(&mut self) -> Result<(), ClientError> {
        let elapsed = self.started.elapsed();
        if elapsed >= SILENCE_NOTICE_AFTER
            && let Some(notify) = self.on_silence.take()
        {
            notify();
        }
        match self.limit {
            Some(limit) if elapsed >= limit => Err(ClientError::Timeout { limit, takes_time: self.takes_time }),
            _ => Ok(()),
        }
    }

    /// Awaits a future, which runs on a runtime with a clock.
    pub(super) async fn run<T>(
        &mut self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let mut work = pin!(work);
        loop {
            let Some(next) = self.next() else { return work.await };
            match tokio::time::timeout(next, &mut work).await {
                Ok(result) => return result,
                Err(_) => self.check_limits()?,
            }
        }
    }

    /// Waits for a blocking function on a thread. After the limit the thread continues, and its result is dropped.
    pub(super) fn run_blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        if self.next().is_none() {
            return work();
        }
        let (done, result) = channel();
        let worker = thread::Builder::new().name("connect".into());
        worker.spawn(move || drop(done.send(work()))).map_err(ClientError::Io)?;
        loop {
            let received = match self.next() {
                Some(next) => result.recv_timeout(next),
                None => result.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => self.check_limits()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ClientError::Io(io::Error::other("the connection was given up")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(elapsed: Duration, limit: Option<Duration>) -> (Wait, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let on_silence = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let policy = WaitPolicy { limit, on_silence: Some(Arc::new(on_silence)) };
        let mut wait = policy.wait(false);
        wait.started = Instant::now().checked_sub(elapsed).unwrap();
        (wait, count)
    }

    #[test]
    fn silence_is_reported_once_and_the_limit_ends_the_call() {
        let (mut wait, count) = at(Duration::from_secs(6), Some(Duration::from_secs(60)));
        assert_eq!(wait.next(), Some(Duration::ZERO));
        assert!(wait.check_limits().is_ok() && wait.check_limits().is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(wait.next().unwrap() > Duration::from_secs(50));
        let (mut wait, _) = at(Duration::from_secs(61), Some(Duration::from_secs(60)));
        assert!(matches!(wait.check_limits(), Err(ClientError::Timeout { .. })));
    }

    #[test]
    fn without_limit_a_call_waits_for_ever() {
        assert_eq!(WaitPolicy::default().wait(false).next(), None);
        let (wait, _) = at(Duration::ZERO, None);
        let policy = WaitPolicy { limit: None, on_silence: wait.on_silence };
        assert_eq!(policy.wait(true).next(), None);
    }

    #[test]
    fn a_blocking_function_is_abandoned_after_the_limit() {
        let (mut wait, _) = at(Duration::ZERO, Some(Duration::from_millis(1)));
        let (end, ended) = channel::<()>();
        let result = wait.run_blocking(move || Ok(ended.recv().is_ok()));
        assert!(matches!(result, Err(ClientError::Timeout { .. })));
        drop(end);
    }
}
