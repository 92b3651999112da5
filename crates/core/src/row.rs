//! What readers see of a process: a copy that is replaced whenever the process changes.

use std::sync::Arc;
use std::time::Duration;

use supervisord_config::model::Process;
pub use supervisord_wire::calendar::LocalTime;
use supervisord_wire::channel::Channel;
use supervisord_wire::info::ProcessInfo;
use supervisord_wire::name::namespec;
use supervisord_wire::number::push_decimal;
use supervisord_wire::state::ProcessState;

use crate::dependencies::{AwaitedDependency, waiting_for};
use crate::disabled::Disabling;
use crate::event_queue_counts::EventQueueCounts;
use crate::health::{HealthResult, HealthStatus};
use crate::last_request::LastRequest;
use crate::process::{
    EnvironmentPlan, LastEnd, Machine, ProcessPhase, ProgramCommand, ServiceStatus, StopDecision, Wanted,
};
use crate::program_counts::ProgramCounts;

/// One process as readers see it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The group it belongs to.
    pub group: Arc<str>,
    /// Its definition, with its name.
    pub config: Arc<Process>,
    /// Where it stands, of which clients see the [state](Row::state).
    pub phase: ProcessPhase,
    /// Its process id; 0 when there is no process.
    pub pid: u32,
    /// Seconds since the epoch of the last spawn attempt; 0 for never.
    pub start: i64,
    /// Seconds since the epoch of the last end; 0 for never.
    pub stop: i64,
    /// The last spawn error, or empty.
    pub spawnerr: String,
    /// The last exit status; -1 after death by a signal.
    pub exitstatus: Option<i32>,
    /// How its last child ended.
    pub last_end: Option<Arc<LastEnd>>,
    /// Seconds since the epoch of the last change of the state that clients see; 0 for never.
    pub since: i64,
    /// How many attempts to start it have failed in a row.
    pub attempts: i64,
    /// What was asked for last.
    pub wanted: Wanted,
    /// Why it is being stopped, or has been since it was to start last; none where it was not.
    pub stop_decision: Option<Arc<StopDecision>>,
    /// The last request about it; none where there was only the automatic start.
    pub last_request: Option<Arc<LastRequest>>,
    /// Who has disabled it, so that nothing starts it; none where nobody has.
    pub disabled: Option<Arc<Disabling>>,
    /// How often it was started again without a request since somebody started it.
    pub restarts: u32,
    /// When it is started next without a request, on the monotonic clock.
    pub next_start: Option<Duration>,
    /// When it must be ready, on the monotonic clock; none where it is, or need not be.
    pub ready_by: Option<Duration>,
    /// When the next signal of its stop is sent, on the monotonic clock; none where it is not being stopped.
    pub next_stop_step: Option<Duration>,
    /// What it has said about itself; none where it has said nothing.
    pub service_status: Option<ServiceStatus>,
    /// Why the last probe for its readiness failed; none where it is ready, or is not probed.
    pub ready_trouble: Option<String>,
    /// When it is stopped because it has run for long enough, on the monotonic clock.
    pub runs_until: Option<Duration>,
    /// The path of its stdout log, with the made-up name of an automatic one.
    pub stdout_logfile: Option<Arc<str>>,
    /// The path of its stderr log.
    pub stderr_logfile: Option<Arc<str>>,
    /// What it waits for before it is started.
    pub awaited: Vec<AwaitedDependency>,
    /// Its health; none where it is not up, or nothing tells how it is.
    pub health: Option<Box<RowHealth>>,
    /// Its commands that run, beside its program.
    pub commands: Vec<ProgramCommand>,
    /// Which of the commands that tell about its environment runs, counted from 1, where one does.
    pub environment_step: u32,
    /// How often something has happened to it; none where nothing has.
    pub counts: Option<Arc<ProgramCounts>>,
    /// What is counted of the queue of its pool, where it is an event listener.
    pub event_queue: Option<Arc<EventQueueCounts>>,
}

/// The health of a process as readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowHealth {
    /// How it is.
    pub status: HealthStatus,
    /// How many checks in a row have failed.
    pub failures: u32,
    /// The last result.
    pub last: Option<HealthResult>,
}

