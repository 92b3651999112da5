//! How a process has finished for good, and what that means for the exit status of the daemon.

use std::fmt;
use std::sync::Arc;

use super::stop_decision::{StopCause, StopDecision};
use crate::texts;

/// The base of the exit status for a signal, as shells have it.
const BY_SIGNAL: i32 = 128;

/// How a process has finished for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It ended by itself.
    Exited {
        /// Its exit status; -1 after a signal.
        status: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Whether that was expected.
        expected: bool,
    },
    /// It could not be started, or not kept running.
    GivenUp,
    /// The daemon stopped it although it should run, and does not start it again.
    Stopped {
        /// Its exit status; -1 after a signal, none where it did not run.
        status: Option<i32>,
        /// The decision.
        decision: Arc<StopDecision>,
    },
}

impl Finish {
    /// The exit status of a daemon that ends as this process did: its status, 128 and the signal, or 1. One that the daemon
    /// itself stopped has failed, whatever its status, and the signal was the daemon's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Finish::Exited { signal: Some(signal), .. } => u8::try_from(BY_SIGNAL + signal).unwrap_or(1),
            Finish::Exited { status: Some(status), .. } => u8::try_from(*status).unwrap_or(1),
            Finish::Stopped { status: Some(status), .. } => u8::try_from(*status).unwrap_or(1).max(1),
            Finish::Exited { .. } | Finish::GivenUp | Finish::Stopped { .. } => 1,
        }
    }

    /// The exit status of a daemon that ends because this process has failed, which is never that of a success.
    pub fn failure_code(&self) -> u8 {
        self.exit_code().max(1)
    }

    /// What the daemon has done to it, for those that depend on it; none where they know that from elsewhere.
    pub fn defeat(&self) -> Option<String> {
        let Finish::Stopped { decision, .. } = self else { return None };
        match &decision.cause {
            // All that depend on what has failed were told at once.
            StopCause::DependencyFailure(_) => None,
            cause => cause.explanation().map(|explanation| format!("is stopped ({explanation})")),
        }
    }

    /// Whether it is a failure.
    pub fn is_failure(&self) -> bool {
        match self {
            Finish::Exited { expected, .. } => !expected,
            Finish::GivenUp | Finish::Stopped { .. } => true,
        }
    }
}

/// As log lines have it in parentheses.
impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finish::Exited { signal: Some(signal), .. } => {
                write!(f, "terminated by {}", texts::signal_name(*signal))
            }
            Finish::Exited { status: Some(status), .. } if *status >= 0 => write!(f, "exit status {status}"),
            Finish::Exited { .. } => f.write_str("exit status unknown"),
            Finish::GivenUp => f.write_str("FATAL"),
            Finish::Stopped { decision, .. } => decision.cause.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_exits_as_a_shell_would_report_the_program() {
        let unhealthy = || StopDecision::rest(StopCause::Unhealthy("HTTP status 503".to_owned()));
        let stopped = |status| Finish::Stopped { status, decision: Arc::new(unhealthy()) };
        let exited = |status, signal, expected| Finish::Exited { status, signal, expected };
        for (finish, code, failure, text) in [
            (exited(Some(0), None, true), 0, 1, "exit status 0"),
            (exited(Some(3), None, false), 3, 3, "exit status 3"),
            (exited(Some(255), None, false), 255, 255, "exit status 255"),
            (exited(Some(-1), Some(9), false), 137, 137, "terminated by SIGKILL"),
            (exited(Some(-1), Some(64), false), 192, 192, "terminated by SIGRTMAX"),
            (exited(Some(-1), None, false), 1, 1, "exit status unknown"),
            (exited(None, None, false), 1, 1, "exit status unknown"),
            (Finish::GivenUp, 1, 1, "FATAL"),
            (stopped(Some(0)), 1, 1, "stopped, unhealthy: HTTP status 503"),
            (stopped(Some(-1)), 1, 1, "stopped, unhealthy: HTTP status 503"),
            (stopped(Some(7)), 7, 7, "stopped, unhealthy: HTTP status 503"),
            (stopped(None), 1, 1, "stopped, unhealthy: HTTP status 503"),
        ] {
            assert_eq!((finish.exit_code(), finish.failure_code()), (code, failure), "{finish:?}");
            assert_eq!(finish.to_string(), text);
        }
    }
}
