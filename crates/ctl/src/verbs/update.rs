//! `update`: which of its forms is meant.

use supervisord_config::model::UpdateMode;

use super::configuration;
use super::minimal;
use super::verb::{Flow, Invocation};
use super::wide::JSON;
use crate::failure::Failure;
use crate::session::Session;
use crate::status;

pub(super) const PLAN: &str = "--plan";
pub(super) const MINIMAL: &str = "--minimal";
pub(super) const GROUPS: &str = "--groups";

/// Activates the configuration on disk, or says what that would do.
pub(super) fn update(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    let (flags, mut names): (Vec<&str>, Vec<&str>) =
        invocation.words.iter().copied().partition(|word| word.starts_with("--"));
    if names.contains(&"all") {
        names.clear();
    }
    let has = |flag: &str| flags.contains(&flag);
    let mode = match (has(MINIMAL), has(GROUPS)) {
        (true, true) => {
            invocation.misuse(session, status::GENERIC, "Error: --minimal and --groups exclude each other");
            return Ok(Flow::Continue);
        }
        (true, false) => Some(UpdateMode::Minimal),
        (false, true) => Some(UpdateMode::Groups),
        (false, false) => None,
    };
    if has(PLAN) {
        minimal::plan(session, mode, &names, has(JSON))?;
        return Ok(Flow::Continue);
    }
    if has(JSON) && mode != Some(UpdateMode::Minimal) {
        invocation.misuse(session, status::GENERIC, "Error: update accepts --json with --plan or --minimal");
        return Ok(Flow::Continue);
    }
    if mode == Some(UpdateMode::Minimal) {
        let updated = match has(JSON) {
            true => minimal::update_as_json(session, &names),
            false => minimal::update(session, &names),
        };
        configuration::warn(session);
        updated?;
        return Ok(Flow::Continue);
    }
    configuration::update(session, &names, mode)
}
