//! The health of a process while it is up: what its health checks found, and whether it says that it is alive.
//!
//! The words and rules are those of container health checks. A process is *starting* until its first check succeeds,
//! *unhealthy* after so many failures in a row, and *healthy* otherwise. Within the start period failures do not count, and
//! checks follow each other faster; the first success ends it. Each check begins an interval after the last one has ended, so
//! there is at most one at a time. The first one begins as soon as the process is up.
//!
//! A process that has to say by itself that it is alive (the heartbeat) is starting until it does so for the first time, and
//! unhealthy when it has not done so in time. With both, it is healthy where both are good, and unhealthy where one is bad.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::duration::Shown;
use supervisord_config::model::OnUnhealthy;
use supervisord_config::model::Process;
use supervisord_config::probe::Probe;

use crate::time::{Now, is_noticed_late};

/// The longest text of a result that is kept, in bytes.
const MOST_TEXT: usize = 200;

/// The shortest time between heartbeats that a process can ask for: less than this, no scheduler can keep.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// How a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthStatus {
    /// It is not known yet.
    #[default]
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl HealthStatus {
    /// All of them.
    pub const ALL: [HealthStatus; 3] = [HealthStatus::Starting, HealthStatus::Healthy, HealthStatus::Unhealthy];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            HealthStatus::Starting => "starting",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }

    /// The status of a word.
    pub fn from_word(word: &str) -> Option<HealthStatus> {
        HealthStatus::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// How the health of a process is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    checks: Option<CheckPlan>,
    heartbeat: Option<Duration>,
    reaction: OnUnhealthy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CheckPlan {
    probe: Arc<Probe>,
    interval: Duration,
    timeout: Duration,
    retries: u32,
    start_period: Duration,
    start_interval: Duration,
}

impl HealthPolicy {
    /// The policy of a process; none where nothing tells how it is.
    pub fn of(config: &Process) -> Option<HealthPolicy> {
        let health = &config.health;
        let checks = health.healthcheck.clone().map(|probe| CheckPlan {
            probe,
            interval: health.healthcheck_interval,
            timeout: health.healthcheck_timeout,
            retries: health.healthcheck_retries,
            start_period: health.healthcheck_start_period,
            start_interval: health.healthcheck_start_interval,
        });
        let heartbeat = health.watchdog;
        let is_watched = checks.is_some() || heartbeat.is_some();
        is_watched.then_some(HealthPolicy { checks, heartbeat, reaction: health.on_unhealthy })
    }

    /// What is asked, and how long the answer may take; none where nothing is.
    pub fn check(&self) -> Option<(&Arc<Probe>, Duration)> {
        self.checks.as_ref().map(|plan| (&plan.probe, plan.timeout))
    }

    /// How often the process must say that it is alive, unless it has asked for another time.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat
    }

    /// What follows when it becomes unhealthy.
    pub fn reaction(&self) -> OnUnhealthy {
        self.reaction
    }
}

/// What is known of the health of a process that is up. Moments are on the monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthProgress {
    /// How it is, which follows from the rest.
    pub status: HealthStatus,
    /// When it began to be watched.
    pub since: Duration,
    /// Whether a check has succeeded since.
    pub has_succeeded: bool,
    /// How many checks in a row have failed, of those that count.
    pub failures: u32,
    /// The last result.
    pub last: Option<HealthResult>,
    /// When the next check begins; none while one is under way, and without checks.
    pub next_check: Option<Duration>,
    /// Which check is under way.
    pub under_way: Option<u64>,
    /// The heartbeat.
    pub heartbeat: Heartbeat,
}

/// The result of a check, or of waiting for a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthResult {
    /// Seconds since the epoch.
    pub at: i64,
    /// Why it failed; none after a success.
    pub failure: Option<String>,
}

/// What is known of the heartbeat of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// When the next one is due; none where none is awaited.
    pub due: Option<Duration>,
    /// Whether there has been one.
    pub has_come: bool,
    /// Whether one is missing, or the process has said that it is not well.
    pub is_missing: bool,
    /// How often it must come, where the process has asked for another time than the configured one.
    pub interval: Option<Duration>,
    /// Whether the last one was due when nobody looked, so that another one is awaited.
    pub is_put_off: bool,
}

/// What followed from the result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It was of a check that is over.
    Ignored,
    /// It is nothing new: another success.
    AsBefore,
    /// Something has changed.
    Noted,
}

impl HealthProgress {
    /// Begins to watch a process that is up now.
    pub fn begin(policy: &HealthPolicy, now: Duration) -> HealthProgress {
        HealthProgress {
            since: now,
            next_check: policy.checks.as_ref().map(|_| now),
            heartbeat: Heartbeat {
                due: policy.heartbeat.map(|interval| now.saturating_add(interval)),
                ..Heartbeat::default()
            },
            ..HealthProgress::default()
        }
    }

