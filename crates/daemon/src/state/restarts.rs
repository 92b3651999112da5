//! The restarts of a process, as the state tells them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::process;

use super::encoding::{is_default, nanos};

/// The restarts of a process since somebody started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RestartsRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    number: u32,
    /// Failed starts and crashes in a row.
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    /// Whether the next start is none.
    #[serde(default, skip_serializing_if = "is_default")]
    anew: bool,
    /// When, as far as a limit needs that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    times: Vec<u64>,
}

impl From<&process::Restarts> for RestartsRecord {
    fn from(process::Restarts { number, failures, anew, times }: &process::Restarts) -> RestartsRecord {
        let times = times.iter().copied().map(nanos).collect();
        RestartsRecord { number: *number, failures: *failures, anew: *anew, times }
    }
}

impl From<&RestartsRecord> for process::Restarts {
    fn from(RestartsRecord { number, failures, anew, times }: &RestartsRecord) -> process::Restarts {
        let times = times.iter().copied().map(Duration::from_nanos).collect();
        process::Restarts { number: *number, failures: *failures, anew: *anew, times }
    }
}
