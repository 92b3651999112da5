//! When somebody was told that output of a program was lost, so that a full disk does not push out all other events.

use std::time::Duration;

use crate::output::Channel;

/// How long nothing more is told of a stream that goes on losing output. The counts say it all the same.
const PAUSE: Duration = Duration::from_secs(60);

/// When it was told last of each stream that output was lost, on the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossesTold {
    stdout: Option<Duration>,
    stderr: Option<Duration>,
}

impl LossesTold {
    /// Whether it is to be told now; then it has been.
    pub fn is_due(&mut self, channel: Channel, now: Duration) -> bool {
        let told = match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        };
        let is_due = told.is_none_or(|told| now.saturating_sub(told) >= PAUSE);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}
