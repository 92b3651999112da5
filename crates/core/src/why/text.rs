//! The explanation as lines to read.

use supervisord_config::duration::Shown;
use supervisord_config::model::{AutoRestart, RestartLimit};
use supervisord_wire::state::ProcessState;

use super::explanation::{AwaitedWhy, Why};
use super::outlook::{Outlook, RestReason};
use crate::dependencies::waiting_for;
use crate::disabled::Disabling;
use crate::health::{HealthPolicy, HealthResult, HealthStatus};
use crate::last_request::LastRequest;
use crate::process::{
    EndJudgement, ExitStatus, LastEnd, MemoryKills, ProcessFailure, ProcessPhase, ReadinessRule, RestartPolicy,
};
use crate::program_counts::LostOutput;
use crate::row::{LocalTime, Row, RowHealth};
use crate::texts;
use crate::time::Now;

/// How times are shown.
#[derive(Clone, Copy)]
pub struct WhyClock {
    /// The current time.
    pub now: Now,
    /// Calendar fields of a time in seconds since the epoch.
    pub local: fn(i64) -> LocalTime,
}

/// What a line about a part of another line begins with.
const INDENT: &str = "  ";

/// How many lines of output are shown.
const MOST_LINES: usize = 8;

impl Why {
    /// The explanation. The first line says how it is, the indented ones why.
    pub fn lines(&self, clock: WhyClock) -> Vec<String> {
        let row = &self.row;
        let name = self.name();
        let since = if row.since == 0 { String::new() } else { format!(" since {}", clock.moment(row.since)) };
        let mut lines = vec![format!("{name} is {}{since}: {}", row.state(), self.headline(clock))];
        let mut because = Vec::new();
        because.extend(row.health.as_deref().map(|health| health_line(row, health, clock)));
        because.extend(failed_spawn(row));
        if let Some(end) = &row.last_end {
            push_end(end, row, clock, &mut because);
        }
        self.waits_for.iter().for_each(|awaited| awaited.push_lines(clock, &mut because));
        because.extend(row.counts.as_deref().and_then(|counts| lost_output(counts.lost_output)));
        if row.restarts > 0 {
            because.push(format!("restarted {} since it was started", times(row.restarts.into())));
        }
        because.extend(row.last_request.as_deref().map(|request| requested(request, clock)));
        if !self.dependents.is_empty() {
            because.push(format!("depended on by: {}", some_of(&self.dependents)));
        }
        because.extend(self.advice.iter().map(|advice| format!("what to do: {advice}")));
        lines.extend(because.into_iter().map(|line| format!("{INDENT}{line}")));
        lines
    }

