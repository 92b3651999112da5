//! The place of a process in a rolling restart, as the state has it.

use serde::{Deserialize, Serialize};
use supervisord_core::supervisor::RollingTurn;

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingRecord {
    /// The number of the rolling restart.
    #[serde(default)]
    rollout: u64,
    /// How many may be away at the same time.
    #[serde(default)]
    parallel: usize,
    #[serde(default)]
    place: usize,
    #[serde(default)]
    under_way: bool,
    /// Whether it has ended at the failure of another one.
    #[serde(default)]
    failed: bool,
}

impl From<RollingTurn> for RollingRecord {
    fn from(RollingTurn { rollout, parallel, place, is_under_way, has_failed }: RollingTurn) -> RollingRecord {
        RollingRecord { rollout, parallel, place, under_way: is_under_way, failed: has_failed }
    }
}

impl From<RollingRecord> for RollingTurn {
    fn from(RollingRecord { rollout, parallel, place, under_way, failed }: RollingRecord) -> RollingTurn {
        RollingTurn { rollout, parallel: parallel.max(1), place, is_under_way: under_way, has_failed: failed }
    }
}