impl RowHealth {
    /// That of a process; none where it is not up, or nothing tells how it is.
    pub fn of(machine: &Machine) -> Option<Box<RowHealth>> {
        let health = machine.health()?;
        let (status, failures) = (health.status, health.failures);
        Some(Box::new(RowHealth { status, failures, last: health.last.clone() }))
    }
}

impl Row {
    /// The name by which clients know the process.
    pub fn namespec(&self) -> String {
        namespec(&self.group, &self.config.identity.name)
    }

    /// The state that clients see.
    pub fn state(&self) -> ProcessState {
        self.phase.state()
    }

    /// How many of the last bytes of a stream are kept in memory, where its log is no file.
    pub fn memory_of(&self, channel: Channel) -> u64 {
        let logging = &self.config.logging;
        match channel {
            Channel::Stdout => logging.stdout.log_memory,
            Channel::Stderr if logging.redirect_stderr => 0,
            Channel::Stderr => logging.stderr.log_memory,
        }
    }

    /// The path of the log of a stream; none where it has none.
    pub fn log_file(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Stdout => self.stdout_logfile.as_deref(),
            Channel::Stderr => self.stderr_logfile.as_deref(),
        }
    }

    /// What `getProcessInfo` answers at the time `now` (seconds since the epoch). The text of the description is made in
    /// `description`.
    pub fn info<'a>(
        &'a self,
        now: i64,
        local: impl Fn(i64) -> LocalTime,
        description: &'a mut String,
    ) -> ProcessInfo<&'a str> {
        description.clear();
        self.push_description(now, local, description);
        ProcessInfo {
            name: &self.config.identity.name,
            group: &self.group,
            start: self.start,
            stop: self.stop,
            now,
            state: self.state(),
            spawnerr: &self.spawnerr,
            exitstatus: self.exitstatus.unwrap_or(0),
            stdout_logfile: self.stdout_logfile.as_deref().unwrap_or_default(),
            stderr_logfile: self.stderr_logfile.as_deref().unwrap_or_default(),
            pid: self.pid.into(),
            description,
        }
    }

    /// The text of the last column of `supervisorctl status`, at the time `now`.
    pub fn description(&self, now: i64, local: impl Fn(i64) -> LocalTime) -> String {
        let mut text = String::new();
        self.push_description(now, local, &mut text);
        text
    }

    /// Whether its description ends with the uptime, which alone is another one at another time.
    fn shows_uptime(&self) -> bool {
        match self.state() {
            ProcessState::Running => true,
            // It is STARTING for as long as it runs.
            ProcessState::Starting => self.pid != 0 && self.config.is_oneshot(),
            _ => false,
        }
    }

    /// What its description begins with where the [uptime](push_uptime) follows; none where it does not.
    pub fn before_uptime(&self) -> Option<String> {
        let mut text = String::new();
        self.shows_uptime().then(|| self.push_before_uptime(&mut text)).map(|()| text)
    }

    fn push_description(&self, now: i64, local: impl Fn(i64) -> LocalTime, out: &mut String) {
        if self.shows_uptime() {
            self.push_before_uptime(out);
            return push_uptime(out, now - self.start);
        }
        match self.state() {
            ProcessState::Fatal | ProcessState::Backoff if self.spawnerr.is_empty() => {
                out.extend(["unknown error (try \"tail ", &self.config.identity.name, "\")"]);
            }
            ProcessState::Fatal | ProcessState::Backoff => out.push_str(&self.spawnerr),
            ProcessState::Stopped | ProcessState::Exited if self.phase == ProcessPhase::NeverStarted => {
                out.push_str("Not started");
            }
            // A process that was stopped before it ever ran has no end; the original shows 1970 then.
            ProcessState::Stopped | ProcessState::Exited if self.stop == 0 => {
                out.push_str(&day_and_minute(local(self.start)));
            }
            ProcessState::Stopped | ProcessState::Exited => out.push_str(&day_and_minute(local(self.stop))),
            ProcessState::Starting if self.phase == ProcessPhase::AwaitingTurn => out.push_str(WAITING_FOR_TURN),
            ProcessState::Starting if !self.awaited.is_empty() => out.push_str(&waiting_for(&self.awaited)),
            ProcessState::Starting | ProcessState::Stopping if !self.commands.is_empty() => self.push_commands(out),
            ProcessState::Running | ProcessState::Starting | ProcessState::Stopping | ProcessState::Unknown => {}
        }
    }
}

