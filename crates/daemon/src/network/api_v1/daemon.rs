//! The daemon itself.

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_config::client_user::UserRole;
use supervisord_core::actor::{Actor, Right};
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
    /// Who asks, and what they may do.
    you: Asker<'a>,
}

/// Whoever asks.
#[derive(Serialize, JsonSchema)]
struct Asker<'a> {
    /// The name that was proved; none where the server asks for nothing.
    user: Option<&'a str>,
    /// As `role` in a section `[user:NAME]`.
    role: &'static str,
    /// Whether all programs exist for them. What is about the daemon as a whole is for nobody else.
    all_programs: bool,
}

impl<'a> Asker<'a> {
    fn of(actor: &'a Actor) -> Asker<'a> {
        let role = match actor.right {
            Some(Right::Administer) => UserRole::Admin,
            Some(Right::Operate) => UserRole::Operator,
            // Who has no right is not answered.
            Some(Right::View) | None => UserRole::Viewer,
        };
        Asker { user: actor.name.as_deref(), role: role.word(), all_programs: actor.programs.is_all() }
    }
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
        you: Asker::of(request.actor),
    };
    Ok(json(encoded(&daemon)?, request.api.answers.nothing()))
}
