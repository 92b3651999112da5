//! A process as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_config::dependency::Dependency;
use supervisord_core::dependencies::{AwaitedDependency, Hindrance};
use supervisord_core::process::{ProcessPhase, ReadinessRule, ServiceStatus};
use supervisord_core::row::{LocalTime, Row, RowHealth};
use supervisord_core::why::{self, Outlook};

use super::facts::{DisabledResource, EndResource, RequestResource, StopResource};
use crate::clock::epoch_of;

/// Times are seconds since the epoch.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Program")]
pub(super) struct ProgramResource<'a> {
    group: &'a str,
    name: &'a str,
    state: &'static str,
    /// By which selectors find it, as `@TAG`.
    #[serde(rename = "tags")]
    labels: &'a [String],
    /// When the state changed last.
    since: Option<i64>,
    /// What was asked for last: `up` or `down`.
    wanted: &'static str,
    /// As in the last column of `supervisorctl status`.
    description: String,
    /// What comes next if nobody asks for anything.
    outlook: &'static str,
    /// Why it is not up, in one line.
    reason: Option<String>,
    pid: Option<u32>,
    /// Of the last attempt to start it.
    started_at: Option<i64>,
    /// Of its last end.
    stopped_at: Option<i64>,
    /// -1 after a signal.
    exit_status: Option<i32>,
    spawn_error: Option<&'a str>,
    last_end: Option<EndResource<'a>>,
    /// Why it is being stopped, or has been; none where it was not.
    stop: Option<StopResource>,
    last_request: Option<RequestResource<'a>>,
    /// Who has disabled it, so that nothing starts it; none where nobody has.
    disabled: Option<DisabledResource<'a>>,
    restarts: u32,
    /// Without a request.
    next_start: Option<i64>,
    /// What it has said about itself; none where it has said nothing.
    service: Option<Service<'a>>,
    /// None where nothing says that it is ready.
    readiness: Option<Readiness>,
    /// When it is stopped because it has run for long enough.
    runs_until: Option<i64>,
    stdout_logfile: Option<&'a str>,
    stderr_logfile: Option<&'a str>,
    /// Each as `GROUP:NAME:CONDITION` or `GROUP:*:CONDITION`.
    dependencies: Vec<String>,
    /// What it waits for before it is started.
    waiting_for: Vec<Awaited<'a>>,
    /// None where it is not RUNNING, or nothing tells how it is.
    health: Option<ProgramHealth<'a>>,
    /// Its commands that run beside its program.
    commands: Vec<&'static str>,
    /// How many bytes of its output did not get into its logs; none where nothing was lost.
    lost_bytes: Option<LostBytes>,
    /// How many lines of its output did not get to log services; none where nothing was lost.
    lost_lines: Option<LostLines>,
}

/// How many lines of each stream were lost.
#[derive(Serialize, JsonSchema)]
pub(super) struct LostLines {
    stdout: u64,
    stderr: u64,
}

impl LostLines {
    fn of(row: &Row) -> Option<LostLines> {
        let lost = row.counts.as_ref()?.lost_lines;
        lost.is_any().then_some(LostLines { stdout: lost.stdout, stderr: lost.stderr })
    }
}

/// How many bytes of each stream were lost.
#[derive(Serialize, JsonSchema)]
pub(super) struct LostBytes {
    stdout: u64,
    stderr: u64,
}

impl LostBytes {
    fn of(row: &Row) -> Option<LostBytes> {
        let lost = row.counts.as_ref()?.lost_output;
        lost.is_any().then_some(LostBytes { stdout: lost.stdout, stderr: lost.stderr })
    }
}

/// How a program is.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProgramHealth<'a> {
    status: &'static str,
    /// How many checks in a row have failed.
    failures: u32,
    last_check_at: Option<i64>,
    /// `ok`, or why the last check failed.
    last_result: Option<&'a str>,
}

impl<'a> From<&'a RowHealth> for ProgramHealth<'a> {
    fn from(RowHealth { status, failures, last }: &'a RowHealth) -> ProgramHealth<'a> {
        ProgramHealth {
            status: status.word(),
            failures: *failures,
            last_check_at: last.as_ref().map(|last| last.at),
            last_result: last.as_ref().map(|last| last.failure.as_deref().unwrap_or("ok")),
        }
    }
}

