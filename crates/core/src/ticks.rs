//! TICK events: one whenever the wall clock enters another period of 5, 60 or 3600 seconds.

use std::time::Duration;

use supervisord_wire::event::EventType;

use crate::time::Now;

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    FiveSeconds,
    Minute,
    Hour,
}

impl Period {
    const ALL: [Period; 3] = [Period::FiveSeconds, Period::Minute, Period::Hour];

    const fn seconds(self) -> u64 {
        match self {
            Period::FiveSeconds => 5,
            Period::Minute => 60,
            Period::Hour => 3600,
        }
    }

    /// The type of its events.
    pub const fn kind(self) -> EventType {
        match self {
            Period::FiveSeconds => EventType::Tick5,
            Period::Minute => EventType::Tick60,
            Period::Hour => EventType::Tick3600,
        }
    }
}

/// The current period of each length. The period in which the daemon starts makes no tick.
#[derive(Clone, Debug)]
pub struct Ticks {
    slices: [u64; Period::ALL.len()],
}

impl Ticks {
    /// Starts in the periods of this moment.
    pub fn new(now: Now) -> Ticks {
        Ticks { slices: Period::ALL.map(|period| now.wall.as_secs() / period.seconds()) }
    }

    /// Continues with these periods: of 5, 60 and 3600 seconds, counted from the epoch.
    pub fn in_periods(slices: [u64; Period::ALL.len()]) -> Ticks {
        Ticks { slices }
    }

    /// The current periods.
    pub fn periods(&self) -> [u64; Period::ALL.len()] {
        self.slices
    }

    /// The due ticks, each with the start of its period in seconds since the epoch. Missed periods are skipped; after
    /// the clock is set back, a tick has the earlier time.
    pub fn due(&mut self, now: Now) -> Vec<(Period, u64)> {
        let mut due = Vec::new();
        for (slice, period) in self.slices.iter_mut().zip(Period::ALL) {
            let present = now.wall.as_secs() / period.seconds();
            if std::mem::replace(slice, present) != present {
                due.push((period, present * period.seconds()));
            }
        }
        due
    }

    /// When the next tick of a wanted type is due, on the monotonic clock; now, if it is overdue.
    pub fn deadline(&self, now: Now, wants: impl Fn(EventType) -> bool) -> Option<Duration> {
        let wait = |slice: u64, period: u64| match now.wall.as_secs() / period == slice {
            true => Duration::from_secs((slice + 1) * period).saturating_sub(now.wall),
            false => Duration::ZERO,
        };
        let slices = self.slices.iter().zip(Period::ALL).filter(|(_, period)| wants(period.kind()));
        slices.map(|(slice, period)| now.mono + wait(*slice, period.seconds())).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: u64) -> Now {
        Now { mono: Duration::from_secs(wall - 1000), wall: Duration::from_secs(wall) }
    }

    #[test]
    fn the_first_period_makes_no_tick_and_missed_ones_are_skipped() {
        let mut ticks = Ticks::new(at(1201));
        assert_eq!(ticks.due(at(1204)), []);
        assert_eq!(ticks.due(at(1205)), [(Period::FiveSeconds, 1205)]);
        assert_eq!(ticks.due(at(1279)), [(Period::FiveSeconds, 1275), (Period::Minute, 1260)]);
    }

    #[test]
    fn a_clock_set_back_ticks_with_the_earlier_time() {
        let mut ticks = Ticks::new(at(1300));
        assert_eq!(ticks.due(at(1291)), [(Period::FiveSeconds, 1290)]);
    }

    #[test]
    fn only_wanted_ticks_set_a_deadline() {
        let ticks = Ticks::new(at(1201));
        assert_eq!(ticks.deadline(at(1201), |_| false), None);
        let minutes = |kind| kind == EventType::Tick60;
        assert_eq!(ticks.deadline(at(1201), minutes), Some(Duration::from_secs(260)));
        assert_eq!(ticks.deadline(at(1260), minutes), Some(Duration::from_secs(260)), "due now, not a minute later");
    }
}
