//! Starting a child: everything is prepared before the child exists, and the child allocates nothing.

mod child;
mod environment;
mod plan;

use std::sync::atomic::AtomicU64;

use crate::system::{self, Launcher};
use crate::{Errno, Pid, host};
use child::Child;

pub use child::NOT_SPAWNED;
pub use environment::Environment;
pub use plan::{ChildDescriptors, ProcessGroup, SpawnPlan, Stdio};

/// Starts a child with default signal dispositions and no signal blocked.
///
/// The error is that of fork. A child that fails later writes the reason to its descriptor 2 and exits with
/// [`NOT_SPAWNED`].
pub fn spawn(plan: SpawnPlan, stdio: Stdio<'_>) -> Result<Pid, Errno> {
    system::fork(&Child::new(plan, stdio.into()))
}

/// Starts children in the cheapest way that is safe on the running system.
#[derive(Debug)]
pub struct Spawner {
    launcher: Launcher<Child>,
}

impl Default for Spawner {
    /// For the running system.
    fn default() -> Spawner {
        Spawner::on(&host::release())
    }
}

impl Spawner {
    /// For this release of the system, such as `6.1.0-28-amd64`.
    pub fn on(release: &str) -> Spawner {
        Spawner { launcher: Launcher::on(release) }
    }

    /// Starts a child as [`spawn`] does, and stores its process id in `pid_slot`. On Linux the kernel stores it before the
    /// child runs, so that it is there even if this process is killed at that moment.
    pub fn spawn<'fd>(
        &mut self,
        plan: SpawnPlan,
        descriptors: impl Into<ChildDescriptors<'fd>>,
        pid_slot: &AtomicU64,
    ) -> Result<Pid, Errno> {
        let changes_user = plan.changes_user();
        self.launcher.launch(Child::new(plan, descriptors.into()), changes_user, pid_slot)
    }

    /// Releases what children used until they executed their programs.
    pub fn settle(&mut self) {
        self.launcher.settle();
    }
}

#[cfg(test)]
mod tests;
