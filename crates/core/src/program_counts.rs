//! What is counted of a program for metrics.

use std::time::Duration;

use supervisord_wire::channel::Channel;

use crate::exit_status::ExitStatus;

/// How a child ended, as far as ends are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountedEnd {
    /// With this exit status.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// In a way that nobody knows.
    Unknown,
}

/// How often something has happened to a program, since it was defined so or since its counts were lost with a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramCounts {
    /// How many children were made.
    pub starts: u64,
    /// How many ended in each way, in the order of the ways. There are as many entries as ways that have occurred.
    pub ends: Vec<(CountedEnd, u64)>,
    /// How often it came up.
    pub times_up: u64,
    /// How long that took all in all, from the start of its child.
    pub time_to_up: Duration,
    /// How long it took last.
    pub last_time_to_up: Duration,
    /// How many bytes of its output did not get into its logs.
    pub lost_output: LostOutput,
    /// How many lines of it did not get to log services.
    pub lost_lines: LostOutput,
}

/// How much of each stream was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostOutput {
    pub stdout: u64,
    pub stderr: u64,
}

impl LostOutput {
    /// That of a stream.
    pub fn of(&mut self, channel: Channel) -> &mut u64 {
        match channel {
            Channel::Stdout => &mut self.stdout,
            Channel::Stderr => &mut self.stderr,
        }
    }

    /// Whether anything was.
    pub fn is_any(self) -> bool {
        self != LostOutput::default()
    }
}

impl From<ExitStatus> for CountedEnd {
    fn from(status: ExitStatus) -> CountedEnd {
        let known = match status {
            ExitStatus::Code(code) => u8::try_from(code).ok().map(CountedEnd::Code),
            ExitStatus::Signal { number, .. } => u8::try_from(number).ok().map(CountedEnd::Signal),
            ExitStatus::Other(_) | ExitStatus::Unknown => None,
        };
        known.unwrap_or(CountedEnd::Unknown)
    }
}

impl ProgramCounts {
    /// A child was made.
    pub fn started(&mut self) {
        self.starts += 1;
    }

    /// A child has ended.
    pub fn ended(&mut self, status: ExitStatus) {
        let end = CountedEnd::from(status);
        match self.ends.binary_search_by_key(&end, |(end, _)| *end) {
            Ok(place) => {
                if let Some((_, number)) = self.ends.get_mut(place) {
                    *number += 1;
                }
            }
            Err(place) => self.ends.insert(place, (end, 1)),
        }
    }

    /// It has come up so long after the start of its child.
    pub fn came_up(&mut self, after: Duration) {
        // As exact as the state keeps it.
        let after = Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        self.times_up += 1;
        self.time_to_up = self.time_to_up.saturating_add(after);
        self.last_time_to_up = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_counted_by_the_way() {
        let mut counts = ProgramCounts::default();
        let killed = ExitStatus::Signal { number: 9, core_dumped: false };
        for status in [ExitStatus::Code(3), killed, ExitStatus::Code(0), ExitStatus::Unknown, ExitStatus::Code(3)] {
            counts.ended(status);
        }
        use CountedEnd::{Code, Signal, Unknown};
        assert_eq!(counts.ends, [(Code(0), 1), (Code(3), 2), (Signal(9), 1), (Unknown, 1)]);
    }

    #[test]
    fn the_times_to_come_up_are_added() {
        let mut counts = ProgramCounts::default();
        counts.came_up(Duration::from_micros(1500));
        counts.came_up(Duration::from_secs(2));
        assert_eq!((counts.times_up, counts.time_to_up), (2, Duration::from_millis(2001)));
        assert_eq!(counts.last_time_to_up, Duration::from_secs(2));
    }
}
