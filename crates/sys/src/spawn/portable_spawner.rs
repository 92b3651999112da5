//! Starting children where they cannot share the daemon's memory.

use super::*;

/// Makes children.
#[derive(Debug, Default)]
pub struct Spawner {}

impl Spawner {
    /// There is one way for all releases.
    pub fn on(_release: &str) -> Spawner {
        Spawner::default()
    }

    /// Does what [`spawn`] does, and stores the process id in `born`.
    pub fn spawn(&mut self, plan: SpawnPlan, stdio: Stdio<'_>, born: &AtomicU64) -> Result<Pid, Errno> {
        spawn_and_store(plan, stdio, born)
    }

    /// There is nothing to tidy up.
    pub fn settle(&mut self) {}
}
