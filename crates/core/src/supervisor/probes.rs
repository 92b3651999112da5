//! The answers to probes.

use super::{ProbePurpose, ProcessId, Supervisor};
use crate::time::Now;

impl Supervisor {
    /// A probe has been run. An answer that nobody waits for any more is passed over.
    pub(super) fn probed(
        &mut self,
        now: Now,
        process: ProcessId,
        purpose: ProbePurpose,
        attempt: u64,
        result: Result<(), String>,
    ) {
        match purpose {
            ProbePurpose::Readiness => self.readiness_probed(now, process, attempt, result),
            ProbePurpose::Health => self.health_checked(now, process, attempt, result),
        }
    }
}
