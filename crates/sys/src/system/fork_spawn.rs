//! Starting children where they cannot share the daemon's memory.

pub(crate) mod calls;

use std::sync::atomic::AtomicU64;

use crate::spawn::{SpawnPlan, Stdio, spawn_and_store};
use crate::{Errno, Pid};

/// Makes children.
#[derive(Debug, Default)]
pub struct Spawner {}

impl Spawner {
    /// There is one way for all releases.
    pub fn on(_release: &str) -> Spawner {
        Spawner::default()
    }

    /// Does what [`spawn`](crate::spawn::spawn) does, and stores the process id in `pid_slot`.
    pub fn spawn(&mut self, plan: SpawnPlan, stdio: Stdio<'_>, pid_slot: &AtomicU64) -> Result<Pid, Errno> {
        spawn_and_store(plan, stdio, pid_slot)
    }

    /// There is nothing to tidy up.
    pub fn settle(&mut self) {}
}
