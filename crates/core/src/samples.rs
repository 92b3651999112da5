//! Sample rows for tests of this crate and others.

use std::sync::Arc;

use supervisord_config::samples;

use crate::process::{ProcessPhase, Wanted};
use crate::row::Row;

/// The row of a running program of this group, with the process id 42, started 100 seconds after the epoch.
pub fn row(group: &str, name: &str) -> Row {
    Row {
        group: group.into(),
        config: Arc::new(samples::process(name)),
        phase: ProcessPhase::Up,
        pid: 42,
        start: 100,
        stop: 0,
        spawnerr: String::new(),
        exitstatus: None,
        last_end: None,
        since: 100,
        attempts: 0,
        wanted: Wanted::Up,
        stop_decision: None,
        last_request: None,
        disabled: None,
        restarts: 0,
        next_start: None,
        ready_by: None,
        next_stop_step: None,
        service_status: None,
        ready_trouble: None,
        runs_until: None,
        stdout_logfile: None,
        stderr_logfile: None,
        awaited: Vec::new(),
        health: None,
        commands: Vec::new(),
        environment_step: 0,
        counts: None,
        event_queue: None,
    }
}
