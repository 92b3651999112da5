//! Memory that all connections share: what they send us, and what we have for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use supervisord_sys::memory;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// So many bytes need no room: all connections together cannot make much of them.
pub const SMALL: usize = 64 << 10;

/// The room of all answers, until their clients have taken them, in bytes. What an answer is made of counts as well
/// while it is made.
const ANSWERS: usize = 160 << 20;

/// How long an answer waits for room before its client is told that there is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// So much memory has to be left for everything that takes no share, in bytes.
const REST: usize = 16 << 20;

/// What all shares of all rooms have together, used or not.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// Whether the system has the memory for something that may become twice as long while it is made, beside all shares that
/// may not have been used yet.
pub fn is_possible(bytes: usize) -> bool {
    let promised = PROMISED.load(Ordering::Relaxed);
    memory::is_available(bytes.saturating_mul(2).saturating_add(promised).saturating_add(REST))
}

/// The memory that everything above [`SMALL`] shares, in bytes.
#[derive(Debug)]
pub struct Room {
    ledger: Arc<Ledger>,
    all: usize,
    patience: Duration,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Ledger {
    used: Mutex<usize>,
    given_back: Notify,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Room {
        Room { ledger: Arc::default(), all: bytes, patience: PATIENCE, waiting: watch::Sender::new(0) }
    }

    /// The room that answers share.
    pub fn for_answers() -> Room {
        Room::new(ANSWERS)
    }

    /// A share that may become one later.
    pub fn nothing(&self) -> Share {
        Share { bytes: 0, ledger: self.ledger.clone() }
    }

    /// Waits for room for so many bytes. Who wants more than there is altogether gets all of it; none where the system has
    /// no memory for it.
    pub async fn take(&self, bytes: usize) -> Option<Share> {
        let mut share = self.nothing();
        let is_there = bytes <= SMALL || self.extend(&mut share, bytes).await;
        is_there.then_some(share)
    }

    /// [`take`](Room::take) for an answer: none when there is no room for too long, either.
    pub async fn take_soon(&self, bytes: usize) -> Option<Share> {
        timeout(self.patience, self.take(bytes)).await.ok().flatten()
    }

    /// Makes a share larger, up to so many bytes. Comes before those who have nothing yet; `false` when it takes too
    /// long all the same, or where the system has no memory for it.
    pub async fn grow(&self, share: &mut Share, bytes: usize) -> bool {
        timeout(self.patience, self.extend(share, bytes)).await.unwrap_or(false)
    }

    /// Returns when somebody waits for room.
    pub async fn wanted(&self) {
        // The other end is this room.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    async fn extend(&self, share: &mut Share, bytes: usize) -> bool {
        let mut waiter = None;
        loop {
            let mut given_back = std::pin::pin!(self.ledger.given_back.notified());
            // From here on, so that nothing can be given back unnoticed in between.
            given_back.as_mut().enable();
            match self.try_extend(share, bytes) {
                Attempt::Done => return true,
                Attempt::Hopeless => return false,
                Attempt::Later => {}
            }
            waiter.get_or_insert_with(|| Waiter::new(&self.waiting));
            given_back.await;
        }
    }

    fn try_extend(&self, share: &mut Share, bytes: usize) -> Attempt {
        let mut used = self.ledger.used();
        let others = *used - share.bytes;
        let bytes_of_room = bytes.min(self.all).max(share.bytes);
        if others + bytes_of_room > self.all {
            return Attempt::Later;
        }
        if !is_possible(bytes) {
            return if others > 0 { Attempt::Later } else { Attempt::Hopeless };
        }
        *used = others + bytes_of_room;
        drop(used);
        share.change(bytes_of_room);
        Attempt::Done
    }
}

/// What has come of an attempt to take room.
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

/// A part of a room, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    bytes: usize,
    ledger: Arc<Ledger>,
}

impl Share {
    /// How large it is, in bytes; 0 for what needs no room.
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
        let bytes = if bytes <= SMALL { 0 } else { bytes };
        let mut used = self.ledger.used();
        *used = *used - self.bytes + bytes;
        drop(used);
        self.change(bytes);
        self.ledger.given_back.notify_waiters();
    }
}

impl Drop for Share {
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

    fn room(megabytes: usize) -> Room {
        Room { patience: Duration::from_millis(50), ..Room::new(megabytes * MEGABYTE) }
    }

    fn used(room: &Room) -> usize {
        *room.ledger.used() / MEGABYTE
    }

    #[tokio::test]
    async fn small_things_need_no_room() {
        assert_eq!(room(0).take(SMALL).await.map(|share| share.bytes()), Some(0));
    }

    #[tokio::test]
    async fn a_share_comes_back_and_is_never_more_than_all() {
        let room = room(1);
        let share = room.take(10 * MEGABYTE).await.expect("there is memory");
        assert_eq!((share.bytes(), used(&room)), (MEGABYTE, 1));
        drop(share);
        assert_eq!(used(&room), 0);
    }

    #[tokio::test]
    async fn what_has_come_of_it_counts() {
        let room = room(4);
        let mut share = room.take(2 * MEGABYTE).await.expect("there is memory");
        for megabytes in [1, 3, 0, 9, 2] {
            share.settle(megabytes * MEGABYTE);
            assert_eq!(used(&room), megabytes);
        }
        assert!(room.grow(&mut share, 3 * MEGABYTE).await);
        assert!(room.grow(&mut share, MEGABYTE).await);
        assert_eq!(used(&room), 3);
        drop(share);
        assert_eq!(used(&room), 0);
    }

    #[tokio::test]
    async fn waiting_is_told_and_comes_to_an_end() {
        let room = room(2);
        let mut first = room.take(MEGABYTE).await.expect("there is memory");
        let (second, ()) = tokio::join!(room.take_soon(2 * MEGABYTE), room.wanted());
        assert!(second.is_none());
        assert_eq!(*room.waiting.borrow(), 0, "nobody waits any more");
        let third = room.take_soon(MEGABYTE).await.expect("there is room");
        assert!(!room.grow(&mut first, 2 * MEGABYTE).await);
        let (grown, ()) = tokio::join!(room.grow(&mut first, 2 * MEGABYTE), async { drop(third) });
        assert!(grown);
    }

    #[tokio::test]
    async fn what_the_system_cannot_give_is_refused_at_once_and_waited_for_only_while_others_have_some() {
        const TOO_MUCH: usize = 1 << 60;
        let room = Room { all: usize::MAX / 2, ..room(1) };
        assert!(room.take(TOO_MUCH).await.is_none());
        let other = room.take(MEGABYTE).await.expect("there is memory");
        let (much, ()) = tokio::join!(room.take(TOO_MUCH), async { drop(other) });
        assert!(much.is_none());
        assert_eq!(*room.ledger.used(), 0);
    }

    /// Whoever has something is nearer to its end than who has nothing.
    #[tokio::test]
    async fn what_grows_is_not_held_up_by_who_waits_for_much() {
        let room = room(4);
        let mut first = room.take(2 * MEGABYTE).await.expect("there is memory");
        let (much, grown) = tokio::join!(room.take_soon(4 * MEGABYTE), room.grow(&mut first, 4 * MEGABYTE));
        assert!(much.is_none() && grown);
    }
}
