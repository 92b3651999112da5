//! When a program is restarted, after which delay, and when it is given up.

use std::fmt;
use std::time::Duration;

use supervisord_config::duration::Shown;
use supervisord_config::model::{AutoRestart, Backoff, Process, RecycleAfter, RestartLimit};

use super::restarts::Restarts;
use super::stop_plan::SIGKILL;
use crate::exit_status::ExitStatus;
use crate::time::seconds;

/// `autorestart` and `startretries`, a limit on how often a program that exits at once is restarted, and the options that
/// space and limit restarts, which count failed starts and crashes alike. Without these a program that had been up is
/// restarted at once, and each failed start waits a second longer than the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestartPolicy {
    when: AutoRestart,
    retries: i64,
    delay: Option<Duration>,
    backoff: Option<Backoff>,
    max_delay: Option<Duration>,
    jitter: f64,
    limit: Option<RestartLimit>,
    second_life: Option<Duration>,
    runtime: Option<Duration>,
    recycle: Option<RecycleAfter>,
}

/// How a program that had been up exited by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether the [`ExitRule`](super::ExitRule) expects it.
    pub expected: bool,
    /// When it had been started.
    pub started: Duration,
    /// When it exited.
    pub died: Duration,
    /// How many times in a row it had exited quickly before.
    pub quick_ends: u32,
}

impl Exit {
    fn lived(&self) -> Duration {
        self.died.saturating_sub(self.started)
    }
}

/// The reaction to an [`Exit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterExit {
    /// No restart.
    Rest,
    /// A restart at once.
    Restart {
        /// How many times in a row it has exited quickly.
        quick_ends: u32,
    },
    /// A restart later.
    Wait {
        /// How many times in a row it has exited quickly.
        quick_ends: u32,
        /// When.
        until: Duration,
    },
    /// No restart any more.
    GiveUp(GaveUp),
}

/// Why a program is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// No attempt to start it is left.
    Retries,
    /// It was restarted so many times within this time.
    Limit { restarts: u32, window: Duration },
}

/// As in the activity log, where the first is the original's.
impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaveUp::Retries => f.write_str("too many start retries too quickly"),
            GaveUp::Limit { restarts, window } => {
                let times = if *restarts == 1 { "once" } else { &format!("{restarts} times") };
                write!(f, "it was restarted {times} within {} (restart_limit)", Shown(*window))
            }
        }
    }
}

/// A program that exited by itself sooner than this after its start, twice in a row, is not restarted before this time
/// has passed since that start. Without this limit, a program with `startsecs=0` that exits at once would be restarted
/// thousands of times a second; the original's polling loop limits it to about one.
const MIN_RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// The delay of a start while the system does not tell whether it is possible.
const UNANSWERED_DELAY: Duration = Duration::from_secs(5);

/// The first delay where only the way it grows is configured.
const DEFAULT_DELAY: Duration = Duration::from_secs(1);

/// The longest delay that grows, where none is configured.
const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(300);

impl RestartPolicy {
    /// The policy of a program.
    pub fn of(config: &Process) -> RestartPolicy {
        let restart = &config.restart;
        RestartPolicy {
            when: restart.autorestart,
            retries: config.start.startretries,
            delay: restart.restart_delay,
            backoff: restart.restart_backoff,
            max_delay: restart.restart_max_delay,
            jitter: restart.restart_jitter.unwrap_or(0.0),
            limit: restart.restart_limit,
            second_life: restart.fatal_retry,
            runtime: restart.max_runtime,
            recycle: restart.recycle_after,
        }
    }

    /// The same, but the program is restarted after any exit.
    pub fn always(self) -> RestartPolicy {
        RestartPolicy { when: AutoRestart::Always, ..self }
    }

    /// The reaction to the exit of a program that had been up. `restarts` knows of this failure already; `random` spreads the
    /// delay.
    pub fn after_exit(&self, exit: Exit, restarts: &Restarts, random: u64) -> AfterExit {
        let restarts_it = match self.when {
            AutoRestart::Always => true,
            AutoRestart::Never => false,
            AutoRestart::Unexpected => !exit.expected,
        };
        if !restarts_it {
            return AfterExit::Rest;
        }
        // A program that was killed from outside is not in a crash loop.
        let by_itself = !matches!(exit.status, ExitStatus::Signal { number: SIGKILL | SIGTERM, .. });
        let is_quick = by_itself && exit.lived() < MIN_RESTART_INTERVAL;
        let quick_ends = if is_quick { exit.quick_ends.saturating_add(1) } else { 0 };
        let until = match self.delay_after(restarts.failures) {
            Some(delay) => Some(exit.died + self.spread(delay, random)),
            None if quick_ends > 1 => Some(exit.started + MIN_RESTART_INTERVAL),
            None => None,
        };
        if let Some(reason) = self.used_up(restarts, until.unwrap_or(exit.died)) {
            return AfterExit::GiveUp(reason);
        }
        match until {
            Some(until) => AfterExit::Wait { quick_ends, until },
            None => AfterExit::Restart { quick_ends },
        }
    }

