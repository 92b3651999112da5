//! How many connections probes may have at a time, because the daemon needs its descriptors for other things, too.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for the connections of the probes for one purpose, in the order in which they are asked for.
pub(super) struct ConnectionPlaces {
    /// What takes them, for the log.
    what: &'static str,
    most: usize,
    free: Arc<Semaphore>,
    /// How many wait for one.
    waiting: Cell<usize>,
    log: Rc<dyn Fn(&str)>,
}

impl ConnectionPlaces {
    pub(super) fn new(what: &'static str, most: usize, log: Rc<dyn Fn(&str)>) -> ConnectionPlaces {
        let most = most.max(1);
        ConnectionPlaces { what, most, free: Arc::new(Semaphore::new(most)), waiting: Cell::new(0), log }
    }

    /// A place, which becomes free when it is dropped. That one has to be waited for is logged where nobody waits already.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(place);
        }
        if self.waiting.get() == 0 {
            (self.log)(&format!(
                "{} {} have connections, as many as the limit on open files allows (an eighth of it): others wait; raise minfds",
                self.most, self.what
            ));
        }
        self.waiting.set(self.waiting.get() + 1);
        let place = self.free.clone().acquire_owned().await;
        self.waiting.set(self.waiting.get() - 1);
        place.ok()
    }
}
