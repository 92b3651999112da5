//! What comes next of a process if nobody asks for anything.

use std::time::Duration;

use supervisord_config::model::{AutoRestart, RestartLimit};

use crate::process::{AfterStop, ProcessPhase, RestartPolicy, Wanted};
use crate::row::Row;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outlook {
    /// It runs.
    Runs,
    /// It is being started, and runs when it has been alive for so many seconds.
    Starts { startsecs: i64 },
    /// It has been started, and must say that it is ready, by this time on the monotonic clock where there is such a limit.
    GetsReady(Option<Duration>),
    /// It does its work, and then ends.
    RunsToEnd,
    /// It has done its work.
    Completed,
    /// It is started when what it waits for holds.
    Waits,
    /// It is started when fewer programs are starting.
    WaitsForTurn,
    /// It waits for something that will not come by itself.
    WaitsInVain,
    /// It is started again at this time, on the monotonic clock.
    NextStart(Duration),
    /// It is being stopped.
    Stops,
    /// It is being stopped, and then started again.
    Restarts,
    /// It is not started.
    Rests(RestReason),
    /// Nobody can stop it, and it is not known whether it runs.
    Unknown,
}

/// Why a process is not started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RestReason {
    /// It is not started with the daemon (`autostart=false`), and nobody has asked for it.
    NotRequested,
    /// It was stopped.
    Stopped,
    /// Somebody has disabled it.
    Disabled,
    /// The daemon stopped it although it should run.
    StoppedByDaemon,
    /// It ended by itself, and is not restarted (`autorestart`).
    NotRestarted(AutoRestart),
    /// The last attempt to start it failed; there were so many (`startretries` and one).
    OutOfAttempts(i64),
    /// It was restarted too often (`restart_limit`).
    OutOfRestarts {
        /// So many times
        restarts: u32,
        /// within this time.
        window: Duration,
    },
}

impl Outlook {
    /// Of the process that readers see so.
    pub fn of(row: &Row) -> Outlook {
        let is_wanted = row.wanted == Wanted::Up;
        let is_to_restart = row.stop_decision.as_ref().is_some_and(|decision| decision.then != AfterStop::Rest);
        let is_defeated = is_wanted && row.stop_decision.as_ref().is_some_and(|decision| decision.is_defeat());
        match (row.phase, row.next_start) {
            (
                ProcessPhase::NeverStarted
                | ProcessPhase::Stopped
                | ProcessPhase::Exited
                | ProcessPhase::Completed
                | ProcessPhase::GivenUp,
                None,
            ) if row.disabled.is_some() => Outlook::Rests(RestReason::Disabled),
            (
                ProcessPhase::NeverStarted | ProcessPhase::Stopped | ProcessPhase::Exited | ProcessPhase::GivenUp,
                None,
            ) if is_defeated => Outlook::Rests(RestReason::StoppedByDaemon),
            (ProcessPhase::NeverStarted, _) if row.stop_decision.is_some() => Outlook::Rests(RestReason::Stopped),
            (ProcessPhase::NeverStarted, _) => Outlook::Rests(RestReason::NotRequested),
            (ProcessPhase::AwaitingDependencies, _) => {
                let in_vain = row.awaited.iter().any(|awaited| awaited.hindrance.is_some());
                if in_vain { Outlook::WaitsInVain } else { Outlook::Waits }
            }
            (ProcessPhase::AwaitingTurn, _) => Outlook::WaitsForTurn,
            (ProcessPhase::PreStart | ProcessPhase::Spawning | ProcessPhase::Settling, _) => {
                Outlook::Starts { startsecs: row.config.start.startsecs.max(0) }
            }
            (ProcessPhase::GettingReady, _) => Outlook::GetsReady(row.ready_by),
            (ProcessPhase::RunningToEnd, _) => Outlook::RunsToEnd,
            (ProcessPhase::Completed, _) => Outlook::Completed,
            (ProcessPhase::Up, _) => Outlook::Runs,
            (ProcessPhase::PreStop | ProcessPhase::Stopping, _) if is_to_restart => Outlook::Restarts,
            (ProcessPhase::PreStop | ProcessPhase::Stopping, _) => Outlook::Stops,
            (ProcessPhase::Stopped, _) if is_to_restart => Outlook::Restarts,
            (ProcessPhase::Stopped, _) => Outlook::Rests(RestReason::Stopped),
            (ProcessPhase::WaitingToRestart | ProcessPhase::BackingOff | ProcessPhase::GivenUp, Some(at)) => {
                Outlook::NextStart(at)
            }
            (ProcessPhase::Exited | ProcessPhase::WaitingToRestart | ProcessPhase::BackingOff, _) => {
                Outlook::Rests(match is_wanted {
                    true => RestReason::NotRestarted(row.config.restart.autorestart),
                    false => RestReason::Stopped,
                })
            }
            (ProcessPhase::GivenUp, None) if is_wanted => {
                Outlook::Rests(match RestartPolicy::of(&row.config).limit() {
                    Some(RestartLimit::Within { restarts, window }) => RestReason::OutOfRestarts { restarts, window },
                    Some(RestartLimit::Unlimited) | None => {
                        RestReason::OutOfAttempts(row.config.start.startretries.max(0).saturating_add(1))
                    }
                })
            }
            (ProcessPhase::GivenUp, None) => Outlook::Rests(RestReason::Stopped),
            (ProcessPhase::Unreachable, _) => Outlook::Unknown,
        }
    }

    /// Whether it will be RUNNING, or is, or does its work, if nobody asks for anything and nothing fails.
    pub fn leads_to_running(self) -> bool {
        match self {
            Outlook::Runs
            | Outlook::Starts { .. }
            | Outlook::GetsReady(_)
            | Outlook::RunsToEnd
            | Outlook::Waits
            | Outlook::WaitsForTurn
            | Outlook::NextStart(_)
            | Outlook::Restarts => true,
            Outlook::Completed | Outlook::WaitsInVain | Outlook::Stops | Outlook::Rests(_) | Outlook::Unknown => false,
        }
    }

    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Outlook::Runs => "runs",
            Outlook::Starts { .. } => "starts",
            Outlook::GetsReady(_) => "gets_ready",
            Outlook::RunsToEnd => "runs_to_end",
            Outlook::Completed => "completed",
            Outlook::Waits | Outlook::WaitsForTurn => "waits",
            Outlook::WaitsInVain => "waits_in_vain",
            Outlook::NextStart(_) => "next_start",
            Outlook::Stops => "stops",
            Outlook::Restarts => "restarts",
            Outlook::Rests(RestReason::NotRequested) => "not_requested",
            Outlook::Rests(RestReason::Stopped) => "stopped",
            Outlook::Rests(RestReason::Disabled) => "disabled",
            Outlook::Rests(RestReason::StoppedByDaemon) => "stopped_by_daemon",
            Outlook::Rests(RestReason::NotRestarted(_)) => "not_restarted",
            Outlook::Rests(RestReason::OutOfAttempts(_)) => "out_of_attempts",
            Outlook::Rests(RestReason::OutOfRestarts { .. }) => "out_of_restarts",
            Outlook::Unknown => "unknown",
        }
    }
}
