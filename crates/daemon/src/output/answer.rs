//! An answer that is waited for only so long. Both sides agree on whether it came in time.

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An answer to be given, and the same to be waited for.
pub fn answer<T>() -> (Promise<T>, Awaited<T>) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Open), changed: Condvar::new() });
    (Promise(slot.clone()), Awaited(slot))
}

/// The side that answers.
pub struct Promise<T>(Arc<Slot<T>>);

/// The side that waits.
pub struct Awaited<T>(Arc<Slot<T>>);

/// Nobody waits any more; the answer comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLate<T>(pub T);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It takes too long; whoever gives it will hear that nobody waits.
    Overdue,
    /// There will never be one.
    Never,
}

struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

enum State<T> {
    Open,
    Given(T),
    Closed,
}

/// A wait is made of pieces of this length. A pause of the whole machine, for a snapshot or because others have its processors,
/// costs one of them.
const PIECE: Duration = Duration::from_millis(100);

/// How long is still waited after one piece.
fn left_after(left: Duration, waited: Duration) -> Duration {
    left.saturating_sub(waited.min(PIECE))
}

/// What a channel gives at most this long after, like [`Awaited::within`]; none where that takes too long or never comes.
pub fn receive_within<T>(channel: &Receiver<T>, limit: Duration) -> Option<T> {
    let mut left = limit;
    loop {
        let begun = Instant::now();
        match channel.recv_timeout(left.min(PIECE)) {
            Ok(received) => return Some(received),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => left = left_after(left, begun.elapsed()),
        }
        if left.is_zero() {
            return None;
        }
    }
}

impl<T> Promise<T> {
    /// Gives the answer to who waits. Only the first one counts.
    pub fn give(&self, answer: T) -> Result<(), TooLate<T>> {
        let mut state = self.0.lock();
        match *state {
            State::Open => *state = State::Given(answer),
            State::Given(_) | State::Closed => return Err(TooLate(answer)),
        }
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }
}

impl<T> Awaited<T> {
    /// Waits for the answer at most this long. Time in which the whole machine stands still hardly counts: whoever is to answer
    /// had none of it.
    pub fn within(self, limit: Duration) -> Result<T, NoAnswer> {
        let mut left = limit;
        let mut state = self.0.lock();
        loop {
            match mem::replace(&mut *state, State::Closed) {
                State::Given(answer) => return Ok(answer),
                State::Closed => return Err(NoAnswer::Never),
                State::Open => {}
            }
            if left.is_zero() {
                return Err(NoAnswer::Overdue);
            }
            *state = State::Open;
            let begun = Instant::now();
            state = self.0.changed.wait_timeout(state, left.min(PIECE)).unwrap_or_else(PoisonError::into_inner).0;
            left = left_after(left, begun.elapsed());
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.close_if_open();
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.0.close_if_open();
    }
}

impl<T> Slot<T> {
    fn close_if_open(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Open) {
            return;
        }
        *state = State::Closed;
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_in_time_arrives() {
        let (answer, awaited) = answer();
        let waiting = std::thread::spawn(move || awaited.within(LONG));
        assert_eq!(answer.give(7), Ok(()));
        assert_eq!(waiting.join().expect("it does not panic"), Ok(7));
    }

    #[test]
    fn who_answers_too_late_knows_it() {
        let (late, awaited) = answer();
        assert_eq!(awaited.within(Duration::ZERO), Err(NoAnswer::Overdue));
        assert_eq!(late.give(7), Err(TooLate(7)));
        let (unwanted, awaited) = answer();
        drop(awaited);
        assert_eq!(unwanted.give(7), Err(TooLate(7)));
    }

    #[test]
    fn a_pause_of_the_machine_costs_one_piece_of_the_wait() {
        let limit = 20 * PIECE;
        assert_eq!(left_after(limit, PIECE / 4), limit - PIECE / 4);
        assert_eq!(left_after(limit, LONG), limit - PIECE);
        assert_eq!(left_after(PIECE / 2, LONG), Duration::ZERO);
    }

    #[test]
    fn a_channel_is_waited_for_as_long() {
        let (sender, receiver) = std::sync::mpsc::channel();
        assert_eq!(receive_within::<u8>(&receiver, 2 * PIECE), None);
        sender.send(7).expect("somebody waits");
        assert_eq!(receive_within(&receiver, LONG), Some(7));
        drop(sender);
        assert_eq!(receive_within(&receiver, LONG), None);
    }

    #[test]
    fn nobody_waits_for_an_answer_that_never_comes() {
        let (answer, awaited) = answer::<()>();
        drop(answer);
        assert_eq!(awaited.within(LONG), Err(NoAnswer::Never));
    }
}
