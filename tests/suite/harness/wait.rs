//! Polling for conditions.

use std::time::{Duration, Instant};

/// The time limit of any wait of a test. It only matters when a test fails, so it is far more than a busy machine needs.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// Calls `ask` until it returns a value; none after the limit.
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a condition holds, or fails the test.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(poll(DEADLINE, || condition().then_some(())).is_some(), "waited in vain until {what}");
}