impl Row {
    fn push_before_uptime(&self, out: &mut String) {
        out.push_str("pid ");
        push_decimal(out, self.pid.into());
        out.push_str(", uptime ");
    }
}

/// The description of a process that waits because others are starting.
const WAITING_FOR_TURN: &str = "waiting for its turn to start";

impl Row {
    /// Which commands hold its start or its stop; none where none does.
    pub fn held_by(&self) -> Option<String> {
        let is_held = matches!(self.state(), ProcessState::Starting | ProcessState::Stopping);
        let mut text = String::new();
        (is_held && !self.commands.is_empty()).then(|| self.push_commands(&mut text)).map(|()| text)
    }

    /// What it is doing where its commands run.
    fn push_commands(&self, out: &mut String) {
        let (before, after) = match self.phase {
            ProcessPhase::AwaitingDependencies => ("waiting for ", " to end"),
            _ => ("running ", ""),
        };
        out.push_str(before);
        for (number, command) in self.commands.iter().enumerate() {
            out.push_str(if number == 0 { "" } else { ", " });
            let question = EnvironmentPlan::of(&self.config).question(self.environment_step);
            match question.filter(|_| *command == ProgramCommand::Environment) {
                Some(question) => out.push_str(&question.to_string()),
                None => out.push_str(command.name()),
            }
        }
        out.push_str(after);
    }
}

/// Appends `H:MM:SS`, with the days before it from the first full day on.
pub fn push_uptime(out: &mut String, seconds: i64) {
    let seconds = seconds.max(0);
    match seconds / 86400 {
        0 => {}
        1 => out.push_str("1 day, "),
        days => {
            push_decimal(out, days);
            out.push_str(" days, ");
        }
    }
    push_decimal(out, seconds % 86400 / 3600);
    for part in [seconds % 3600 / 60, seconds % 60] {
        out.push_str(if part < 10 { ":0" } else { ":" });
        push_decimal(out, part);
    }
}

/// English month names as log lines and status columns abbreviate them.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Nov 20 09:25 AM`.
fn day_and_minute(time: LocalTime) -> String {
    let month = MONTHS[(time.month.clamp(1, 12) - 1) as usize];
    let hour = match time.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if time.hour < 12 { "AM" } else { "PM" };
    format!("{month} {:02} {hour:02}:{:02} {half}", time.day, time.minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uptime(seconds: i64) -> String {
        let mut text = String::new();
        push_uptime(&mut text, seconds);
        text
    }

    #[test]
    fn uptime_counts_days_apart() {
        assert_eq!(uptime(-5), "0:00:00");
        assert_eq!(uptime(3725), "1:02:05");
        assert_eq!(uptime(86400), "1 day, 0:00:00");
        assert_eq!(uptime(2 * 86400 + 1), "2 days, 0:00:01");
    }

    #[test]
    fn the_clock_has_twelve_hours() {
        let at =
            |hour| LocalTime { year: 2026, month: 11, day: 3, hour, minute: 5, second: 0, weekday: 2, utc_offset: 0 };
        assert_eq!(day_and_minute(at(0)), "Nov 03 12:05 AM");
        assert_eq!(day_and_minute(at(9)), "Nov 03 09:05 AM");
        assert_eq!(day_and_minute(at(12)), "Nov 03 12:05 PM");
        assert_eq!(day_and_minute(at(21)), "Nov 03 09:05 PM");
    }

    #[test]
    fn a_process_that_was_stopped_before_it_ran_shows_when_that_was_tried() {
        let row = Row { phase: ProcessPhase::Stopped, pid: 0, start: 7, ..crate::samples::row("p", "p") };
        let local = |at: i64| LocalTime {
            year: 2026,
            month: 11,
            day: at as u32,
            hour: 9,
            minute: 0,
            second: 0,
            weekday: 0,
            utc_offset: 0,
        };
        assert_eq!(row.description(9, local), "Nov 07 09:00 AM");
        assert_eq!(Row { stop: 8, ..row }.description(9, local), "Nov 08 09:00 AM");
    }
}
