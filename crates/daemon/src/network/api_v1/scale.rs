//! Another number of processes for a program that runs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use supervisord_config::scale::MOST_PROCESSES;
use supervisord_core::row::Row;
use supervisord_sys::limits::{self, Limit};

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use super::update_plan;
use crate::api::VisibleView;
use crate::network::reply::Reply;
use hyper::StatusCode;

/// How many descriptors of the daemon a process takes: its pipes and a handle.
const DESCRIPTORS: i64 = 4;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaleOptions {
    /// The name of a program, or of a group of one program.
    program: String,
    /// How many processes it is to have.
    numprocs: i64,
    /// Whether that is written into a file that the configuration includes, which only administrators may.
    #[serde(default)]
    persist: bool,
}

/// Gives a program another number of processes, and says what has been done.
pub(super) async fn scale(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let ScaleOptions { program, numprocs, persist } = request.options()?;
    let (api, actor) = (request.api, request.actor);
    let view = api.view(actor)?;
    let section = section_of(&view, &program)?;
    check_number(&view, &section, numprocs)?;
    let plan = update_plan::of(api.scale(actor, section.clone(), numprocs, persist).await)?.about(&section);
    Ok(json(encoded(&plan)?, api.answers.nothing()))
}

/// The section of a program of this name, or of the only program of the group of this name.
fn section_of(view: &VisibleView<'_>, name: &str) -> Result<String, Problem> {
    let rows = view.rows();
    let sections = |is_meant: &dyn Fn(&Row) -> bool| -> BTreeSet<String> {
        rows.iter().filter(|row| is_meant(row)).map(|row| row.config.identity.section.clone()).collect()
    };
    let is_named = |section: &str| section.split_once(':').is_some_and(|(_, own)| own == name);
    let mut named = sections(&|row| is_named(&row.config.identity.section));
    // One that has no process at the moment.
    let scales =
        view.config().scales.clone().into_iter().filter(|scale| view.includes_all() && is_named(&scale.section));
    named.extend(scales.map(|scale| scale.section));
    let of_group = sections(&|row| *row.group == *name);
    let mut found = if named.is_empty() { of_group } else { named };
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().filter_map(|section| section.split_once(':')).map(|(_, own)| own).collect();
        let detail = format!("{name} stands for several programs: name one of {}", names.join(", "));
        return Err(Problem::with(StatusCode::CONFLICT, detail));
    }
    found.pop_first().ok_or_else(|| Problem::not_found(format!("no program or group is named {name}")))
}

fn check_number(view: &VisibleView<'_>, section: &str, numprocs: i64) -> Result<(), Problem> {
    let bad = |detail: String| Err(Problem::with(StatusCode::BAD_REQUEST, detail));
    if !(0..=MOST_PROCESSES).contains(&numprocs) {
        return bad(format!("{numprocs} processes are asked for: write a number from 0 to {MOST_PROCESSES}"));
    }
    let of_section = |row: &Row| row.config.identity.section == section;
    let rows = view.rows();
    let present = rows.iter().filter(|row| of_section(row)).count();
    let all = i64::try_from(rows.len() - present).unwrap_or(0) + numprocs;
    let Ok((soft, _)) = limits::get(Limit::OpenFiles) else { return Ok(()) };
    let room = i64::try_from(soft).unwrap_or(i64::MAX);
    let grows = i64::try_from(present).unwrap_or(0) < numprocs;
    if grows && all.saturating_mul(DESCRIPTORS) > room {
        return bad(format!(
            "{all} processes need about {} descriptors of the daemon, which may open {room}: raise minfds in [supervisord]",
            all * DESCRIPTORS
        ));
    }
    Ok(())
}
