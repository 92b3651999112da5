//! When a log is rotated next by the local clock.

use supervisord_config::rotate_when::RotateWhen;

const DAY: i64 = 86_400;
/// Midnight of a Monday of a local clock, in seconds after the epoch.
const MONDAY: i64 = 4 * DAY;
/// By how much clocks are set back, in seconds.
const SHIFTS: [i64; 3] = [1800, 3600, 7200];

/// The next time after `time` at which a log is rotated, both in seconds since the epoch. `offset` tells how many seconds the
/// local clock is ahead of UTC at a time.
///
/// A time of the local clock that is left out counts as reached when the clock is set forward. One that comes twice counts
/// once, but where the time between two rotations is no longer than what the clock repeats: an hourly log has 25 files on
/// such a day, a daily log one.
pub fn next_after(when: RotateWhen, time: i64, offset: &dyn Fn(i64) -> i32) -> i64 {
    let offset = |time: i64| i64::from(offset(time));
    let mut time = time;
    // A repeated time is skipped at most once.
    for _ in 0..2 {
        let next = candidate(when, time, &offset);
        if !is_repeated(when, next, &offset) {
            return next;
        }
        time = next;
    }
    candidate(when, time, &offset)
}

fn candidate(when: RotateWhen, time: i64, offset: &dyn Fn(i64) -> i64) -> i64 {
    let before = offset(time);
    let expected = time + to_go(when, time + before, 1);
    if offset(expected) == before {
        return expected;
    }
    let change = first_change(time, expected, offset);
    let after = offset(change);
    if expected + before <= change + after {
        // The clock has been set forward to or beyond it.
        return change;
    }
    change + to_go(when, change + after, 0)
}

/// How many seconds a clock that shows `local` has to go until a log is rotated, at least `least`.
fn to_go(when: RotateWhen, local: i64, least: i64) -> i64 {
    let period = i64::from(when.period).max(1);
    let passed = (local + least - MONDAY - i64::from(when.offset)).rem_euclid(period);
    if passed == 0 { least } else { least + period - passed }
}

/// The first second of another offset, which there is, after `time` and not after `end`.
fn first_change(time: i64, end: i64, offset: &dyn Fn(i64) -> i64) -> i64 {
    let before = offset(time);
    let (mut same, mut other) = (time, end);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if offset(middle) == before {
            same = middle;
        } else {
            other = middle;
        }
    }
    other
}

