//! What an update would do, or has done.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervisord_config::model::UpdateMode;
use supervisord_config::option_changes::OptionChange;
use supervisord_config::scale::ProgramScale;
use supervisord_core::call::Answer;
use supervisord_core::update_plan::{GroupStep, ProcessStep, UpdatePlan};

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use crate::calls::CallFailure;
use crate::network::reply::Reply;

/// What an update restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "UpdateMode")]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Every group in which something has changed.
    Groups,
    /// The processes that cannot do without.
    Minimal,
}

impl From<Mode> for UpdateMode {
    fn from(mode: Mode) -> UpdateMode {
        match mode {
            Mode::Groups => UpdateMode::Groups,
            Mode::Minimal => UpdateMode::Minimal,
        }
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanOptions {
    /// What the update is to restart; what the file says where there is none.
    mode: Option<Mode>,
    /// The groups that it is about; all where there is none.
    #[serde(default)]
    groups: Vec<String>,
}

/// What an update does.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UpdatePlan")]
pub(super) struct PlanResource {
    /// `groups` or `minimal`.
    mode: &'static str,
    /// The groups in which something changes.
    groups: Vec<GroupStepResource>,
    /// The processes that are concerned, in the order in which they are.
    steps: Vec<ProcessStepResource>,
    /// The programs that run, and go on running, with another number of processes than their sections say.
    scaled: Vec<ScaleResource>,
}

/// A program that is scaled.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Scale")]
struct ScaleResource {
    /// The section, such as `program:web`.
    section: String,
    numprocs: i64,
    /// How many the section says.
    configured: i64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GroupStep")]
struct GroupStepResource {
    group: String,
    /// `remove`, `replace`, `change` or `add`.
    action: &'static str,
    changes: Vec<OptionChangeResource>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProcessStep")]
struct ProcessStepResource {
    group: String,
    name: String,
    /// `remove`, `stop`, `restart`, `start`, `apply`, `next_start` or `add`.
    action: &'static str,
    /// Whether something that runs is stopped.
    stops: bool,
    /// Whether it is started.
    starts: bool,
    changes: Vec<OptionChangeResource>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OptionChange")]
struct OptionChangeResource {
    option: &'static str,
    /// As it would be written; empty where nothing is set, and without what may be secret.
    old: String,
    new: String,
    /// What the change needs to take effect: `live`, `reload` or `restart`.
    needs: &'static str,
}

impl From<UpdatePlan> for PlanResource {
    fn from(UpdatePlan { mode, groups, steps, scales }: UpdatePlan) -> PlanResource {
        let group = |GroupStep { group, action, changes }: GroupStep| GroupStepResource {
            group,
            action: action.word(),
            changes: changes.into_iter().map(OptionChangeResource::from).collect(),
        };
        let step = |ProcessStep { group, process, action, stops, starts, changes }: ProcessStep| ProcessStepResource {
            group,
            name: process,
            action: action.word(),
            stops,
            starts,
            changes: changes.into_iter().map(OptionChangeResource::from).collect(),
        };
        PlanResource {
            mode: mode.word(),
            groups: groups.into_iter().map(group).collect(),
            steps: steps.into_iter().map(step).collect(),
            scaled: scales
                .into_iter()
                .map(|ProgramScale { section, numprocs, configured }| ScaleResource { section, numprocs, configured })
                .collect(),
        }
    }
}

impl From<OptionChange> for OptionChangeResource {
    fn from(OptionChange { option, old, new, needs }: OptionChange) -> OptionChangeResource {
        OptionChangeResource { option, old, new, needs: needs.word() }
    }
}

/// The plan that a call was answered with.
pub(super) fn of(answer: Result<Answer, CallFailure>) -> Result<PlanResource, Problem> {
    match answer? {
        Answer::Plan(plan) => Ok((*plan).into()),
        Answer::Done | Answer::Statuses(_) | Answer::Difference(_) => {
            Err(Problem::of(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// Reads the file, and says what an update to it would do.
pub(super) async fn plan(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let PlanOptions { mode, groups } = request.options()?;
    let (api, actor) = (request.api, request.actor);
    let plan = of(api.plan_update(actor, mode.map(UpdateMode::from), groups).await)?;
    Ok(json(encoded(&plan)?, api.answers.nothing()))
}
