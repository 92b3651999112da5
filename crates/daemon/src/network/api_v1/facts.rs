//! Parts of resources that tell of the past of a process. Times are seconds since the epoch.

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_config::signal;
use supervisord_core::disabled::Disabling;
use supervisord_core::last_request::{LastRequest, RequestedAction};
use supervisord_core::process::{EndTraces, ExitStatus, LastEnd, MemoryKills, StopDecision};
use supervisord_core::texts;

/// How the last child of a process ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LastEnd")]
pub(super) struct EndResource<'a> {
    at: i64,
    /// None after a signal, and where it is unknown.
    exit_status: Option<i32>,
    /// The name of the signal that ended it.
    signal: Option<String>,
    core_dumped: bool,
    /// As log lines have it.
    description: String,
    judgement: &'static str,
    /// Why it was stopped; none where it ended by itself.
    stop: Option<StopResource>,
    /// How long the child had lived, in seconds.
    lived: f64,
    /// The last lines of stderr.
    output: &'a str,
    /// The one of them that most likely says what went wrong.
    last_line: Option<&'a str>,
    memory_kills: Option<KillsResource>,
}

/// How many processes the kernel killed for want of memory.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MemoryKills")]
pub(super) struct KillsResource {
    since: i64,
    in_cgroup: Option<u64>,
    on_machine: Option<u64>,
}

impl<'a> From<&'a LastEnd> for EndResource<'a> {
    fn from(LastEnd { at, status, judgement, lived, stop_decision, traces }: &'a LastEnd) -> EndResource<'a> {
        let EndTraces { output, kills } = traces;
        let exit_status = match status {
            ExitStatus::Code(code) => Some(*code),
            ExitStatus::Signal { .. } | ExitStatus::Other(_) | ExitStatus::Unknown => None,
        };
        let kills =
            kills.map(|MemoryKills { since, in_cgroup, on_machine }| KillsResource { since, in_cgroup, on_machine });
        EndResource {
            at: *at,
            exit_status,
            signal: status.signal().map(texts::signal_name),
            core_dumped: matches!(status, ExitStatus::Signal { core_dumped: true, .. }),
            description: texts::termination(*status),
            judgement: judgement.word(),
            stop: stop_decision.as_deref().map(StopResource::from),
            lived: lived.as_millis() as f64 / 1000.0,
            output,
            last_line: traces.last_line(),
            memory_kills: kills,
        }
    }
}

/// Why a process is stopped, and what follows.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Stop")]
pub(super) struct StopResource {
    /// A word.
    cause: &'static str,
    /// For people; none for the request of a client.
    detail: Option<String>,
    /// What follows, as a word.
    then: &'static str,
}

impl From<&StopDecision> for StopResource {
    fn from(StopDecision { cause, then }: &StopDecision) -> StopResource {
        StopResource { cause: cause.word(), detail: cause.explanation(), then: then.word() }
    }
}

/// Who has disabled a process, and when.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Disabled")]
pub(super) struct DisabledResource<'a> {
    by: &'a str,
    at: i64,
}

impl<'a> From<&'a Disabling> for DisabledResource<'a> {
    fn from(Disabling { by, at }: &'a Disabling) -> DisabledResource<'a> {
        DisabledResource { by, at: *at }
    }
}

/// The last request about a process.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LastRequest")]
pub(super) struct RequestResource<'a> {
    action: &'static str,
    signal: Option<&'static str>,
    by: &'a str,
    at: i64,
}

impl<'a> From<&'a LastRequest> for RequestResource<'a> {
    fn from(LastRequest { action, by, at }: &'a LastRequest) -> RequestResource<'a> {
        let signal = match action {
            RequestedAction::Signal(number) => signal::name(*number),
            RequestedAction::Start | RequestedAction::Stop | RequestedAction::Restart | RequestedAction::Reload => None,
        };
        RequestResource { action: action.word(), signal, by, at: *at }
    }
}
