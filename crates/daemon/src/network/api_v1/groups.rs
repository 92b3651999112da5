//! Groups: those of the configuration, and whether they are active.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::call::Call;

use super::problem::Problem;
use super::request::{ApiRequest, NoOptions, encoded, json};
use crate::network::reply::Reply;

#[derive(Serialize, JsonSchema)]
pub(super) struct Groups {
    groups: Vec<GroupResource>,
}

/// A group of the configuration, or an active one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct GroupResource {
    group: String,
    /// Whether its programs are supervised.
    active: bool,
    /// Whether the configuration that was read last has it.
    configured: bool,
    /// How many processes are supervised.
    programs: usize,
}

/// All groups, by name.
pub(super) async fn list(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let view = request.api.view(request.actor)?;
    let config = view.config();
    let mut groups: BTreeMap<String, GroupResource> = BTreeMap::new();
    let resource = |name: &str| GroupResource { group: name.to_owned(), active: false, configured: false, programs: 0 };
    let configured = config.groups.iter().filter(|group| {
        view.includes_all() || group.processes.iter().any(|process| view.includes(&group.name, &process.identity.name))
    });
    for group in configured {
        groups.entry(group.name.clone()).or_insert_with(|| resource(&group.name)).configured = true;
    }
    for (name, rows) in view.groups() {
        let group = groups.entry(name.to_string()).or_insert_with(|| resource(&name));
        (group.active, group.programs) = (true, rows.len());
    }
    let groups = Groups { groups: groups.into_values().collect() };
    Ok(json(encoded(&groups)?, request.api.answers.nothing()))
}

/// Makes a group of the configuration active.
pub(super) async fn add(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let NoOptions {} = request.options()?;
    request.api.call(request.actor, Call::AddProcessGroup { group: name(&request) }).await?;
    list(request).await
}

/// Removes a group of which no process runs.
pub(super) async fn remove(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    request.api.call(request.actor, Call::RemoveProcessGroup { group: name(&request) }).await?;
    list(request).await
}

fn name(request: &ApiRequest<'_>) -> String {
    request.parameters.first().cloned().unwrap_or_default()
}
