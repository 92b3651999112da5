//! Tests of one process share its descriptors with the children of all of them, until these execute their programs.

use std::time::{Duration, Instant};

/// Tries again until it works, for what a child of another test can hold up for a moment.
pub(crate) fn eventually<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < give_up, "it never works");
        std::thread::yield_now();
    }
}
