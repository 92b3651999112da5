//! The memory of what is on its way to the clients of streams.
//!
//! All streams share a budget. Each may have one piece on its way beside it, so that clients that take nothing, and use up the
//! budget with what they do not take, hold up no other stream.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::memory_budget::{MemoryBudget, Reservation};

/// The memory of one stream.
pub struct StreamMemory {
    budget: Rc<MemoryBudget>,
    own: Arc<OwnPlace>,
}

/// The place for one piece that each stream has.
#[derive(Default)]
struct OwnPlace {
    is_taken: AtomicBool,
    is_free: Notify,
}

/// The memory of one piece, given back when it is dropped.
enum Room {
    Own(Arc<OwnPlace>),
    Shared { _reservation: Reservation },
}

/// A piece on its way. The HTTP library drops it when the system has taken its last byte.
struct HeldPiece {
    piece: Bytes,
    _room: Room,
}

impl StreamMemory {
    /// For one more stream that shares this budget.
    pub fn new(budget: Rc<MemoryBudget>) -> StreamMemory {
        StreamMemory { budget, own: Arc::default() }
    }

    /// Waits until there is room for a piece on its way. The room is given back with the piece.
    pub async fn hold(&self, piece: Bytes) -> Bytes {
        let room = self.room(piece.len()).await;
        Bytes::from_owner(HeldPiece { piece, _room: room })
    }

    async fn room(&self, bytes: usize) -> Room {
        loop {
            if !self.own.is_taken.swap(true, Ordering::SeqCst) {
                return Room::Own(self.own.clone());
            }
            tokio::select! {
                biased;
                // Where the system has no memory for it, there is still the place of the stream itself.
                Some(reservation) = self.budget.reserve(bytes) => return Room::Shared { _reservation: reservation },
                () = self.own.is_free.notified() => (),
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Room::Own(own) = self {
            own.is_taken.store(false, Ordering::SeqCst);
            own.is_free.notify_one();
        }
    }
}

impl AsRef<[u8]> for HeldPiece {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn budget(bytes: usize) -> Rc<MemoryBudget> {
        Rc::new(MemoryBudget::exact(bytes))
    }

    /// The piece, if there is room for it now.
    fn held(memory: &StreamMemory, piece: &'static [u8]) -> Option<Bytes> {
        match pin!(memory.hold(Bytes::from_static(piece))).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(held) => Some(held),
            Poll::Pending => None,
        }
    }

    #[test]
    fn all_streams_share_the_budget_and_get_it_back_with_their_pieces() {
        let budget = budget(8);
        let (first, second) = (StreamMemory::new(budget.clone()), StreamMemory::new(budget));
        let taken = [held(&first, b"own"), held(&first, b"12345"), held(&second, b"own"), held(&second, b"678")];
        assert!(taken.iter().all(Option::is_some));
        assert_eq!(held(&first, b"9"), None);
        assert_eq!(held(&second, b"9"), None);
        let [_own, shared, ..] = taken;
        drop(shared);
        assert_eq!(held(&second, b"12345").as_deref(), Some(&b"12345"[..]));
    }

    #[test]
    fn a_stream_goes_on_with_one_piece_while_others_have_used_up_the_budget() {
        let budget = budget(1);
        let (slow, quick) = (StreamMemory::new(budget.clone()), StreamMemory::new(budget));
        let _untaken = [held(&slow, b"own").expect("its place"), held(&slow, b"1").expect("the budget")];
        for _ in 0..3 {
            let piece = held(&quick, b"piece").expect("its place");
            assert_eq!(held(&quick, b"next"), None, "{piece:?} is still on its way");
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_either_place() {
        let budget = budget(1);
        let memory = StreamMemory::new(budget);
        let mut own = memory.hold(Bytes::from_static(b"a")).await;
        let mut shared = memory.hold(Bytes::from_static(b"b")).await;
        let next = || memory.hold(Bytes::from_static(b"c"));
        (own, _) = tokio::join!(next(), async { drop(own) });
        (shared, _) = tokio::join!(next(), async { drop(shared) });
        drop((own, shared));
    }
}
