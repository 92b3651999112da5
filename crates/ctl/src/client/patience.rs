//! How long an answer is waited for.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::ClientError;

/// After this time without an answer somebody is told.
const SILENCE: Duration = Duration::from_secs(5);

/// What happens while there is no answer: nothing, unless somebody asks for it.
#[derive(Clone, Default)]
pub(super) struct Patience {
    /// When to give up.
    pub(super) limit: Option<Duration>,
    /// Who is told, once for each call.
    pub(super) told: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Patience {
    /// Begins to wait for a call. Of one that is expected to take its time nobody is told.
    pub(super) fn wait(&self, takes_time: bool) -> Wait {
        let told = self.told.clone().filter(|_| !takes_time);
        Wait { began: Instant::now(), limit: self.limit, told }
    }
}

/// The wait for one call: to be connected, and for the answer.
pub(super) struct Wait {
    began: Instant,
    limit: Option<Duration>,
    told: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Wait {
    /// How long to wait until something is to be done; none for ever.
    fn next(&self) -> Option<Duration> {
        let silence = self.told.as_ref().map(|_| SILENCE);
        let next = silence.into_iter().chain(self.limit).min()?;
        Some(next.saturating_sub(self.began.elapsed()))
    }

    /// Does what is due.
    fn act(&mut self) -> Result<(), ClientError> {
        let elapsed = self.began.elapsed();
        if elapsed >= SILENCE
            && let Some(tell) = self.told.take()
        {
            tell();
        }
        match self.limit {
            Some(limit) if elapsed >= limit => Err(ClientError::Timeout(limit)),
            _ => Ok(()),
        }
    }

    /// Waits for what a runtime with a clock works on.
    pub(super) async fn patiently<T>(
        &mut self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let mut work = pin!(work);
        loop {
            let Some(next) = self.next() else { return work.await };
            match tokio::time::timeout(next, &mut work).await {
                Ok(result) => return result,
                Err(_) => self.act()?,
            }
        }
    }

    /// Waits for something that can only block. After the limit it goes on by itself, and nobody hears of it.
    pub(super) fn patiently_blocking<T: Send + 'static>(
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
                Err(RecvTimeoutError::Timeout) => self.act()?,
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
        let told = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let patience = Patience { limit, told: Some(Arc::new(told)) };
        let mut wait = patience.wait(false);
        wait.began = Instant::now().checked_sub(elapsed).unwrap();
        (wait, count)
    }

    #[test]
    fn somebody_is_told_once_and_the_limit_ends_it() {
        let (mut wait, count) = at(Duration::from_secs(6), Some(Duration::from_secs(60)));
        assert_eq!(wait.next(), Some(Duration::ZERO));
        assert!(wait.act().is_ok() && wait.act().is_ok());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(wait.next().unwrap() > Duration::from_secs(50));
        let (mut wait, _) = at(Duration::from_secs(61), Some(Duration::from_secs(60)));
        assert!(matches!(wait.act(), Err(ClientError::Timeout(_))));
    }

    #[test]
    fn without_patience_to_lose_it_waits_for_ever() {
        assert_eq!(Patience::default().wait(false).next(), None);
        let (wait, _) = at(Duration::ZERO, None);
        let patience = Patience { limit: None, told: wait.told };
        assert_eq!(patience.wait(true).next(), None);
    }

    #[test]
    fn what_blocks_is_left_behind_after_the_limit() {
        let (mut wait, _) = at(Duration::ZERO, Some(Duration::from_millis(1)));
        let (end, ended) = channel::<()>();
        let result = wait.patiently_blocking(move || Ok(ended.recv().is_ok()));
        assert!(matches!(result, Err(ClientError::Timeout(_))));
        drop(end);
    }
}
