//! What says that programs are ready.

use super::{RunId, Supervisor};
use crate::process::MachineInput;
use crate::time::Now;

impl Supervisor {
    /// The child of a run is ready.
    pub(super) fn ready(&mut self, now: Now, run: RunId) {
        if let Some(id) = self.by_run.get(&run).copied() {
            self.drive_machine(now, id, MachineInput::Ready);
        }
    }
}
