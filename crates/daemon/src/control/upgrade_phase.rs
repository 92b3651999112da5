//! How far an upgrade has got.

use std::time::Duration;

use crate::calls::Reply;
use crate::network::IdleConnections;
use crate::output::RunId;

/// How far an upgrade has got.
pub(super) enum UpgradePhase {
    /// There is none.
    None,
    /// The new program is being tried, in this run.
    Testing { run: RunId, reply: Option<Reply> },
    /// Calls that take their time are waited for until then.
    Waiting(Duration),
    /// The network plane finishes what it has begun.
    Closing,
    /// Everything may be handed over, these clients too.
    Ready(IdleConnections),
}

impl UpgradePhase {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, UpgradePhase::Ready(_))
    }

    /// When something has taken too long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            UpgradePhase::Waiting(deadline) => Some(*deadline),
            UpgradePhase::None | UpgradePhase::Testing { .. } | UpgradePhase::Closing | UpgradePhase::Ready(_) => None,
        }
    }
}
