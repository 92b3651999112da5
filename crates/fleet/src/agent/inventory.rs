//! What the daemon runs: the daemon says when that has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::context::{AgentContext, Attempts, LONG};
use super::publishing::store;
use crate::daemon_link::DaemonFailure;
use crate::report::{HostInventory, ProgramReport, bounded_labels};
use crate::subjects::FleetKey;

/// Changes within this time are one message.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often it is told without a change, because the bucket forgets after a day.
const AT_LEAST_EVERY: Duration = Duration::from_secs(6 * 3600);

/// After how long without a word the daemon is asked whether it still answers, and how long it may take then.
const QUIET: Duration = Duration::from_secs(10);
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// Tells it whenever it has changed, for ever.
pub(super) async fn tell(context: Arc<AgentContext>) {
    let mut attempts = Attempts::new();
    loop {
        let begun = Instant::now();
        let failure = match watch(&context).await {
            Ok(()) => "the daemon has ended the stream of changes".to_owned(),
            Err(failure) => failure.to_string(),
        };
        let was_there = context.has_daemon.send_replace(false);
        if was_there || begun.elapsed() > LONG {
            attempts = Attempts::new();
            (context.log)(&failure);
        }
        attempts.pause().await;
    }
}

/// Until the daemon ends.
async fn watch(context: &AgentContext) -> Result<(), DaemonFailure> {
    let mut changes = context.daemon.stream("/api/v1/changes", None).await?;
    context.has_daemon.send_if_modified(|has_daemon| !std::mem::replace(has_daemon, true));
    let mut told: Option<HostInventory> = None;
    let mut told_at = tokio::time::Instant::now();
    let mut connection = 0;
    loop {
        let is_new = tokio::select! {
            event = changes.next() => match event? {
                Some(_) => false,
                None => return Ok(()),
            },
            // A stream of a daemon that hangs is as silent as that of one where nothing changes.
            () = tokio::time::sleep(QUIET) => {
                context.daemon.answers_within(ALIVE_WITHIN, "/api/v1/daemon").await?;
                if told_at.elapsed() < AT_LEAST_EVERY {
                    continue;
                }
                true
            }
            // The server may have lost what it had.
            other = context.nats.reconnected(connection) => {
                connection = other;
                true
            }
        };
        tokio::time::sleep(TOGETHER).await;
        while changes.take_ready().is_some() {}
        let mut inventory = read(context).await?;
        if !is_new && told.as_ref() == Some(&inventory) {
            continue;
        }
        told = Some(inventory.clone());
        told_at = tokio::time::Instant::now();
        store(context, FleetKey::Inventory(context.host.clone()).subject(), None, inventory.message()).await;
    }
}

/// What it runs now.
async fn read(context: &AgentContext) -> Result<HostInventory, DaemonFailure> {
    let daemon = context.daemon.get("/api/v1/daemon").await?;
    let mut programs = ProgramReport::list_of_api(&context.daemon.get("/api/v1/programs").await?);
    for program in &mut programs {
        // How long it runs follows from the time of the last change, and would be another text with each look.
        if let Some((pid, _)) = program.description.split_once(", uptime") {
            program.description = pid.to_owned();
        }
    }
    let text = |member: &str| daemon.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(HostInventory {
        identifier: text("identifier"),
        version: text("version"),
        labels: bounded_labels(context.labels.clone()),
        programs,
        omitted: 0,
    })
}
