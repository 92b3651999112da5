//! The answers to probes.

use super::{ProbePurpose, ProcessId, Supervisor};
use crate::time::Now;

impl Supervisor {
    /// A probe has been run. An answer that nobody waits for any more is passed over.
    pub(super) fn probed(
        &mut self,
        _now: Now,
        _process: ProcessId,
        purpose: ProbePurpose,
        _attempt: u64,
        _result: Result<(), String>,
    ) {
        match purpose {
            ProbePurpose::Readiness => {}
            ProbePurpose::Health => {}
        }
    }
}