    /// Goes on after another daemon. A check that it had begun is made again; and while nobody listened, no heartbeat was missing.
    pub fn resume(&mut self, policy: &HealthPolicy, now: Duration) {
        let is_under_way = self.under_way.take().is_some();
        self.next_check = match (&policy.checks, self.next_check) {
            (None, _) => None,
            (Some(_), Some(next)) if !is_under_way => Some(next),
            (Some(_), _) => Some(now),
        };
        if !self.heartbeat.is_missing {
            self.heartbeat.due = self.heartbeat_interval(policy).map(|interval| now.saturating_add(interval));
        }
        self.judge(policy);
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<Duration> {
        [self.next_check, self.heartbeat.due].into_iter().flatten().min()
    }

    fn judge(&mut self, policy: &HealthPolicy) {
        let checks = policy.checks.as_ref().map(|plan| match (self.failures >= plan.retries, self.has_succeeded) {
            (true, _) => HealthStatus::Unhealthy,
            (false, true) => HealthStatus::Healthy,
            (false, false) => HealthStatus::Starting,
        });
        let heartbeat = policy.heartbeat.map(|_| match (self.heartbeat.is_missing, self.heartbeat.has_come) {
            (true, _) => HealthStatus::Unhealthy,
            (false, true) => HealthStatus::Healthy,
            (false, false) => HealthStatus::Starting,
        });
        let is_any = |status| [checks, heartbeat].contains(&Some(status));
        self.status = match (is_any(HealthStatus::Unhealthy), is_any(HealthStatus::Starting)) {
            (true, _) => HealthStatus::Unhealthy,
            (false, true) => HealthStatus::Starting,
            (false, false) => HealthStatus::Healthy,
        };
    }

    /// Begins a check with this number, if one is due.
    pub fn begin_check(&mut self, number: u64, now: Duration) -> bool {
        let is_due = self.next_check.is_some_and(|next| next <= now);
        if is_due {
            self.next_check = None;
            self.under_way = Some(number);
        }
        is_due
    }

    /// Takes the result of a check.
    pub fn checked(&mut self, policy: &HealthPolicy, number: u64, result: Result<(), String>, now: Now) -> Checked {
        let Some(plan) = policy.checks.as_ref().filter(|_| self.under_way == Some(number)) else {
            return Checked::Ignored;
        };
        self.under_way = None;
        let is_starting = !self.has_succeeded && now.mono < self.since.saturating_add(plan.start_period);
        let was_good = self.has_succeeded && self.failures == 0;
        let is_good = result.is_ok();
        match is_good {
            true => (self.has_succeeded, self.failures) = (true, 0),
            false if is_starting => {}
            false => self.failures = self.failures.saturating_add(1),
        }
        let pause = if is_starting && !is_good { plan.start_interval } else { plan.interval };
        self.next_check = Some(now.mono.saturating_add(pause));
        self.last = Some(HealthResult { at: now.epoch(), failure: result.err().map(bounded) });
        self.judge(policy);
        if was_good && is_good { Checked::AsBefore } else { Checked::Noted }
    }

    /// The process says that it is alive. Whether that is news. In the second in which it became unhealthy it does not count:
    /// each change is an event and a line of the log, and a process that says both in a loop must not flood them.
    pub fn beat(&mut self, policy: &HealthPolicy, now: Now) -> bool {
        let Some(interval) = self.heartbeat_interval(policy) else { return false };
        if self.heartbeat.is_missing && self.last.as_ref().is_some_and(|last| last.at == now.epoch()) {
            return false;
        }
        let is_news = self.heartbeat.is_missing || !self.heartbeat.has_come;
        self.heartbeat.due = Some(now.mono.saturating_add(interval));
        (self.heartbeat.has_come, self.heartbeat.is_missing, self.heartbeat.is_put_off) = (true, false, false);
        self.judge(policy);
        is_news
    }

    /// The process asks for another time between heartbeats, which counts from now on, and is at least [`SHORTEST_INTERVAL`].
    pub fn set_heartbeat_interval(&mut self, policy: &HealthPolicy, interval: Duration, now: Duration) {
        if policy.heartbeat.is_some() && !interval.is_zero() {
            let interval = interval.max(SHORTEST_INTERVAL);
            self.heartbeat.interval = Some(interval);
            if self.heartbeat.due.is_some() {
                self.heartbeat.due = Some(now.saturating_add(interval));
            }
        }
    }

    /// The process says that it is not well.
    pub fn report_trouble(&mut self, policy: &HealthPolicy, now: Now) {
        if policy.heartbeat.is_some() {
            self.miss_heartbeat(policy, "it sent WATCHDOG=trigger".to_owned(), now);
        }
    }

    /// Whether a heartbeat is missing, which is noted. Where it was due when nobody looked, there may have been one, or the process
    /// could not send one either: another one is awaited.
    pub fn miss_due_heartbeat(&mut self, policy: &HealthPolicy, now: Now) -> bool {
        let Some(due) = self.heartbeat.due.filter(|due| *due <= now.mono) else { return false };
        let interval = self.heartbeat_interval(policy);
        if is_noticed_late(due, now.mono) && !std::mem::replace(&mut self.heartbeat.is_put_off, true) {
            self.heartbeat.due = interval.map(|interval| now.mono.saturating_add(interval));
            return false;
        }
        if let Some(interval) = interval {
            self.miss_heartbeat(policy, format!("it sent no WATCHDOG=1 within {}", Shown(interval)), now);
        }
        true
    }

    fn miss_heartbeat(&mut self, policy: &HealthPolicy, failure: String, now: Now) {
        self.heartbeat.due = None;
        self.heartbeat.is_missing = true;
        self.last = Some(HealthResult { at: now.epoch(), failure: Some(failure) });
        self.judge(policy);
    }

    fn heartbeat_interval(&self, policy: &HealthPolicy) -> Option<Duration> {
        policy.heartbeat.map(|configured| self.heartbeat.interval.unwrap_or(configured))
    }

    /// Why it is unhealthy, in one line; none where that is not known.
    pub fn trouble(&self) -> Option<String> {
        let failure = self.last.as_ref()?.failure.as_deref()?;
        Some(match self.failures {
            0 | 1 => failure.to_owned(),
            _ if self.heartbeat.is_missing => failure.to_owned(),
            failures => format!("{failure} ({failures} failures in a row)"),
        })
    }
}

/// A text that a program may have had a hand in, as one short line.
fn bounded(text: String) -> String {
    let mut line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.len() > MOST_TEXT {
        let end = (0..=MOST_TEXT).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        line.truncate(end);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests;
