//! What is known of the health of a process, as the state tells it. Moments are nanoseconds on the monotonic clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use supervisord_core::health::{HealthProgress, HealthResult, Heartbeat};

use super::encoding::{is_default, nanos};

/// What is known of the health of a process. How it is follows from the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HealthRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    since: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    has_succeeded: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    /// When the last result came, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checked: Option<i64>,
    /// Why it was a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under_way: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    heartbeat: HeartbeatRecord,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HeartbeatRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    has_come: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    is_missing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
}

impl From<&HealthProgress> for HealthRecord {
    fn from(health: &HealthProgress) -> HealthRecord {
        // Each daemon puts one off where it was late.
        let Heartbeat { due, has_come, is_missing, interval, is_put_off: _ } = &health.heartbeat;
        HealthRecord {
            since: nanos(health.since),
            has_succeeded: health.has_succeeded,
            failures: health.failures,
            checked: health.last.as_ref().map(|last| last.at),
            failure: health.last.as_ref().and_then(|last| last.failure.clone()),
            next: health.next_check.map(nanos),
            under_way: health.under_way,
            heartbeat: HeartbeatRecord {
                due: due.map(nanos),
                has_come: *has_come,
                is_missing: *is_missing,
                interval: interval.map(nanos),
            },
        }
    }
}

impl From<&HealthRecord> for HealthProgress {
    fn from(record: &HealthRecord) -> HealthProgress {
        let HealthRecord { since, has_succeeded, failures, checked, failure, next, under_way, heartbeat } = record;
        let HeartbeatRecord { due, has_come, is_missing, interval } = heartbeat;
        HealthProgress {
            since: Duration::from_nanos(*since),
            has_succeeded: *has_succeeded,
            failures: *failures,
            last: checked.map(|at| HealthResult { at, failure: failure.clone() }),
            next_check: next.map(Duration::from_nanos),
            under_way: *under_way,
            heartbeat: Heartbeat {
                due: due.map(Duration::from_nanos),
                has_come: *has_come,
                is_missing: *is_missing,
                interval: interval.map(Duration::from_nanos),
                is_put_off: false,
            },
            ..HealthProgress::default()
        }
    }
}