    fn headline(&self, clock: WhyClock) -> String {
        let row = &self.row;
        match self.outlook {
            Outlook::Runs => format!("it runs with pid {}", row.pid),
            Outlook::Starts { .. } if row.pid == 0 => match row.held_by() {
                Some(commands) => format!("it is being started: {commands}"),
                None => "it is being started".to_owned(),
            },
            Outlook::Starts { .. } if row.config.is_oneshot() => format!("pid {} was started, and is to end", row.pid),
            Outlook::Starts { startsecs } => {
                format!("pid {} was started and counts as RUNNING after startsecs={startsecs}", row.pid)
            }
            Outlook::GetsReady(by) => {
                let sign = ReadinessRule::of(&row.config).sign().map(|sign| format!(" ({sign})")).unwrap_or_default();
                let left = by.map(|by| span(by.saturating_sub(clock.now.mono).as_secs_f64()));
                let left = left.map(|left| format!(", for which it has {left} left")).unwrap_or_default();
                let trouble = row.ready_trouble.as_ref().map(|trouble| format!("; the last probe failed: {trouble}"));
                let trouble = trouble.unwrap_or_default();
                format!("pid {} was started and has not said that it is ready{sign}{left}{trouble}", row.pid)
            }
            Outlook::RunsToEnd => {
                let left = row.runs_until.map(|by| span(by.saturating_sub(clock.now.mono).as_secs_f64()));
                let left = left.map(|left| format!(", for which it has {left} left (max_runtime)")).unwrap_or_default();
                format!("pid {} does its work and has not ended yet{left}", row.pid)
            }
            Outlook::Completed => "it has done its work (type=oneshot)".to_owned(),
            Outlook::Waits => "it is started as soon as what it depends on allows it".to_owned(),
            Outlook::WaitsForTurn => {
                "it is started as soon as fewer others are starting (max_parallel_starts)".to_owned()
            }
            Outlook::WaitsInVain => "it waits in vain for what it depends on".to_owned(),
            Outlook::NextStart(at) => {
                let wait = span(at.saturating_sub(clock.now.mono).as_secs_f64());
                match row.state() {
                    ProcessState::Backoff => format!(
                        "{} to start it failed, the next one follows in {wait}{}",
                        attempts(row.attempts),
                        left(row)
                    ),
                    ProcessState::Fatal => {
                        format!("supervisord gave up{}, and starts it again in {wait} (fatal_retry)", too_often(row))
                    }
                    ProcessState::Stopped
                    | ProcessState::Starting
                    | ProcessState::Running
                    | ProcessState::Stopping
                    | ProcessState::Exited
                    | ProcessState::Unknown => format!("it is started again in {wait}"),
                }
            }
            Outlook::Stops => {
                let stop = match stopped_for(row) {
                    Some(explanation) => format!("it is being stopped ({explanation})"),
                    None => "it was asked to stop, and has not ended yet".to_owned(),
                };
                let left = row.next_stop_step.map(|at| span(at.saturating_sub(clock.now.mono).as_secs_f64()));
                let left = left.unwrap_or_default();
                match row.phase {
                    _ if left.is_empty() => stop,
                    ProcessPhase::PreStop => {
                        format!("{stop}; its signals follow when its pre-stop hook has ended, in {left} at the latest")
                    }
                    _ => format!("{stop}; the next signal follows in {left}"),
                }
            }
            Outlook::Restarts => match stopped_for(row) {
                Some(explanation) => format!("it is being stopped, and then started again ({explanation})"),
                None => "it is being stopped, and then started again".to_owned(),
            },
            Outlook::Rests(RestReason::NotRequested) if row.config.start.autostart => {
                "nobody has started it".to_owned()
            }
            Outlook::Rests(RestReason::NotRequested) => "nobody has started it (autostart=false)".to_owned(),
            Outlook::Rests(RestReason::Stopped | RestReason::StoppedByDaemon) => match stopped_for(row) {
                Some(explanation) => format!("it was stopped ({explanation}), and is not started without a request"),
                None => "it was stopped, and is not started without a request".to_owned(),
            },
            Outlook::Rests(RestReason::Disabled) => {
                let by = row.disabled.as_ref().map(|disabling| disabled(disabling, clock)).unwrap_or_default();
                format!("it is disabled{by}, and is not started until somebody enables it")
            }
            Outlook::Rests(RestReason::NotRestarted(policy)) => {
                let policy = match policy {
                    AutoRestart::Never => "autorestart=false",
                    AutoRestart::Unexpected => "autorestart=unexpected",
                    AutoRestart::Always => "the daemon is ending",
                };
                format!("it ended by itself, and is not started again ({policy})")
            }
            Outlook::Rests(RestReason::OutOfAttempts(number)) => format!(
                "{} to start it failed, and supervisord gave up (startretries={})",
                attempts(number),
                row.config.start.startretries
            ),
            Outlook::Rests(RestReason::OutOfRestarts { restarts, window }) => format!(
                "supervisord gave up, because it would have been restarted more than {} within {} (restart_limit)",
                times(restarts.into()),
                Shown(window)
            ),
            Outlook::Unknown => "a signal could not be sent to it, and it may still run".to_owned(),
        }
    }
}

impl AwaitedWhy {
    fn push_lines(&self, clock: WhyClock, lines: &mut Vec<String>) {
        lines.push(waiting_for(std::slice::from_ref(&self.awaited)));
        for why in &self.because {
            lines.extend(why.lines(clock).into_iter().map(|line| format!("{INDENT}{line}")));
        }
    }
}