    /// The delay after this many failed starts in a row. `restarts` knows of the last one already; `random` spreads the delay.
    ///
    /// # Errors
    /// Why there is no further attempt.
    pub fn after_failed_starts(
        &self,
        number: i64,
        restarts: &Restarts,
        now: Duration,
        random: u64,
    ) -> Result<Duration, GaveUp> {
        let delay = match (self.delay_after(restarts.failures), self.delay) {
            (Some(delay), _) => delay,
            // Without a pause it would be tried as fast as the system fails.
            (None, Some(_)) => MIN_RESTART_INTERVAL,
            (None, None) => {
                let longest = self.max_delay.or(self.limit.map(|_| DEFAULT_MAX_DELAY)).unwrap_or(Duration::MAX);
                seconds(number).min(longest)
            }
        };
        let delay = self.spread(delay, random);
        let reason = match self.limit {
            Some(_) => self.used_up(restarts, now + delay),
            None => (number > self.retries).then_some(GaveUp::Retries),
        };
        reason.map_or(Ok(delay), Err)
    }

    /// The delay after a start that could not be tried. It is no failure, so no attempt is lost.
    pub fn after_no_answer(&self) -> Duration {
        UNANSWERED_DELAY
    }

    /// When a program that is given up now is started anew; none for never.
    pub fn second_life(&self, random: u64) -> Option<Duration> {
        self.second_life.map(|delay| self.spread(delay, random))
    }

    /// How long a program may run; none for as long as it likes.
    pub fn runtime(&self) -> Option<Duration> {
        self.runtime
    }

    /// Whether most exits are followed by a restart at once.
    pub fn restarts_at_once(&self) -> bool {
        self.when != AutoRestart::Never && !self.is_paced()
    }

    /// How long a program runs until it is recycled, somewhere within the spread; none for as long as it may.
    pub fn recycled_after(&self, random: u64) -> Option<Duration> {
        let RecycleAfter { after, spread } = self.recycle?;
        Some(after.saturating_sub(spread) + spread.mul_f64(2.0 * share(random)))
    }

    /// Whether a program is started again when it has run for as long as it may.
    pub fn renews(&self) -> bool {
        self.when != AutoRestart::Never
    }

    /// Whether restarts are spaced or limited otherwise than by the options of the original.
    pub fn is_configured(&self) -> bool {
        self.is_paced() || self.limit.is_some() || self.second_life.is_some()
    }

    /// How many restarts in which time there may be, in place of a number of attempts.
    pub fn limit(&self) -> Option<RestartLimit> {
        self.limit
    }

    /// Whether delays are configured.
    pub fn is_paced(&self) -> bool {
        self.first_delay().is_some()
    }

    /// How many failures in a row there are after an exit.
    pub fn failures(&self, exit: &Exit, restarts: &Restarts) -> u32 {
        let before = if exit.lived() >= self.longest_delay() { 0 } else { restarts.failures };
        if exit.expected { 0 } else { before.saturating_add(1) }
    }

    /// Remembers a restart.
    pub fn note(&self, restarts: &mut Restarts, now: Duration) {
        restarts.number = restarts.number.saturating_add(1);
        if let Some(RestartLimit::Within { restarts: most, .. }) = self.limit {
            restarts.keep(now, most as usize);
        }
    }

    /// Whether there may be another restart at this moment.
    pub(super) fn allows_another(&self, restarts: &Restarts, now: Duration) -> bool {
        self.used_up(restarts, now).is_none()
    }

    /// Why a restart at this moment would be one too many; none where it is allowed.
    fn used_up(&self, restarts: &Restarts, moment: Duration) -> Option<GaveUp> {
        let Some(RestartLimit::Within { restarts: most, window }) = self.limit else { return None };
        (restarts.within(window, moment) >= most as usize).then_some(GaveUp::Limit { restarts: most, window })
    }

