//! Whether something has changed since it was read last, and waiting for that. It costs nothing while nobody waits: no
//! wake-up and no memory, only a number that is counted up.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The revisions of something that one thread changes and others read.
#[derive(Debug, Default)]
pub struct Revisions {
    present: AtomicU64,
    /// How many wait. It is changed before a waiter looks at the revision, and read after the revision was changed, so that
    /// one of the two always sees the other.
    waiters: AtomicUsize,
    changed: Notify,
}

impl Revisions {
    /// The present revision. Who reads it before anything else misses no change by waiting for one after it.
    pub fn present(&self) -> u64 {
        self.present.load(Ordering::SeqCst)
    }

    /// Something has changed, and can be read by now.
    pub fn advance(&self) {
        self.present.fetch_add(1, Ordering::SeqCst);
        if self.waiters.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until there is a revision after this one.
    pub async fn after(&self, revision: u64) {
        if self.present() > revision {
            return;
        }
        let _waiter = Waiter::new(&self.waiters);
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on it is told of changes.
            changed.as_mut().enable();
            if self.present() > revision {
                return;
            }
            changed.await;
        }
    }
}

/// Counts as waiting until it is dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl Waiter<'_> {
    fn new(waiters: &AtomicUsize) -> Waiter<'_> {
        waiters.fetch_add(1, Ordering::SeqCst);
        Waiter(waiters)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::*;

    /// Whether somebody who waits is through by now, and whether he was woken.
    fn is_through(waiting: &mut std::pin::Pin<&mut impl Future<Output = ()>>, wakings: &Arc<Wakings>) -> (bool, usize) {
        let waker = wakings.clone().into();
        let is_ready = waiting.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
        (is_ready, wakings.0.load(Ordering::SeqCst))
    }

    #[derive(Default)]
    struct Wakings(AtomicUsize);

    impl std::task::Wake for Wakings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_by_the_next_revision_and_by_no_other() {
        let (revisions, wakings) = (Revisions::default(), Arc::<Wakings>::default());
        let seen = revisions.present();
        {
            let mut waiting = pin!(revisions.after(seen));
            assert_eq!(is_through(&mut waiting, &wakings), (false, 0));
            revisions.advance();
            assert_eq!(is_through(&mut waiting, &wakings), (true, 1));
        }
        revisions.advance();
        assert_eq!((wakings.0.load(Ordering::SeqCst), revisions.waiters.load(Ordering::SeqCst)), (1, 0));
        let mut late = pin!(revisions.after(seen));
        assert_eq!(is_through(&mut late, &wakings), (true, 1), "what has changed before is not waited for");
    }

    #[test]
    fn who_gives_up_waiting_is_forgotten() {
        let (revisions, wakings) = (Revisions::default(), Arc::<Wakings>::default());
        {
            let mut waiting = pin!(revisions.after(0));
            assert_eq!(is_through(&mut waiting, &wakings), (false, 0));
            assert_eq!(revisions.waiters.load(Ordering::SeqCst), 1);
        }
        assert_eq!(revisions.waiters.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn no_revision_is_missed() {
        const MANY: u64 = 10_000;
        let revisions = Arc::new(Revisions::default());
        let changing = revisions.clone();
        let thread = std::thread::spawn(move || (0..MANY).for_each(|_| changing.advance()));
        let mut seen = 0;
        while seen < MANY {
            revisions.after(seen).await;
            seen = revisions.present();
        }
        thread.join().expect("it ends");
    }
}