/// Whether the clock has shown the same a little before and a log has been rotated then.
fn is_repeated(when: RotateWhen, time: i64, offset: &dyn Fn(i64) -> i64) -> bool {
    let mut shifts = SHIFTS.into_iter().filter(|shift| i64::from(when.period) > *shift);
    shifts.any(|shift| offset(time - shift) == offset(time) + shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A zone: the offset before the first change, then times with the offsets from then on.
    struct Zone(i32, &'static [(i64, i32)]);

    impl Zone {
        fn offset(&self, time: i64) -> i32 {
            self.1.iter().rev().find(|(from, _)| *from <= time).map_or(self.0, |(_, offset)| *offset)
        }
    }

    const UTC: Zone = Zone(0, &[]);
    /// 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
    const BERLIN: Zone = Zone(3600, &[(1_774_746_000, 7200), (1_792_890_000, 3600)]);
    /// Half an hour, at 2 o'clock: from 4 October 2026 to 4 April 2027.
    const LORD_HOWE: Zone = Zone(37_800, &[(1_791_041_400, 39_600), (1_806_850_800, 37_800)]);
    /// A day that the clock left out: 30 December 2011 in Samoa.
    const APIA: Zone = Zone(-36_000, &[(1_325_239_200, 50_400)]);

    fn every(text: &str) -> RotateWhen {
        RotateWhen::parse(text).expect("a time")
    }

    /// The times of the next rotations, each as seconds after `start`.
    fn nexts(when: &str, zone: &Zone, start: i64, count: usize) -> Vec<i64> {
        let next = |time: &i64| Some(next_after(every(when), *time, &|time| zone.offset(time)));
        let times = std::iter::successors(Some(start), next);
        times.skip(1).take(count).map(|time| time - start).collect()
    }

    const HOUR: i64 = 3600;
    /// Midnight before the clock is set forward, and before it is set back.
    const SPRING: i64 = 1_774_738_800;
    const AUTUMN: i64 = 1_792_879_200;

    #[test]
    fn rotations_come_at_even_times_of_the_local_clock() {
        // Tuesday, 10 March 2026, 12:34:56 UTC.
        let start = 1_773_146_096;
        let (day, to_midnight) = (DAY, 41_104);
        assert_eq!(nexts("daily", &UTC, start, 3), [to_midnight, to_midnight + day, to_midnight + 2 * day]);
        assert_eq!(nexts("hourly", &UTC, start, 2), [1504, 1504 + HOUR]);
        assert_eq!(nexts("weekly", &UTC, start, 2), [to_midnight + 5 * day, to_midnight + 12 * day]);
        assert_eq!(nexts("03:30", &UTC, start, 1), [to_midnight + 12_600]);
        assert_eq!(nexts("6h", &UTC, start, 2), [19_504, 19_504 + 6 * HOUR]);
        assert_eq!(nexts("daily", &BERLIN, start, 1), [to_midnight - HOUR]);
        assert_eq!(nexts("daily", &UTC, start + to_midnight, 1), [day], "not at the same time again");
        assert_eq!(nexts("daily", &UTC, start + to_midnight - 1, 1), [1]);
    }

    #[test]
    fn a_day_of_23_hours_has_one_file_and_one_of_25_hours_too() {
        assert_eq!(nexts("daily", &BERLIN, SPRING, 2), [23 * HOUR, 47 * HOUR]);
        assert_eq!(nexts("daily", &BERLIN, AUTUMN, 2), [25 * HOUR, 49 * HOUR]);
    }

    #[test]
    fn a_time_that_is_left_out_counts_when_the_clock_is_set() {
        assert_eq!(nexts("02:30", &BERLIN, SPRING, 2), [2 * HOUR, 25 * HOUR + HOUR / 2]);
        assert_eq!(nexts("02:00", &BERLIN, SPRING, 2), [2 * HOUR, 25 * HOUR]);
        assert_eq!(nexts("03:00", &BERLIN, SPRING, 2), [2 * HOUR, 26 * HOUR]);
        assert_eq!(nexts("hourly", &BERLIN, SPRING, 4), [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]);
    }

    #[test]
    fn a_time_that_comes_twice_counts_once_unless_the_log_is_rotated_as_often() {
        assert_eq!(nexts("02:30", &BERLIN, AUTUMN, 2), [2 * HOUR + HOUR / 2, 27 * HOUR + HOUR / 2]);
        assert_eq!(
            nexts("02:30", &BERLIN, AUTUMN + 3 * HOUR + 60, 1),
            [24 * HOUR + HOUR / 2 - 60],
            "in the second hour"
        );
        assert_eq!(nexts("hourly", &BERLIN, AUTUMN, 4), [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]);
        assert_eq!(nexts("30min", &BERLIN, AUTUMN + 2 * HOUR, 3), [HOUR / 2, HOUR, HOUR + HOUR / 2]);
        assert_eq!(nexts("2h", &BERLIN, AUTUMN, 3), [2 * HOUR, 5 * HOUR, 7 * HOUR]);
        assert_eq!(nexts("6h", &BERLIN, AUTUMN, 2), [7 * HOUR, 13 * HOUR]);
    }

    #[test]
    fn other_zones_have_other_habits() {
        let start = 1_806_850_800 - 2 * HOUR;
        assert_eq!(nexts("daily", &LORD_HOWE, start, 1), [24 * HOUR + HOUR / 2]);
        assert_eq!(nexts("01:45", &LORD_HOWE, start, 2), [6300, 6300 + 24 * HOUR + HOUR / 2]);
        // The midnights before and after the day that was left out are one.
        assert_eq!(nexts("daily", &APIA, 1_325_239_200 - HOUR, 2), [HOUR, 25 * HOUR]);
    }

    proptest! {
        #[test]
        fn the_next_time_is_later_and_nothing_is_left_out(
            start in 1_770_000_000i64..1_810_000_000,
            when in proptest::sample::select(vec!["daily", "hourly", "weekly", "02:30", "6h", "90min", "5h", "1min"]),
            zone in proptest::sample::select(vec![0usize, 1, 2]),
        ) {
            let zone = [&UTC, &BERLIN, &LORD_HOWE][zone];
            let offset = |time| zone.offset(time);
            let when = every(when);
            let next = next_after(when, start, &offset);
            prop_assert!(next > start);
            // Longer than the period it can only be by what the clock is set back, and a repeated time.
            prop_assert!(next - start <= i64::from(when.period) + 2 * HOUR);
            // Whenever one asks before it, the answer is the same.
            let between = start + (next - start) / 2;
            prop_assert_eq!(next_after(when, between, &offset), next);
        }
    }
}
