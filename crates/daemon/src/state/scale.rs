//! A program with another number of processes than its section says, as the state has it.

use serde::{Deserialize, Serialize};
use supervisord_config::scale::ProgramScale;

/// How many processes a section has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleRecord {
    section: String,
    numprocs: i64,
    /// How many the section says.
    configured: i64,
}

impl From<&ProgramScale> for ScaleRecord {
    fn from(ProgramScale { section, numprocs, configured }: &ProgramScale) -> ScaleRecord {
        ScaleRecord { section: section.clone(), numprocs: *numprocs, configured: *configured }
    }
}

impl From<ScaleRecord> for ProgramScale {
    fn from(ScaleRecord { section, numprocs, configured }: ScaleRecord) -> ProgramScale {
        ProgramScale { section, numprocs, configured }
    }
}
