//! What all duties of an agent share.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use crate::daemon_link::DaemonLink;
use crate::host_name::HostName;
use crate::host_selector::HostLabels;
use crate::nats_link::NatsLink;

/// The shortest and the longest time before something is tried again.
const SHORT: Duration = Duration::from_millis(200);
pub(super) const LONG: Duration = Duration::from_secs(5);

/// What all duties share.
pub(super) struct AgentContext {
    pub(super) host: HostName,
    pub(super) labels: HostLabels,
    pub(super) daemon: DaemonLink,
    pub(super) state: PathBuf,
    /// The group and name of the agent among the programs of the daemon; none where something else runs it.
    pub(super) own_program: Option<(String, String)>,
    pub(super) nats: NatsLink,
    /// Whether the daemon answers.
    pub(super) has_daemon: watch::Sender<bool>,
    pub(super) log: fn(&str),
}

/// The delays between attempts: each is twice the one before.
pub(super) struct Attempts(Duration);

impl Attempts {
    pub(super) fn new() -> Attempts {
        Attempts(SHORT)
    }

    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONG);
    }
}
