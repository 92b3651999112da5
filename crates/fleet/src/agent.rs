//! The agent beside a daemon: it tells what the daemon runs, passes its events on, and has it do what is asked for.
//!
//! The daemon knows nothing of it. Each duty is a task that goes on when the server or the daemon comes back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::daemon_link::DaemonLink;
use crate::fleet_error::FleetError;
use crate::host_name::HostName;
use crate::host_selector::HostLabels;
use crate::nats_link::{NatsLink, NatsOptions, Patience};
use crate::random_id::random_id;
use crate::subjects;
use crate::termination::Termination;
use context::AgentContext;

mod answers;
mod command_order;
mod commands;
mod context;
mod events;
mod follow;
mod followers;
mod inventory;
mod presence;
mod publishing;
mod requests;
mod storage_complaint;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What an agent is told on its command line.
pub struct AgentOptions {
    /// The name of the host.
    pub host: HostName,
    /// Its labels.
    pub labels: HostLabels,
    /// The daemon.
    pub daemon: DaemonLink,
    /// The directory with what it remembers.
    pub state: PathBuf,
    /// The server.
    pub nats: NatsOptions,
    /// Where complaints go.
    pub log: fn(&str),
}

/// Runs until somebody ends it.
pub async fn run(options: AgentOptions) -> Result<(), FleetError> {
    let AgentOptions { host, labels, daemon, state, nats, log } = options;
    let other = |error: std::io::Error| FleetError::Other(error.to_string());
    let (commands, complaint) = commands::Commands::open(&state).map_err(|error| {
        let told = format!("cannot keep commands in {}: {error}; write --state DIRECTORY", state.display());
        FleetError::Other(told)
    })?;
    if let Some(complaint) = complaint {
        log(&complaint);
    }
    let boot = random_id().map_err(other)?;
    let name = format!("supervisor-fleet agent of {host}");
    let nats = NatsLink::open(&nats, name, subjects::agent_inbox_prefix(&host), Patience::Endless, log).await?;
    let (has_daemon, _) = watch::channel(false);
    let variable = |name| std::env::var(name).ok();
    let own_program = variable("SUPERVISOR_GROUP_NAME").zip(variable("SUPERVISOR_PROCESS_NAME"));
    let context = Arc::new(AgentContext { host, labels, daemon, state, own_program, nats, has_daemon, log });
    let duties = [
        tokio::spawn(presence::tell(context.clone(), boot.clone())),
        tokio::spawn(inventory::tell(context.clone())),
        tokio::spawn(events::pass_on(context.clone())),
        tokio::spawn(requests::serve(context.clone(), commands)),
    ];
    let termination = Termination::watch().map_err(other)?;
    termination.requested().await;
    duties.iter().for_each(|duty| duty.abort());
    // Where it does not get through, the host counts as lost a few seconds later.
    let _ = tokio::time::timeout(FAREWELL, presence::farewell(&context, boot)).await;
    Ok(())
}
