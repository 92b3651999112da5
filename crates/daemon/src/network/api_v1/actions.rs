//! What can be done with programs: one that the path names, or all that selectors stand for.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervisord_config::signal;
use supervisord_core::actor::Actor;
use supervisord_core::call::{Answer, Call, ProgramAction, Reason, Refusal, Status};
use supervisord_core::event::ProcessName;
use supervisord_core::parallelism::Parallelism;
use supervisord_core::row::Row;
use supervisord_core::why;
use supervisord_wire::state::ProcessState;

use super::problem::Problem;
use super::programs;
use super::request::{ApiRequest, encoded, json};
use super::selection::{Candidate, selected, selected_with_disabled};
use crate::api::Api;
use crate::network::reply::Reply;

/// About how much a result takes as JSON, in bytes.
const RESULT_BYTES: usize = 256;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "Action")]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
    Signal,
    Reload,
    Disable,
    Enable,
    ClearLogs,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActionOptions {
    /// Whether the answer comes when it is done, and not when it has begun.
    #[serde(default = "waits")]
    wait: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalOptions {
    /// The name of a signal, in any case and with or without `SIG`, or its number.
    #[schemars(required, extend("pattern" = signal_pattern()))]
    signal: Option<String>,
    /// Whether the answer comes when it is done; a signal is sent at once in any case.
    #[serde(default = "waits")]
    wait: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("allOf" = conditions()))]
