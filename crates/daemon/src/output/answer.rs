//! An answer that is waited for only so long. Both sides agree on whether it came in time.

use std::mem;
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
    /// Waits for the answer at most this long.
    pub fn within(self, limit: Duration) -> Result<T, NoAnswer> {
        let give_up = Instant::now() + limit;
        let mut state = self.0.lock();
        loop {
            match mem::replace(&mut *state, State::Closed) {
                State::Given(answer) => return Ok(answer),
                State::Closed => return Err(NoAnswer::Never),
                State::Open => {}
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoAnswer::Overdue);
            }
            *state = State::Open;
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
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
    fn nobody_waits_for_an_answer_that_never_comes() {
        let (answer, awaited) = answer::<()>();
        drop(answer);
        assert_eq!(awaited.within(LONG), Err(NoAnswer::Never));
    }
}
