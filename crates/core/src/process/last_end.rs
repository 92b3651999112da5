//! How the last child of a process ended, for whoever asks why.

use std::sync::Arc;
use std::time::Duration;

use super::stop_decision::StopDecision;
use crate::exit_status::ExitStatus;

/// The end of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEnd {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// What the system reported.
    pub status: ExitStatus,
    /// What the end meant for the process.
    pub judgement: EndJudgement,
    /// How long the child had lived.
    pub lived: Duration,
    /// Why it was stopped; none where it ended by itself.
    pub stop_decision: Option<Arc<StopDecision>>,
    /// What else is known.
    pub traces: EndTraces,
}

/// What the end of a child meant for its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndJudgement {
    /// It ended by itself, with an expected status.
    Expected,
    /// It ended by itself, with an unexpected status.
    Unexpected,
    /// It ended by itself before it had been alive for `startsecs`.
    TooQuick,
    /// It ended by itself before it was ready, or was stopped because it was not ready in time.
    NotReady,
    /// It was stopped because it was unhealthy.
    Unhealthy,
    /// It was stopped.
    Stopped,
}

impl EndJudgement {
    /// All of them.
    pub const ALL: [EndJudgement; 6] = [
        EndJudgement::Expected,
        EndJudgement::Unexpected,
        EndJudgement::TooQuick,
        EndJudgement::NotReady,
        EndJudgement::Unhealthy,
        EndJudgement::Stopped,
    ];

    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            EndJudgement::Expected => "expected",
            EndJudgement::Unexpected => "unexpected",
            EndJudgement::TooQuick => "too_quick",
            EndJudgement::NotReady => "not_ready",
            EndJudgement::Unhealthy => "unhealthy",
            EndJudgement::Stopped => "stopped",
        }
    }

    /// Whether the process failed.
    pub const fn is_failure(self) -> bool {
        match self {
            EndJudgement::Unexpected | EndJudgement::TooQuick | EndJudgement::NotReady | EndJudgement::Unhealthy => {
                true
            }
            EndJudgement::Expected | EndJudgement::Stopped => false,
        }
    }
}

/// What is known of the end of a child besides its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndTraces {
    /// The last lines that it wrote to stderr, or to stdout with `redirect_stderr`, as
    /// [`last_lines`](crate::output::last_lines::last_lines) keeps them; empty where it wrote nothing.
    pub output: String,
    /// What the kernel counted meanwhile, where SIGKILL ended it and the daemon did not send that.
    pub kills: Option<MemoryKills>,
}

/// The last line of a child that could not become its program, behind the line that says why.
const NOT_SPAWNED: &str = "supervisor: child process was not spawned";

impl EndTraces {
    /// The line that most likely says what went wrong: the last one of the output. None where nothing was written.
    pub fn last_line(&self) -> Option<&str> {
        let mut lines = self.output.lines().rev().skip_while(|line| *line == NOT_SPAWNED);
        lines.next().or_else(|| self.output.lines().next_back())
    }
}

/// How many processes the kernel killed for want of memory in a span of time that ended with the end of a child. It does not say
/// which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryKills {
    /// When the counters were read before, in seconds since the epoch.
    pub since: i64,
    /// In the control group of the daemon and those below it; none where there is no such counter.
    pub in_cgroup: Option<u64>,
    /// On the whole machine; none where there is no such counter.
    pub on_machine: Option<u64>,
}
