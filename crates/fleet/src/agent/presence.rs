//! That this agent lives.

use std::sync::Arc;
use std::time::Duration;

use super::context::AgentContext;
use super::publishing::store;
use crate::fleet_view::PRESENCE_EVERY;
use crate::report::HostPresence;
use crate::subjects::FleetKey;

/// Says it every few seconds, and when the daemon or the server comes or goes.
pub(super) async fn tell(context: Arc<AgentContext>, boot: String) {
    let mut has_daemon = context.has_daemon.subscribe();
    loop {
        let connection = context.nats.connected().await;
        let presence =
            HostPresence { boot: boot.clone(), has_daemon: *has_daemon.borrow_and_update(), is_leaving: false };
        say(&context, &presence).await;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(PRESENCE_EVERY)) => {}
            _ = has_daemon.changed() => {}
            _ = context.nats.reconnected(connection) => {}
        }
    }
}

/// Says that this agent is about to end.
pub(super) async fn farewell(context: &AgentContext, boot: String) {
    let has_daemon = *context.has_daemon.borrow();
    say(context, &HostPresence { boot, has_daemon, is_leaving: true }).await;
}

async fn say(context: &AgentContext, presence: &HostPresence) {
    let message = serde_json::to_vec(presence).unwrap_or_default();
    store(context, FleetKey::Presence(context.host.clone()).subject(), None, message).await;
}
