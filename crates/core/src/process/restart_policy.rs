//! When a program is restarted, and after which delay.

use std::time::Duration;

use supervisord_config::model::{AutoRestart, Process};

use super::stop_plan::SIGKILL;
use crate::exit_status::ExitStatus;
use crate::time::seconds;

/// `autorestart` and `startretries`, and a limit on how often a program that exits at once is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    when: AutoRestart,
    retries: i64,
}

/// How a program that had been up exited by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether the [`ExitRule`](super::ExitRule) expects it.
    pub expected: bool,
    /// How long it ran.
    pub lived: Duration,
    /// How many times in a row it had exited quickly before.
    pub quick_ends: u32,
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
    /// A restart when this time has passed since the last start.
    Wait {
        /// How many times in a row it has exited quickly.
        quick_ends: u32,
        /// The shortest time between two starts.
        between_starts: Duration,
    },
}

/// A program that exited by itself sooner than this after its start, twice in a row, is not restarted before this time
/// has passed since that start. Without this limit, a program with `startsecs=0` that exits at once would be restarted
/// thousands of times a second; the original's polling loop limits it to about one.
const MIN_RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// The delay of a start while the system does not tell whether it is possible.
const UNANSWERED_DELAY: Duration = Duration::from_secs(5);

impl RestartPolicy {
    /// The policy of a program.
    pub fn of(config: &Process) -> RestartPolicy {
        RestartPolicy { when: config.restart.autorestart, retries: config.start.startretries }
    }

    /// The reaction to the exit of a program that had been up.
    pub fn after_exit(self, exit: Exit) -> AfterExit {
        let restarts = match self.when {
            AutoRestart::Always => true,
            AutoRestart::Never => false,
            AutoRestart::Unexpected => !exit.expected,
        };
        if !restarts {
            return AfterExit::Rest;
        }
        // A program that was killed from outside is not in a crash loop.
        let by_itself = !matches!(exit.status, ExitStatus::Signal { number: SIGKILL | SIGTERM, .. });
        if !by_itself || exit.lived >= MIN_RESTART_INTERVAL {
            return AfterExit::Restart { quick_ends: 0 };
        }
        match exit.quick_ends.saturating_add(1) {
            1 => AfterExit::Restart { quick_ends: 1 },
            quick_ends => AfterExit::Wait { quick_ends, between_starts: MIN_RESTART_INTERVAL },
        }
    }

    /// The delay after this many failed starts in a row; none to give up.
    pub fn after_failed_starts(self, number: i64) -> Option<Duration> {
        (number <= self.retries).then(|| seconds(number))
    }

    /// The delay after a start that could not be tried. It is no failure, so no attempt is lost.
    pub fn after_no_answer(self) -> Duration {
        UNANSWERED_DELAY
    }
}

const SIGTERM: i32 = 15;

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    fn policy(when: AutoRestart) -> RestartPolicy {
        RestartPolicy { when, retries: 3 }
    }

    fn exit(status: ExitStatus, millis: u64, quick_ends: u32) -> Exit {
        Exit { status, expected: true, lived: Duration::from_millis(millis), quick_ends }
    }

    const QUICK_WAIT: Duration = Duration::from_secs(1);

    #[test]
    fn autorestart_decides_with_the_exit_rule() {
        let expected = exit(ExitStatus::Code(0), 5000, 0);
        let unexpected = Exit { expected: false, ..expected };
        let restart = AfterExit::Restart { quick_ends: 0 };
        let all = [AutoRestart::Always, AutoRestart::Never, AutoRestart::Unexpected].map(policy);
        let decisions = all.map(|policy| (policy.after_exit(expected), policy.after_exit(unexpected)));
        let rest = AfterExit::Rest;
        assert_eq!(decisions, [(restart, restart), (rest, rest), (rest, restart)]);
    }

    #[test]
    fn the_second_quick_end_in_a_row_waits() {
        let policy = policy(AutoRestart::Always);
        let code = ExitStatus::Code(0);
        assert_eq!(policy.after_exit(exit(code, 999, 0)), AfterExit::Restart { quick_ends: 1 });
        let wait = |quick_ends| AfterExit::Wait { quick_ends, between_starts: QUICK_WAIT };
        assert_eq!(policy.after_exit(exit(code, 999, 1)), wait(2));
        assert_eq!(policy.after_exit(exit(code, 0, u32::MAX)), wait(u32::MAX));
        assert_eq!(policy.after_exit(exit(code, 1000, 7)), AfterExit::Restart { quick_ends: 0 });
    }

    #[test]
    fn a_killed_program_restarts_at_once_and_a_crashing_one_waits() {
        let policy = policy(AutoRestart::Always);
        let signal = |number| ExitStatus::Signal { number, core_dumped: false };
        for number in [9, 15] {
            assert_eq!(policy.after_exit(exit(signal(number), 0, 5)), AfterExit::Restart { quick_ends: 0 });
        }
        assert!(matches!(policy.after_exit(exit(signal(11), 0, 5)), AfterExit::Wait { quick_ends: 6, .. }));
    }

    #[test]
    fn each_failed_start_waits_a_second_longer_until_none_is_left() {
        let of = |startretries| {
            let mut process = samples::process("p");
            process.start.startretries = startretries;
            RestartPolicy::of(&process)
        };
        let waits: Vec<Option<u64>> =
            (1..=4).map(|number| of(3).after_failed_starts(number).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(3), None]);
        assert_eq!(of(0).after_failed_starts(1), None);
        assert_eq!(of(-1).after_failed_starts(1), None);
    }
}
