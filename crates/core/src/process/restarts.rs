//! What is remembered of the restarts of a program.

use std::time::Duration;

/// The restarts of a program since somebody started it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// How often it was started again without a request.
    pub number: u32,
    /// Failed starts and crashes in a row.
    pub failures: u32,
    /// Whether the next start is no restart: it was asked for, or the program had been given up before it.
    pub anew: bool,
    /// When it was restarted, on the monotonic clock, as far as a limit needs that; oldest first.
    pub times: Vec<Duration>,
}

impl Restarts {
    /// Those of a program that begins anew.
    pub(super) fn anew(number: u32) -> Restarts {
        Restarts { number, anew: true, ..Restarts::default() }
    }

    /// How many restarts are less than `window` before a moment.
    pub(super) fn within(&self, window: Duration, moment: Duration) -> usize {
        self.times.iter().filter(|time| **time + window > moment).count()
    }

    /// Keeps the time of a restart, and no more than `most` times.
    pub(super) fn keep(&mut self, time: Duration, most: usize) {
        self.times.push(time);
        let surplus = self.times.len().saturating_sub(most);
        self.times.drain(..surplus);
    }
}
