//! The daemon itself.

use serde::Serialize;
use supervisord_wire::{API_VERSION, SUPERVISOR_VERSION};

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use crate::network::reply::Reply;

#[derive(Serialize)]
struct DaemonResource<'a> {
    identifier: &'a str,
    /// Of this program.
    version: &'static str,
    /// Of the Supervisor whose interfaces it has.
    supervisor_version: &'static str,
    /// Of the XML-RPC interface.
    rpc_version: &'static str,
    state: &'static str,
    pid: u32,
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
    };
    Ok(json(encoded(&daemon)?, request.api.answers.nothing()))
}
