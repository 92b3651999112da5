//! The daemon itself.

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::call::Call;
use supervisord_wire::{API_VERSION, SUPERVISOR_VERSION};

use super::problem::Problem;
use super::request::{ApiRequest, NoOptions, encoded, json};
use crate::network::reply::Reply;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Daemon")]
pub(super) struct DaemonResource<'a> {
    identifier: &'a str,
    /// Of this program.
    version: &'static str,
    /// Of the Supervisor whose interfaces it has.
    supervisor_version: &'static str,
    /// Of the XML-RPC interface.
    rpc_version: &'static str,
    state: &'static str,
    pid: u32,
    /// What an update of the configuration restarts: `groups` or `minimal`.
    update: &'static str,
}

/// What becomes of the daemon.
#[derive(Clone, Copy)]
pub(super) enum DaemonAction {
    Shutdown,
    Restart,
    Upgrade,
}

/// Begins it, and tells what the daemon is doing then.
pub(super) async fn act(request: ApiRequest<'_>, action: DaemonAction) -> Result<Reply, Problem> {
    let NoOptions {} = request.options()?;
    let (api, actor) = (request.api, request.actor);
    match action {
        DaemonAction::Shutdown => api.call(actor, Call::Shutdown).await?,
        DaemonAction::Restart => api.restart(actor).await?,
        DaemonAction::Upgrade => api.call(actor, Call::Upgrade).await?,
    };
    get(request).await
}

pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let view = request.api.view(request.actor)?;
    let config = view.config();
    let daemon = DaemonResource {
        identifier: &config.supervisord.identifier,
        version: env!("CARGO_PKG_VERSION"),
        supervisor_version: SUPERVISOR_VERSION,
        rpc_version: API_VERSION,
        state: view.mood().name(),
        pid: std::process::id(),
        update: config.supervisord.update.word(),
    };
    Ok(json(encoded(&daemon)?, request.api.answers.nothing()))
}
