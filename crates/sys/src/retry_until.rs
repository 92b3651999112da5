//! Retries for tests: children that other tests of the process start inherit its descriptors, until they execute their
//! programs.

use std::time::{Duration, Instant};

/// Repeats an attempt that such a child can make fail for a moment.
pub(crate) fn retry_until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < give_up, "it never works");
        std::thread::yield_now();
    }
}
