//! The programs that are disabled, those among them that no active group has.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use crate::api::DisabledProgram;
use crate::network::reply::Reply;

/// About how much one takes as JSON, in bytes.
const PROGRAM_BYTES: usize = 256;

#[derive(Serialize, JsonSchema)]
pub(super) struct DisabledPrograms {
    programs: Vec<DisabledProgramResource>,
}

/// A program that nothing starts until somebody enables it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DisabledProgram")]
struct DisabledProgramResource {
    group: Arc<str>,
    name: Arc<str>,
    /// Who has disabled it.
    by: String,
    /// When, in seconds since the epoch.
    at: i64,
    /// Both in words.
    reason: String,
    /// Whether an active group has it. Otherwise it was removed, and is still disabled when it comes back.
    active: bool,
}

/// All of them, by group and name.
pub(super) async fn list(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let disabled = request.api.view(request.actor)?.disabled();
    let reservation = request.api.reserve(disabled.len() * PROGRAM_BYTES).await?;
    let program = |DisabledProgram { name, disabling, is_present }: DisabledProgram| DisabledProgramResource {
        group: name.group,
        name: name.process,
        by: disabling.by.clone(),
        at: disabling.at,
        reason: disabling.to_string(),
        active: is_present,
    };
    let programs = DisabledPrograms { programs: disabled.into_iter().map(program).collect() };
    Ok(json(encoded(&programs)?, reservation))
}
