//! Memory that all connections share: what they send us, and what we have for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use supervisord_sys::memory;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// What is no larger needs no reservation: all connections together cannot make much of it.
pub const SMALL: usize = 64 << 10;

/// The budget of all answers, until their clients have taken them, in bytes. What an answer is made of counts as well
/// while it is made.
const ANSWERS: usize = 160 << 20;

/// How long an answer waits for memory before its client gets a fault.
const RESERVATION_TIMEOUT: Duration = Duration::from_secs(30);

/// How much memory must be left for everything that has no reservation, in bytes.
const REST: usize = 16 << 20;

/// The sum of all reservations of all budgets, used or not.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// Whether the system has the memory for something that may become twice as long while it is made, beside all reservations that
/// may not have been used yet.
pub fn is_possible(bytes: usize) -> bool {
    let promised = PROMISED.load(Ordering::Relaxed);
    memory::is_available(bytes.saturating_mul(2).saturating_add(promised).saturating_add(REST))
}

/// Memory that is shared, in bytes.
#[derive(Debug)]
pub struct MemoryBudget {
    ledger: Arc<Ledger>,
    all: usize,
    timeout_after: Duration,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Ledger {
    used: Mutex<usize>,
    given_back: Notify,
    /// What is no larger needs no reservation, in bytes.
    exempt: usize,
}

impl MemoryBudget {
    /// A budget of so many bytes for everything above [`SMALL`].
    pub fn new(bytes: usize) -> MemoryBudget {
        MemoryBudget::exempting(SMALL, bytes)
    }

    /// A budget of so many bytes in which each of them counts.
    pub fn exact(bytes: usize) -> MemoryBudget {
        MemoryBudget::exempting(0, bytes)
    }

    fn exempting(exempt: usize, bytes: usize) -> MemoryBudget {
        let ledger = Arc::new(Ledger { exempt, ..Ledger::default() });
        MemoryBudget { ledger, all: bytes, timeout_after: RESERVATION_TIMEOUT, waiting: watch::Sender::new(0) }
    }

    /// The budget that all answers share.
    pub fn for_answers() -> MemoryBudget {
        MemoryBudget::new(ANSWERS)
    }

    /// An empty reservation, which can grow.
    pub fn nothing(&self) -> Reservation {
        Reservation { bytes: 0, ledger: self.ledger.clone() }
    }

    /// Waits until so many bytes are free. Whoever wants more than the whole budget gets all of it; none where the system has
    /// no memory for it.
    pub async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let mut reservation = self.nothing();
        let is_there = bytes <= self.ledger.exempt || self.extend(&mut reservation, bytes).await;
        is_there.then_some(reservation)
    }

    /// [`reserve`](MemoryBudget::reserve) for an answer: none when it would have to wait for too long, either.
    pub async fn reserve_soon(&self, bytes: usize) -> Option<Reservation> {
        timeout(self.timeout_after, self.reserve(bytes)).await.ok().flatten()
    }

    /// Makes a reservation larger, up to so many bytes. Comes before those who have nothing yet; `false` when it takes too
    /// long all the same, or where the system has no memory for it.
    pub async fn grow(&self, reservation: &mut Reservation, bytes: usize) -> bool {
        timeout(self.timeout_after, self.extend(reservation, bytes)).await.unwrap_or(false)
    }

    /// Returns when somebody waits for memory.
    pub async fn wanted(&self) {
        // The other end is this budget.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    async fn extend(&self, reservation: &mut Reservation, bytes: usize) -> bool {
        let mut waiter = None;
        loop {
            let mut given_back = std::pin::pin!(self.ledger.given_back.notified());
            // From here on, so that nothing can be given back unnoticed in between.
            given_back.as_mut().enable();
            match self.try_extend(reservation, bytes) {
                Attempt::Done => return true,
                Attempt::Hopeless => return false,
                Attempt::Later => {}
            }
            waiter.get_or_insert_with(|| Waiter::new(&self.waiting));
            given_back.await;
        }
    }

    fn try_extend(&self, reservation: &mut Reservation, bytes: usize) -> Attempt {
        let mut used = self.ledger.used();
        let others = *used - reservation.bytes;
        let reserved = bytes.min(self.all).max(reservation.bytes);
        if others + reserved > self.all {
            return Attempt::Later;
        }
        if !is_possible(bytes) {
            return if others > 0 { Attempt::Later } else { Attempt::Hopeless };
        }
        *used = others + reserved;
        drop(used);
        reservation.change(reserved);
        Attempt::Done
    }
}

/// The outcome of an attempt to reserve memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Done,
    /// Somebody has to give something back first.
    Later,
    /// Nobody has anything to give back, and there is no memory.
    Hopeless,
}