    /// The delay after so many failures in a row, before it is spread; none where none is configured.
    fn delay_after(&self, failures: u32) -> Option<Duration> {
        let first = self.first_delay()?;
        let number = failures.max(1);
        let factor = match self.backoff.unwrap_or(Backoff::Fixed) {
            Backoff::Fixed => 1,
            Backoff::Linear => number,
            Backoff::Exponential => 2_u32.saturating_pow(number - 1),
        };
        Some(first.saturating_mul(factor).min(self.longest_delay()))
    }

    fn first_delay(&self) -> Option<Duration> {
        let delay = self.delay.or(self.backoff.map(|_| DEFAULT_DELAY));
        delay.filter(|delay| !delay.is_zero())
    }

    fn longest_delay(&self) -> Duration {
        self.max_delay.unwrap_or_else(|| DEFAULT_MAX_DELAY.max(self.first_delay().unwrap_or_default()))
    }

    /// The delay with up to the configured part of it more.
    fn spread(&self, delay: Duration, random: u64) -> Duration {
        delay + delay.mul_f64(self.jitter * share(random))
    }
}

/// A number from 0 to 1.
fn share(random: u64) -> f64 {
    // The upper 53 bits are the digits that it has.
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

const SIGTERM: i32 = 15;

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    fn policy(vary: impl FnOnce(&mut Process)) -> RestartPolicy {
        let mut process = samples::process("p");
        vary(&mut process);
        RestartPolicy::of(&process)
    }

    fn always(vary: impl FnOnce(&mut Process)) -> RestartPolicy {
        policy(|process| {
            process.restart.autorestart = AutoRestart::Always;
            vary(process);
        })
    }

    fn exit(status: ExitStatus, millis: u64, quick_ends: u32) -> Exit {
        let died = START + Duration::from_millis(millis);
        Exit { status, expected: true, started: START, died, quick_ends }
    }

    fn after(policy: &RestartPolicy, exit: Exit) -> AfterExit {
        policy.after_exit(exit, &Restarts::default(), 0)
    }

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn autorestart_decides_with_the_exit_rule() {
        let expected = exit(ExitStatus::Code(0), 5000, 0);
        let unexpected = Exit { expected: false, ..expected };
        let restart = AfterExit::Restart { quick_ends: 0 };
        let decisions = [AutoRestart::Always, AutoRestart::Never, AutoRestart::Unexpected].map(|when| {
            let policy = policy(|process| process.restart.autorestart = when);
            (after(&policy, expected), after(&policy, unexpected))
        });
        let rest = AfterExit::Rest;
        assert_eq!(decisions, [(restart, restart), (rest, rest), (rest, restart)]);
    }

    #[test]
    fn the_second_quick_end_in_a_row_waits() {
        let policy = always(|_| {});
        let code = ExitStatus::Code(0);
        assert_eq!(after(&policy, exit(code, 999, 0)), AfterExit::Restart { quick_ends: 1 });
        let wait = |quick_ends| AfterExit::Wait { quick_ends, until: START + Duration::from_secs(1) };
        assert_eq!(after(&policy, exit(code, 999, 1)), wait(2));
        assert_eq!(after(&policy, exit(code, 0, u32::MAX)), wait(u32::MAX));
        assert_eq!(after(&policy, exit(code, 1000, 7)), AfterExit::Restart { quick_ends: 0 });
    }

    #[test]
    fn a_killed_program_restarts_at_once_and_a_crashing_one_waits() {
        let policy = always(|_| {});
        let signal = |number| ExitStatus::Signal { number, core_dumped: false };
        for number in [9, 15] {
            assert_eq!(after(&policy, exit(signal(number), 0, 5)), AfterExit::Restart { quick_ends: 0 });
        }
        assert!(matches!(after(&policy, exit(signal(11), 0, 5)), AfterExit::Wait { quick_ends: 6, .. }));
    }

    /// The delays after failed starts, in seconds, until it is given up.
    fn delays(policy: &RestartPolicy, most: i64) -> Vec<f64> {
        let failed = |number: i64| Restarts { failures: number as u32, ..Restarts::default() };
        let delay = |number| policy.after_failed_starts(number, &failed(number), START, 0).ok();
        (1..=most).map_while(delay).map(|delay| delay.as_secs_f64()).collect()
    }

    #[test]
    fn each_failed_start_waits_a_second_longer_until_none_is_left() {
        let of = |startretries| policy(|process| process.start.startretries = startretries);
        assert_eq!(delays(&of(3), 10), [1.0, 2.0, 3.0]);
        assert_eq!(delays(&of(0), 10), [0.0; 0]);
        assert_eq!(delays(&of(-1), 10), [0.0; 0]);
    }

    #[test]
    fn delays_grow_as_configured_up_to_the_longest() {
        let of = |delay: Option<f64>, backoff, max_delay: Option<u64>| {
            policy(|process| {
                process.restart.restart_delay = delay.map(Duration::from_secs_f64);
                process.restart.restart_backoff = backoff;
                process.restart.restart_max_delay = max_delay.map(Duration::from_secs);
                process.restart.restart_limit = Some(RestartLimit::Unlimited);
            })
        };
        assert_eq!(delays(&of(Some(2.5), None, None), 3), [2.5, 2.5, 2.5]);
        assert_eq!(delays(&of(Some(2.5), Some(Backoff::Linear), Some(6)), 4), [2.5, 5.0, 6.0, 6.0]);
        assert_eq!(delays(&of(None, Some(Backoff::Exponential), None), 10)[5..], [32.0, 64.0, 128.0, 256.0, 300.0]);
        assert_eq!(delays(&of(Some(0.0), None, None), 2), [1.0, 1.0], "a failing system is not asked without a pause");
        assert_eq!(delays(&of(Some(600.0), Some(Backoff::Exponential), None), 3), [600.0; 3]);
        assert_eq!(delays(&of(None, None, Some(2)), 4), [1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn a_crash_waits_like_a_failed_start() {
        let policy = policy(|process| {
            process.restart.restart_delay = Some(Duration::from_secs(2));
            process.restart.restart_backoff = Some(Backoff::Exponential);
        });
        let crash = Exit { expected: false, ..exit(ExitStatus::Code(1), 5000, 0) };
        let until = |failures| {
            let restarts = Restarts { failures, ..Restarts::default() };
            match policy.after_exit(crash, &restarts, 0) {
                AfterExit::Wait { until, .. } => (until - crash.died).as_secs(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([until(1), until(2), until(3)], [2, 4, 8]);
    }

    #[test]
    fn a_long_run_and_an_expected_exit_end_the_row_of_failures() {
        let policy = always(|process| process.restart.restart_max_delay = Some(Duration::from_secs(60)));
        let restarts = Restarts { failures: 5, ..Restarts::default() };
        let failures = |expected, seconds: u64| {
            policy.failures(&Exit { expected, ..exit(ExitStatus::Code(1), seconds * 1000, 0) }, &restarts)
        };
        assert_eq!([failures(false, 59), failures(false, 60), failures(true, 1)], [6, 1, 0]);
    }

    #[test]
    fn a_limit_counts_the_restarts_within_its_window() {
        let policy = always(|process| {
            process.start.startretries = 0;
            process.restart.restart_limit = Some(RestartLimit::Within { restarts: 2, window: Duration::from_secs(60) });
        });
        let mut restarts = Restarts::default();
        let crash = exit(ExitStatus::Code(0), 5000, 0);
        for ago in [70, 50] {
            policy.note(&mut restarts, crash.died - Duration::from_secs(ago));
        }
        assert_eq!(policy.after_exit(crash, &restarts, 0), AfterExit::Restart { quick_ends: 0 });
        policy.note(&mut restarts, crash.died);
        assert_eq!((restarts.number, restarts.times.len()), (3, 2));
        let limit = GaveUp::Limit { restarts: 2, window: Duration::from_secs(60) };
        assert_eq!(policy.after_exit(crash, &restarts, 0), AfterExit::GiveUp(limit));
        assert_eq!(policy.after_failed_starts(1, &restarts, crash.died, 0), Err(limit));
        assert_eq!(limit.to_string(), "it was restarted 2 times within 1min (restart_limit)");
    }

    #[test]
    fn jitter_adds_up_to_its_part_of_the_delay() {
        let policy = policy(|process| {
            process.restart.restart_delay = Some(Duration::from_secs(10));
            process.restart.restart_jitter = Some(0.5);
        });
        let of =
            |random| policy.after_failed_starts(1, &Restarts::default(), START, random).map(|delay| delay.as_millis());
        assert_eq!([of(0), of(1 << 63), of(u64::MAX)], [Ok(10_000), Ok(12_500), Ok(15_000)]);
    }
}