/// What a process has said about itself.
#[derive(Serialize, JsonSchema)]
pub(super) struct Service<'a> {
    /// How it is, for people.
    status: &'a str,
    reloading: bool,
    stopping: bool,
}

impl<'a> From<&'a ServiceStatus> for Service<'a> {
    fn from(ServiceStatus { text, is_reloading, is_stopping }: &'a ServiceStatus) -> Service<'a> {
        Service { status: text, reloading: *is_reloading, stopping: *is_stopping }
    }
}

/// What says that a process is ready.
#[derive(Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// As it is configured.
    when: String,
    ready: bool,
    /// When it is stopped if it is not ready.
    timeout_at: Option<i64>,
    /// Why the last probe failed.
    last_failure: Option<String>,
}

impl Readiness {
    fn new(row: &Row) -> Option<Readiness> {
        let when = ReadinessRule::of(&row.config).sign()?.to_string();
        let ready = row.phase == ProcessPhase::Up;
        Some(Readiness { when, ready, timeout_at: row.ready_by.map(epoch_of), last_failure: row.ready_trouble.clone() })
    }
}

/// Something that a process waits for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Awaited<'a> {
    /// None where it waits for its turn to start.
    group: Option<&'a str>,
    /// None for all processes of the group.
    name: Option<&'a str>,
    condition: &'static str,
    /// Why it will not come by itself.
    hindrance: Option<String>,
}

impl<'a> From<&'a AwaitedDependency> for Awaited<'a> {
    fn from(awaited: &'a AwaitedDependency) -> Awaited<'a> {
        let AwaitedDependency { group, process, condition, hindrance } = awaited;
        let hindrance = hindrance.as_ref().map(Hindrance::to_string);
        Awaited { group: Some(group), name: process.as_deref(), condition: condition.word(), hindrance }
    }
}

impl Awaited<'_> {
    /// What a process waits for when too many others are starting.
    const TURN: Awaited<'static> = Awaited { group: None, name: None, condition: "turn", hindrance: None };
}

impl<'a> ProgramResource<'a> {
    pub(super) fn new(row: &'a Row, now: i64, local: fn(i64) -> LocalTime) -> ProgramResource<'a> {
        ProgramResource {
            group: &row.group,
            name: &row.config.identity.name,
            state: row.state().name(),
            labels: row.config.labels(),
            since: Some(row.since).filter(|since| *since != 0),
            wanted: row.wanted.word(),
            description: row.description(now, local),
            outlook: Outlook::of(row).word(),
            reason: why::reason(row),
            pid: Some(row.pid).filter(|pid| *pid != 0),
            started_at: Some(row.start).filter(|start| *start != 0),
            stopped_at: Some(row.stop).filter(|stop| *stop != 0),
            exit_status: row.exitstatus,
            spawn_error: Some(row.spawnerr.as_str()).filter(|error| !error.is_empty()),
            last_end: row.last_end.as_deref().map(EndResource::from),
            stop: row.stop_decision.as_deref().map(StopResource::from),
            last_request: row.last_request.as_deref().map(RequestResource::from),
            disabled: row.disabled.as_deref().map(DisabledResource::from),
            restarts: row.restarts,
            next_start: row.next_start.map(epoch_of),
            service: row.service_status.as_ref().map(Service::from),
            readiness: Readiness::new(row),
            runs_until: row.runs_until.map(epoch_of),
            stdout_logfile: row.stdout_logfile.as_deref(),
            stderr_logfile: row.stderr_logfile.as_deref(),
            dependencies: row.config.dependencies().iter().map(Dependency::to_string).collect(),
            waiting_for: match row.phase {
                ProcessPhase::AwaitingTurn => vec![Awaited::TURN],
                _ => row.awaited.iter().map(Awaited::from).collect(),
            },
            health: row.health.as_deref().map(ProgramHealth::from),
            commands: row.commands.iter().map(|command| command.word()).collect(),
            lost_bytes: LostBytes::of(row),
            lost_lines: LostLines::of(row),
        }
    }
}
