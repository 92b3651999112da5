//! Waiting for conditions.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: it only matters when something is broken.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer; none after the deadline.
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
