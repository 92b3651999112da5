//! Sample answers for tests.

use serde_json::json;

use super::program::ProgramStatus;

/// A program of a group of its own.
pub fn program(name: &str, state: &str, outlook: &str) -> ProgramStatus {
    let program = json!({
        "group": name, "name": name, "state": state, "outlook": outlook, "reason": null, "pid": null, "since": 100,
        "wanted": "up", "restarts": 0, "next_start": null, "last_end": null, "waiting_for": [],
    });
    ProgramStatus::from_json(&program).expect("it has all members")
}
