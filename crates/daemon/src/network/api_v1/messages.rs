//! What clients send to programs and listeners.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervisord_core::call::Call;

use super::problem::Problem;
use super::programs;
use super::request::{ApiRequest, encoded, json};
use crate::network::reply::Reply;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StandardInput {
    /// What the program reads from its stdin.
    data: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteEvent {
    /// What listeners tell events apart by.
    #[serde(rename = "type")]
    kind: String,
    data: String,
}

/// There is nothing to add.
#[derive(Serialize, JsonSchema)]
pub(super) struct Nothing {}

/// Writes to the stdin of a program.
pub(super) async fn stdin(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let row = request.program()?;
    let StandardInput { data } = request.options()?;
    let name = format!("{}:{}", row.group, row.config.identity.name);
    request.api.call(request.actor, Call::SendProcessStdin { name, chars: data.into_bytes() }).await?;
    programs::shown(request.api, &row)
}

/// Sends a remote communication event to the event listeners.
pub(super) async fn event(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let RemoteEvent { kind, data } = request.options()?;
    request.api.call(request.actor, Call::SendRemoteCommEvent { kind, data }).await?;
    Ok(json(encoded(&Nothing {})?, request.api.answers.nothing()))
}