pub(super) struct BulkAction {
    action: Verb,
    #[schemars(length(min = 1), inner(length(min = 1)))]
    select: Vec<String>,
    #[serde(default = "waits")]
    wait: bool,
    /// For `signal` only, which cannot do without: the name of a signal, or its number.
    #[schemars(extend("pattern" = signal_pattern()))]
    signal: Option<String>,
    /// For `restart` only: how many programs are restarted at a time, as `2` or `25%`; the next are when these are ready, until the
    /// first fails.
    #[schemars(regex(pattern = r"^(0*[1-9][0-9]{0,8}|0*([1-9][0-9]?|100)%)$"))]
    rolling: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ActionResults {
    results: Vec<ActionResult>,
}

/// What became of one program.
#[derive(Serialize, JsonSchema)]
pub(super) struct ActionResult {
    group: Arc<str>,
    name: String,
    ok: bool,
    /// Why not; or what there was nothing to do about.
    detail: Option<String>,
}

/// What the name or the number of a signal looks like.
fn signal_pattern() -> String {
    let in_any_case = |name: &str| -> String {
        let letters = name.chars().map(|letter| match letter.to_ascii_lowercase() {
            small if small != letter => format!("[{letter}{small}]"),
            _ => letter.to_string(),
        });
        letters.collect()
    };
    let names: Vec<String> = signal::all().filter_map(|(name, _)| name.strip_prefix("SIG")).map(in_any_case).collect();
    let numbers: Vec<String> = signal::all().map(|(_, number)| number.to_string()).collect();
    format!("^(?:0|{}|(?:{})?(?:{}))$", numbers.join("|"), in_any_case("SIG"), names.join("|"))
}

/// Which members belong to one action only, as a schema.
fn conditions() -> serde_json::Value {
    let is = |action: &str| serde_json::json!({ "properties": { "action": { "const": action } } });
    let only_null = |member: &str| serde_json::json!({ "properties": { member: { "type": "null" } } });
    serde_json::json!([
        {
            "if": is("signal"),
            "then": { "required": ["signal"], "properties": { "signal": { "type": "string" } } },
            "else": only_null("signal"),
        },
        { "if": is("restart"), "else": only_null("rolling") },
    ])
}

const fn waits() -> bool {
    true
}

impl Verb {
    fn with_signal(self, signal: Option<&str>) -> Result<ProgramAction, Problem> {
        let bad = |detail: String| Problem::with(StatusCode::BAD_REQUEST, detail);
        let action = match (self, signal) {
            (Verb::Signal, Some(name)) => {
                let number = signal::parse(name).map_err(|_| Refusal::with(Reason::UnknownSignal, name))?;
                ProgramAction::Signal(number)
            }
            (Verb::Signal, None) => {
                return Err(bad("signal is missing: write for example {\"signal\":\"HUP\"}".to_owned()));
            }
            (_, Some(_)) => return Err(bad("signal is for the action signal only".to_owned())),
            (Verb::Start, None) => ProgramAction::Start,
            (Verb::Stop, None) => ProgramAction::Stop,
            (Verb::Restart, None) => ProgramAction::Restart,
            (Verb::Reload, None) => ProgramAction::Reload,
            (Verb::Disable, None) => ProgramAction::Disable,
            (Verb::Enable, None) => ProgramAction::Enable,
            (Verb::ClearLogs, None) => ProgramAction::ClearLogs(None),
        };
        Ok(action)
    }
}

/// The program in the path.
pub(super) async fn one(request: ApiRequest<'_>, verb: Verb) -> Result<Reply, Problem> {
    let row = request.program()?;
    let (wait, signal) = match verb {
        Verb::Signal => {
            let SignalOptions { signal, wait } = request.options()?;
            (wait, signal)
        }
        _ => {
            let ActionOptions { wait } = request.options()?;
            (wait, None)
        }
    };
    let action = verb.with_signal(signal.as_deref())?;
    let statuses = act_on(request.api, request.actor, action, std::slice::from_ref(&row), wait).await?;
    // The program may have gone.
    let row = request.program()?;
    match statuses.into_iter().next().map(|status| status.result) {
        Some(Err(refusal)) => Err(explained(refusal, Some(&row))),
        _ => programs::shown(request.api, &row),
    }
}

/// All that the selectors in the body stand for.
pub(super) async fn many(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (api, view) = (request.api, request.api.view(request.actor)?);
    let BulkAction { action: verb, select, wait, signal, rolling } = request.options()?;
    let action = verb.with_signal(signal.as_deref())?;
    let parallelism = rolling.as_deref().map(|text| rolling_of(action, text)).transpose()?;
    if select.is_empty() {
        let detail = "select names no program: write for example [\"web:*\"], or [\"*\"] for all";
        return Err(Problem::with(StatusCode::BAD_REQUEST, detail));
    }
    let programs = match action {
        ProgramAction::Enable => selected_with_disabled(&view, &select)?,
        _ => selected(&view, &select)?.into_iter().map(Candidate::Present).collect(),
    };
    let reservation = api.reserve(programs.len() * RESULT_BYTES).await?;
    let processes: Vec<ProcessName> = programs.iter().map(Candidate::process_name).collect();
    let call = match parallelism {
        Some(parallelism) => Call::RollingRestart { processes: processes.clone(), parallelism },
        None => Call::ActOn { action, processes: processes.clone(), wait },
    };
    let statuses = statuses_of(api, request.actor, call).await?;
    let mut by_name: HashMap<(Arc<str>, String), Result<(), Refusal>> =
        statuses.into_iter().map(|status| ((status.group, status.process), status.result)).collect();
    let results = processes.into_iter().map(|ProcessName { group, process }| {
        let name = process.to_string();
        let present = view.row(&group, &name);
        let result = by_name.remove(&(group.clone(), name.clone())).unwrap_or(Ok(()));
        let (ok, detail) = match result {
            Ok(()) => (true, None),
            Err(refusal) => {
                let ok = is_done_already(action, refusal.reason);
                (ok, explained(refusal, present.as_deref()).into_detail())
            }
        };
        ActionResult { group, name, ok, detail }
    });
    Ok(json(encoded(&ActionResults { results: results.collect() })?, reservation))
}

/// How many programs a rolling restart restarts at a time.
fn rolling_of(action: ProgramAction, text: &str) -> Result<Parallelism, Problem> {
    let bad = |detail: String| Problem::with(StatusCode::BAD_REQUEST, detail);
    if action != ProgramAction::Restart {
        return Err(bad("rolling is for the action restart only".to_owned()));
    }
    Parallelism::parse(text).ok_or_else(|| {
        bad(format!("rolling is {text:?}: write how many programs restart at a time, for example \"2\" or \"25%\""))
    })
}

/// Whether what was asked for was so before.
fn is_done_already(action: ProgramAction, reason: Reason) -> bool {
    matches!(
        (action, reason),
        (ProgramAction::Start, Reason::AlreadyStarted) | (ProgramAction::Stop, Reason::NotRunning)
    )
}

pub(super) async fn act_on(
    api: &Api,
    actor: &Actor,
    action: ProgramAction,
    rows: &[Arc<Row>],
    wait: bool,
) -> Result<Vec<Status>, Problem> {
    let process = |row: &Arc<Row>| Candidate::Present(row.clone()).process_name();
    let processes = rows.iter().map(process).collect();
    statuses_of(api, actor, Call::ActOn { action, processes, wait }).await
}

async fn statuses_of(api: &Api, actor: &Actor, call: Call) -> Result<Vec<Status>, Problem> {
    match api.call(actor, call).await? {
        Answer::Statuses(statuses) => Ok(statuses),
        Answer::Done | Answer::Difference(_) | Answer::Plan(_) => Ok(Vec::new()),
    }
}

/// A refusal with what the present row tells about it.
fn explained(refusal: Refusal, row: Option<&Row>) -> Problem {
    let has_reason = refusal.detail.as_ref().is_some_and(|detail| detail.contains(": "));
    let more = match (refusal.reason, row) {
        _ if has_reason => None,
        (Reason::AbnormalTermination, Some(row)) if row.state() == ProcessState::Stopping => {
            Some("it is still being stopped".to_owned())
        }
        (Reason::SpawnError | Reason::AbnormalTermination, Some(row)) => why::reason(row),
        _ => None,
    };
    let problem = Problem::from(refusal);
    match more {
        Some(more) => problem.and(&more),
        None => problem,
    }
}
