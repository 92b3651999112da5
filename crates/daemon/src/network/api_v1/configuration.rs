//! The configuration: what has changed in the file, and taking it over.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervisord_config::diff::Difference;
use supervisord_config::model::UpdateMode;
use supervisord_core::actor::Actor;
use supervisord_core::call::Answer;

use super::problem::Problem;
use super::request::{ApiRequest, NoOptions, encoded, json};
use super::update_plan::{Mode, PlanResource};
use crate::api::{Api, UpdateFailure, UpdateOutcome};
use crate::network::reply::Reply;

/// What a reread has found.
#[derive(Serialize, JsonSchema)]
pub(super) struct RereadConfiguration {
    /// Groups that are new in the file.
    added: Vec<String>,
    /// Active groups that differ from the file.
    changed: Vec<String>,
    /// Active groups that the file does not have.
    removed: Vec<String>,
    /// In what each of the changed groups differs, in a line for people.
    changes: Vec<String>,
    /// What is worth a warning about the file.
    warnings: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateOptions {
    /// What is restarted; what the file says where there is none.
    mode: Option<Mode>,
    /// The groups that are updated; all where there is none.
    #[serde(default)]
    groups: Vec<String>,
}

/// What an update has done.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct UpdatedConfiguration {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    /// What has been done, where only what cannot do without was restarted.
    plan: Option<PlanResource>,
}

/// Reads the file, and says in what it differs from what is active.
pub(super) async fn reread(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let NoOptions {} = request.options()?;
    let (api, actor) = (request.api, request.actor);
    let Difference { added, changed, removed } = difference(api, actor).await?;
    let warnings = api.view(actor)?.config().warnings().map(str::to_owned).collect();
    let reread = RereadConfiguration {
        added,
        changes: changed.iter().map(ToString::to_string).collect(),
        changed: changed.into_iter().map(|group| group.name).collect(),
        removed,
        warnings,
    };
    Ok(json(encoded(&reread)?, api.answers.nothing()))
}

/// Reads the file, and makes it active: groups that are gone are stopped and removed, changed ones are replaced, new ones added;
/// or only what cannot do without is restarted.
pub(super) async fn update(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let UpdateOptions { mode, groups } = request.options()?;
    let (api, actor) = (request.api, request.actor);
    match api.update(actor, mode.map(UpdateMode::from), groups).await {
        Ok(outcome) => Ok(json(encoded(&UpdatedConfiguration::from(outcome))?, api.answers.nothing())),
        Err(UpdateFailure::UnknownGroup(group)) => Err(Problem::not_found(format!("no group is named {group}"))),
        Err(UpdateFailure::Refused(failure)) => Err(failure.into()),
        Err(UpdateFailure::Group(group, failure, done)) => {
            let done = UpdatedConfiguration::from(*done);
            Err(Problem::from(failure).and(&format!("group {group}; {done}")))
        }
    }
}

impl From<UpdateOutcome> for UpdatedConfiguration {
    fn from(UpdateOutcome { added, changed, removed, plan }: UpdateOutcome) -> UpdatedConfiguration {
        UpdatedConfiguration { added, changed, removed, plan: plan.map(PlanResource::from) }
    }
}

impl std::fmt::Display for UpdatedConfiguration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let UpdatedConfiguration { added, changed, removed, plan: _ } = self;
        write!(f, "done before: removed {}, changed {}, added {}", names(removed), names(changed), names(added))
    }
}

async fn difference(api: &Api, actor: &Actor) -> Result<Difference, Problem> {
    match api.reload_config(actor).await? {
        Answer::Difference(difference) => Ok(difference),
        Answer::Done | Answer::Statuses(_) | Answer::Plan(_) => Err(Problem::of(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}