impl Ledger {
    fn used(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    bytes: usize,
    ledger: Arc<Ledger>,
}

impl Reservation {
    /// How large it is, in bytes; 0 for what needs no reservation.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn change(&mut self, bytes: usize) {
        PROMISED.fetch_add(bytes, Ordering::Relaxed);
        PROMISED.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Makes it as large as what has come of it. More than was taken is not waited for: it is there already.
    pub fn settle(&mut self, bytes: usize) {
        let bytes = if bytes <= self.ledger.exempt { 0 } else { bytes };
        let mut used = self.ledger.used();
        *used = *used - self.bytes + bytes;
        drop(used);
        self.change(bytes);
        self.ledger.given_back.notify_waiters();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.settle(0);
        }
    }
}

/// Counts as waiting until it is dropped.
struct Waiter<'a> {
    waiting: &'a watch::Sender<usize>,
}

impl Waiter<'_> {
    fn new(waiting: &watch::Sender<usize>) -> Waiter<'_> {
        waiting.send_modify(|waiting| *waiting += 1);
        Waiter { waiting }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1 << 20;

    fn budget(megabytes: usize) -> MemoryBudget {
        MemoryBudget { timeout_after: Duration::from_millis(50), ..MemoryBudget::new(megabytes * MEGABYTE) }
    }

    fn used(budget: &MemoryBudget) -> usize {
        *budget.ledger.used() / MEGABYTE
    }

    #[tokio::test]
    async fn small_things_need_no_reservation() {
        assert_eq!(budget(0).reserve(SMALL).await.map(|reservation| reservation.bytes()), Some(0));
    }

    #[tokio::test]
    async fn in_an_exact_budget_each_byte_counts() {
        let budget = MemoryBudget { timeout_after: Duration::from_millis(50), ..MemoryBudget::exact(2) };
        let first = budget.reserve(1).await.expect("there is memory");
        assert!(budget.reserve_soon(2).await.is_none());
        drop(first);
        assert_eq!(budget.reserve_soon(2).await.map(|reservation| reservation.bytes()), Some(2));
    }

    #[tokio::test]
    async fn a_reservation_comes_back_and_is_never_more_than_all() {
        let budget = budget(1);
        let reservation = budget.reserve(10 * MEGABYTE).await.expect("there is memory");
        assert_eq!((reservation.bytes(), used(&budget)), (MEGABYTE, 1));
        drop(reservation);
        assert_eq!(used(&budget), 0);
    }

    #[tokio::test]
    async fn what_has_come_of_it_counts() {
        let budget = budget(4);
        let mut reservation = budget.reserve(2 * MEGABYTE).await.expect("there is memory");
        for megabytes in [1, 3, 0, 9, 2] {
            reservation.settle(megabytes * MEGABYTE);
            assert_eq!(used(&budget), megabytes);
        }
        assert!(budget.grow(&mut reservation, 3 * MEGABYTE).await);
        assert!(budget.grow(&mut reservation, MEGABYTE).await);
        assert_eq!(used(&budget), 3);
        drop(reservation);
        assert_eq!(used(&budget), 0);
    }

    #[tokio::test]
    async fn waiting_is_told_and_comes_to_an_end() {
        let budget = budget(2);
        let mut first = budget.reserve(MEGABYTE).await.expect("there is memory");
        let (second, ()) = tokio::join!(budget.reserve_soon(2 * MEGABYTE), budget.wanted());
        assert!(second.is_none());
        assert_eq!(*budget.waiting.borrow(), 0, "nobody waits any more");
        let third = budget.reserve_soon(MEGABYTE).await.expect("there is memory");
        assert!(!budget.grow(&mut first, 2 * MEGABYTE).await);
        let (grown, ()) = tokio::join!(budget.grow(&mut first, 2 * MEGABYTE), async { drop(third) });
        assert!(grown);
    }

    #[tokio::test]
    async fn what_the_system_cannot_give_is_refused_at_once_and_waited_for_only_while_others_have_some() {
        const TOO_MUCH: usize = 1 << 60;
        let budget = MemoryBudget { all: usize::MAX / 2, ..budget(1) };
        assert!(budget.reserve(TOO_MUCH).await.is_none());
        let other = budget.reserve(MEGABYTE).await.expect("there is memory");
        let (much, ()) = tokio::join!(budget.reserve(TOO_MUCH), async { drop(other) });
        assert!(much.is_none());
        assert_eq!(*budget.ledger.used(), 0);
    }

    /// Whoever has something is nearer to its end than who has nothing.
    #[tokio::test]
    async fn what_grows_is_not_held_up_by_who_waits_for_much() {
        let budget = budget(4);
        let mut first = budget.reserve(2 * MEGABYTE).await.expect("there is memory");
        let (much, grown) = tokio::join!(budget.reserve_soon(4 * MEGABYTE), budget.grow(&mut first, 4 * MEGABYTE));
        assert!(much.is_none() && grown);
    }
}
