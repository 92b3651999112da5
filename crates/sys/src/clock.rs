//! Clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Time since an unspecified moment that is the same for all processes until the next boot. It never goes back.
pub fn monotonic() -> Duration {
    // Every system here has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// Time since the epoch; zero if the clock is set before it.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_forward() {
        let (steady, wall_before) = (monotonic(), wall());
        assert!(monotonic() >= steady);
        assert!(wall_before > Duration::from_secs(1_700_000_000));
    }
}