/// Why a process is not up, in one line without its name; none where nothing is wrong.
pub fn reason(row: &Row) -> Option<String> {
    if !row.awaited.is_empty() {
        return Some(waiting_for(&row.awaited));
    }
    if let Some(commands) = row.held_by() {
        return Some(commands);
    }
    if let Some(disabling) = &row.disabled {
        return Some(disabling.to_string());
    }
    match row.state() {
        ProcessState::Backoff | ProcessState::Fatal | ProcessState::Exited | ProcessState::Unknown => {}
        ProcessState::Running => return row.health.as_deref().and_then(bad_health),
        ProcessState::Stopped | ProcessState::Stopping => return stopped_for(row),
        ProcessState::Starting => return None,
    }
    let end = row.last_end.as_deref().filter(|end| end.judgement.is_failure());
    let last_line = end.and_then(|end| end.traces.last_line()).map(|line| format!(": {line}")).unwrap_or_default();
    match (failed_spawn(row), end) {
        (Some(text), Some(end)) if end.judgement == EndJudgement::NotReady => Some(text + &last_line),
        (Some(text), _) => Some(text),
        (None, Some(end)) => {
            let lived = span(end.lived.as_secs_f64());
            Some(format!("{} after {lived}{last_line}", texts::termination(end.status)))
        }
        (None, None) => None,
    }
}

/// Why the daemon stops a process, or has stopped it, where nobody asked for that.
fn stopped_for(row: &Row) -> Option<String> {
    row.stop_decision.as_ref()?.cause.explanation()
}

/// That a process which runs is unhealthy, and why; none where it is not.
fn bad_health(health: &RowHealth) -> Option<String> {
    let failure = health.last.as_ref().and_then(|last| last.failure.as_deref()).unwrap_or("no reason is known");
    (health.status == HealthStatus::Unhealthy).then(|| format!("unhealthy: {failure}"))
}

fn health_line(row: &Row, RowHealth { status, failures, last }: &RowHealth, clock: WhyClock) -> String {
    let is_asked = HealthPolicy::of(&row.config).is_none_or(|policy| policy.check().is_some());
    let last = match last {
        None if is_asked => ", no check has ended yet".to_owned(),
        None if *status == HealthStatus::Starting => ", it has not sent WATCHDOG=1 yet".to_owned(),
        None => ", it sends WATCHDOG=1 in time".to_owned(),
        Some(HealthResult { at, failure: None }) => format!(", last checked {}", clock.moment(*at)),
        Some(HealthResult { at, failure: Some(failure) }) => {
            let row = if *failures > 1 { format!(", the last of {failures} failures in a row") } else { String::new() };
            format!("; {}: {failure}{row}", clock.moment(*at))
        }
    };
    format!("health: {}{last}", status.word())
}

/// Why no process could be made, or was not ready; none where it only ended.
fn failed_spawn(row: &Row) -> Option<String> {
    // The last lines of the log are here.
    match ProcessFailure::from_text(row.spawnerr.clone())? {
        ProcessFailure::NotSpawned(reason) => Some(format!("could not be started: {reason}")),
        other => other.reason(),
    }
}

fn push_end(end: &LastEnd, row: &Row, clock: WhyClock, lines: &mut Vec<String>) {
    let judgement = match end.judgement {
        EndJudgement::Expected => "; that was expected".to_owned(),
        EndJudgement::Unexpected => "; that was not expected".to_owned(),
        EndJudgement::NotReady => "; it had not become ready".to_owned(),
        EndJudgement::Unhealthy if end.stop_decision.is_none() => {
            ", when it was stopped because it was unhealthy".to_owned()
        }
        EndJudgement::TooQuick => format!("; that was too quick (startsecs={})", row.config.start.startsecs),
        EndJudgement::Stopped | EndJudgement::Unhealthy => {
            let explanation = end.stop_decision.as_ref().and_then(|decision| decision.cause.explanation());
            let explanation = explanation.map(|explanation| format!(" ({explanation})")).unwrap_or_default();
            format!(", when it was stopped{explanation}")
        }
    };
    let (status, lived) = (texts::termination(end.status), span(end.lived.as_secs_f64()));
    lines.push(format!("last end: {status} after {lived}, {}{judgement}", clock.moment(end.at)));
    if !matches!(end.judgement, EndJudgement::Stopped | EndJudgement::Unhealthy) {
        lines.extend(end.traces.kills.as_ref().map(|kills| killed(kills, clock)));
    }
    let output: Vec<&str> = end.traces.output.lines().collect();
    if output.is_empty() {
        if end.judgement.is_failure() && matches!(end.status, ExitStatus::Code(_)) {
            lines.push("it wrote nothing to stderr".to_owned());
        }
        return;
    }
    let channel = if row.config.logging.redirect_stderr { "of its output" } else { "on stderr" };
    lines.push(format!("last lines {channel}:"));
    let shown = &output[output.len().saturating_sub(MOST_LINES)..];
    lines.extend(shown.iter().map(|line| format!("{INDENT}| {line}")));
}

