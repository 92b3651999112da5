//! What is counted of a program, as the state has it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::program_counts::{CountedEnd, LostOutput, ProgramCounts};

/// The counts of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsRecord {
    #[serde(default)]
    starts: u64,
    /// Exit statuses with their numbers; -1 stands for ends that nobody knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exits: Vec<(i32, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signals: Vec<(u8, u64)>,
    /// How often it came up, how long that took all in all and how long last, in milliseconds.
    #[serde(default)]
    up: (u64, u64, u64),
    /// How many bytes of stdout and of stderr were lost.
    #[serde(default, skip_serializing_if = "is_nothing")]
    lost: (u64, u64),
    /// How many lines of each did not get to log services.
    #[serde(default, skip_serializing_if = "is_nothing")]
    lost_lines: (u64, u64),
}

fn is_nothing(lost: &(u64, u64)) -> bool {
    *lost == (0, 0)
}

impl From<&ProgramCounts> for CountsRecord {
    fn from(counts: &ProgramCounts) -> CountsRecord {
        let ProgramCounts { starts, ends, times_up, time_to_up, last_time_to_up, lost_output, lost_lines } = counts;
        let pair = |LostOutput { stdout, stderr }: &LostOutput| (*stdout, *stderr);
        let (lost, lost_lines) = (pair(lost_output), pair(lost_lines));
        let mut record = CountsRecord { starts: *starts, lost, lost_lines, ..CountsRecord::default() };
        for (end, number) in ends {
            match end {
                CountedEnd::Code(code) => record.exits.push((i32::from(*code), *number)),
                CountedEnd::Signal(signal) => record.signals.push((*signal, *number)),
                CountedEnd::Unknown => record.exits.push((-1, *number)),
            }
        }
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        record.up = (*times_up, millis(time_to_up), millis(last_time_to_up));
        record
    }
}

impl CountsRecord {
    /// The counts.
    pub fn counts(&self) -> ProgramCounts {
        let CountsRecord { starts, exits, signals, up: (times_up, all, last), lost, lost_lines } = self;
        let of_streams = |(stdout, stderr): &(u64, u64)| LostOutput { stdout: *stdout, stderr: *stderr };
        let exits = exits
            .iter()
            .map(|(code, number)| (u8::try_from(*code).map_or(CountedEnd::Unknown, CountedEnd::Code), *number));
        let signals = signals.iter().map(|(signal, number)| (CountedEnd::Signal(*signal), *number));
        let mut ends: Vec<(CountedEnd, u64)> = exits.chain(signals).collect();
        ends.sort_unstable_by_key(|(end, _)| *end);
        ProgramCounts {
            starts: *starts,
            ends,
            times_up: *times_up,
            time_to_up: Duration::from_millis(*all),
            last_time_to_up: Duration::from_millis(*last),
            lost_output: of_streams(lost),
            lost_lines: of_streams(lost_lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use supervisord_core::process::ExitStatus;

    use super::*;

    #[test]
    fn counts_are_read_back() {
        let mut counts = ProgramCounts::default();
        counts.started();
        let killed = ExitStatus::Signal { number: 9, core_dumped: true };
        for status in [ExitStatus::Code(0), ExitStatus::Code(255), killed, ExitStatus::Unknown, killed] {
            counts.ended(status);
        }
        counts.came_up(Duration::from_millis(1234));
        counts.lost_output = LostOutput { stdout: 7, stderr: 8 };
        counts.lost_lines = LostOutput { stdout: 9, stderr: 10 };
        let text = serde_json::to_string(&CountsRecord::from(&counts)).unwrap();
        assert_eq!(serde_json::from_str::<CountsRecord>(&text).unwrap().counts(), counts, "{text}");
    }
}
