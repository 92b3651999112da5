//! Why a process is in the state it is in.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::why::{AwaitedWhy, Why, WhyClock};

use super::facts::{DisabledResource, EndResource, RequestResource, StopResource};
use super::problem::Problem;
use super::program_resource::Awaited;
use super::request::{ApiRequest, encoded, json};
use crate::clock::{epoch_of, present};
use crate::network::reply::Reply;

/// About how much one takes as JSON, in bytes, with the other processes that are explained with it.
const WHY_BYTES: usize = 64 << 10;

#[derive(Serialize, JsonSchema)]
pub(super) struct Explanation<'a> {
    #[serde(flatten)]
    why: WhyResource<'a>,
    /// The same as lines to read.
    explanation: Vec<String>,
}

/// Times are seconds since the epoch.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Why")]
pub(super) struct WhyResource<'a> {
    group: &'a str,
    name: &'a str,
    state: &'static str,
    since: Option<i64>,
    wanted: &'static str,
    outlook: &'static str,
    spawn_error: Option<&'a str>,
    last_end: Option<EndResource<'a>>,
    /// Attempts to start it that have failed in a row.
    attempts: i64,
    restarts: u32,
    next_start: Option<i64>,
    stop: Option<StopResource>,
    last_request: Option<RequestResource<'a>>,
    disabled: Option<DisabledResource<'a>>,
    advice: &'a [String],
    waiting_for: Vec<AwaitedResource<'a>>,
    dependents: &'a [String],
}

/// Something that a process waits for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AwaitedAndWhy")]
pub(super) struct AwaitedResource<'a> {
    #[serde(flatten)]
    awaited: Awaited<'a>,
    /// Why the processes that hold it up do so. Each process is explained only once.
    because: Vec<WhyResource<'a>>,
}

impl<'a> From<&'a Why> for WhyResource<'a> {
    fn from(Why { row, outlook, advice, waits_for, dependents }: &'a Why) -> WhyResource<'a> {
        WhyResource {
            group: &row.group,
            name: &row.config.identity.name,
            state: row.state().name(),
            since: Some(row.since).filter(|since| *since != 0),
            wanted: row.wanted.word(),
            outlook: outlook.word(),
            spawn_error: Some(row.spawnerr.as_str()).filter(|error| !error.is_empty()),
            last_end: row.last_end.as_deref().map(EndResource::from),
            attempts: row.attempts,
            restarts: row.restarts,
            next_start: row.next_start.map(epoch_of),
            stop: row.stop_decision.as_deref().map(StopResource::from),
            last_request: row.last_request.as_deref().map(RequestResource::from),
            disabled: row.disabled.as_deref().map(DisabledResource::from),
            advice,
            waiting_for: waits_for.iter().map(AwaitedResource::from).collect(),
            dependents,
        }
    }
}

impl<'a> From<&'a AwaitedWhy> for AwaitedResource<'a> {
    fn from(AwaitedWhy { awaited, because }: &'a AwaitedWhy) -> AwaitedResource<'a> {
        AwaitedResource { awaited: awaited.into(), because: because.iter().map(WhyResource::from).collect() }
    }
}

pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (api, view) = (request.api, request.api.view(request.actor)?);
    let [group, name] = request.parameters.as_slice() else { return Err(Problem::of(StatusCode::NOT_FOUND)) };
    let reservation = api.reserve(WHY_BYTES).await?;
    let why = Why::of(&view.rows(), group, name);
    let why = why.ok_or_else(|| Problem::not_found(format!("no program is named {group}:{name}")))?;
    let explanation = why.lines(WhyClock { now: present(), local: api.clock.local });
    let body = encoded(&Explanation { why: (&why).into(), explanation })?;
    Ok(json(body, reservation))
}