/// How much of its output did not get into its logs; none where everything did.
fn lost_output(LostOutput { stdout, stderr }: LostOutput) -> Option<String> {
    let of_stream = |(name, bytes): (&str, u64)| match bytes {
        0 => None,
        1 => Some(format!("1 byte of {name}")),
        bytes => Some(format!("{bytes} bytes of {name}")),
    };
    let streams: Vec<String> = [("stdout", stdout), ("stderr", stderr)].into_iter().filter_map(of_stream).collect();
    (!streams.is_empty()).then(|| format!("lost output: {}; the activity log says why", streams.join(", ")))
}

/// The first of many names, and how many others there are.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 10;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What the kernel counted: no more than that is known.
fn killed(MemoryKills { since, in_cgroup, on_machine }: &MemoryKills, clock: WhyClock) -> String {
    let since = clock.moment(*since);
    let processes = |number: u64| if number == 1 { "1 process".to_owned() } else { format!("{number} processes") };
    match (in_cgroup, on_machine) {
        (Some(number @ 1..), _) => format!(
            "the daemon did not send SIGKILL; the kernel has killed {} of its control group for want of memory since {since}",
            processes(*number)
        ),
        (_, Some(number @ 1..)) => format!(
            "the daemon did not send SIGKILL; the kernel has killed {} of this machine for want of memory since {since}, \
             perhaps this one",
            processes(*number)
        ),
        _ => "the daemon did not send SIGKILL, and the kernel killed nothing for want of memory: somebody else sent it"
            .to_owned(),
    }
}

fn requested(LastRequest { action, by, at }: &LastRequest, clock: WhyClock) -> String {
    format!("last request: {action}, {}, by {by}", clock.moment(*at))
}

/// Since when a process is disabled, and by whom.
fn disabled(Disabling { by, at }: &Disabling, clock: WhyClock) -> String {
    format!(" since {} by {by}", clock.moment(*at))
}

fn attempts(number: i64) -> String {
    match number {
        1 => "1 attempt".to_owned(),
        number => format!("{number} attempts"),
    }
}

/// How many attempts are left of those that are limited by their number.
fn left(row: &Row) -> String {
    if RestartPolicy::of(&row.config).limit().is_some() {
        return String::new();
    }
    let left = row.config.start.startretries.saturating_sub(row.attempts).saturating_add(1).max(0);
    format!(" ({left} left of startretries={})", row.config.start.startretries)
}

/// That a limit of restarts is why it was given up; empty where there is none.
fn too_often(row: &Row) -> String {
    match RestartPolicy::of(&row.config).limit() {
        Some(RestartLimit::Within { .. }) => " because of restart_limit".to_owned(),
        Some(RestartLimit::Unlimited) | None => String::new(),
    }
}

fn times(number: i64) -> String {
    match number {
        1 => "once".to_owned(),
        number => format!("{number} times"),
    }
}

/// A length of time, as exact as somebody who reads it needs to know.
fn span(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", (seconds * 1000.0).max(0.0)),
        ..9.95 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} days", seconds / 86400.0),
    }
}

impl WhyClock {
    /// `2026-11-30 08:37:33 (12 s ago)`.
    fn moment(self, at: i64) -> String {
        let LocalTime { year, month, day, hour, minute, second, .. } = (self.local)(at);
        let ago = self.now.epoch().saturating_sub(at).max(0);
        let ago = match ago {
            0 => "just now".to_owned(),
            1..120 => format!("{ago} s ago"),
            _ => format!("{} ago", span(ago as f64)),
        };
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} ({ago})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_first_are_shown() {
        let names = |number: usize| (1..=number).map(|name| format!("c{name}")).collect::<Vec<_>>();
        assert_eq!(some_of(&names(2)), "c1, c2");
        assert_eq!(some_of(&names(10)), "c1, c2, c3, c4, c5, c6, c7, c8, c9, c10");
        assert_eq!(some_of(&names(200)), "c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 and 190 more");
    }

    #[test]
    fn spans_are_as_exact_as_needed() {
        for (seconds, text) in [
            (-1.0, "0 ms"),
            (0.004, "4 ms"),
            (1.0, "1.0 s"),
            (9.94, "9.9 s"),
            (12.3, "12 s"),
            (119.0, "119 s"),
            (150.0, "2 min"),
            (7300.0, "2 h"),
            (400_000.0, "5 days"),
        ] {
            assert_eq!(span(seconds), text, "{seconds}");
        }
    }
}
