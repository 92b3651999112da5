//! What programs use.

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::actor::Actor;

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use crate::api::Api;
use crate::network::reply::Reply;
use crate::usage::{TreeUsage, Usage, UsageDepth};

/// About how much a program takes as JSON, in bytes.
const PROGRAM_BYTES: usize = 192;

/// What each program and all its descendants use, and the daemon.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
pub(super) struct UsageResource<'a> {
    programs: Vec<ProgramUsage<'a>>,
    daemon: UsedResources,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ProgramUsage<'a> {
    group: &'a str,
    name: &'a str,
    #[serde(flatten)]
    used: UsedResources,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct UsedResources {
    cpu_seconds: f64,
    memory_bytes: u64,
    processes: u32,
    threads: u32,
}

impl From<&TreeUsage> for UsedResources {
    fn from(usage: &TreeUsage) -> UsedResources {
        let TreeUsage { cpu_seconds, memory_bytes, processes, threads, .. } = *usage;
        // The system counts in hundredths of a second.
        let cpu_seconds = (cpu_seconds * 100.0).round() / 100.0;
        UsedResources { cpu_seconds, memory_bytes, processes, threads }
    }
}

/// The present usage as JSON text.
pub(super) async fn text(api: &Api, actor: &Actor) -> Result<Vec<u8>, Problem> {
    let usage = api.usage(actor, UsageDepth::Plain).await?;
    let Usage { programs, daemon } = &*usage;
    let programs = programs.iter().map(|(row, usage)| ProgramUsage {
        group: &row.group,
        name: &row.config.identity.name,
        used: usage.into(),
    });
    encoded(&UsageResource { programs: programs.collect(), daemon: daemon.into() })
}

pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let view = request.api.view(request.actor)?;
    let reservation = request.api.reserve(view.len() * PROGRAM_BYTES).await?;
    Ok(json(text(request.api, request.actor).await?, reservation))
}
