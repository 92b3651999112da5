//! Another number of processes for a program that runs.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use supervisord_config::scale::WantedCount;

use super::problem::Problem;
use super::request::{ApiRequest, encoded, json};
use super::update_plan;
use crate::network::reply::Reply;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = one_number()))]
pub(super) struct ScaleOptions {
    /// The name of a program, of a group of one program, or of a process of it.
    program: String,
    /// How many processes it is to have.
    #[schemars(range(min = 0, max = 100_000))]
    numprocs: Option<i64>,
    /// How many more it is to have, or fewer where this is negative. This or `numprocs` is needed.
    by: Option<i64>,
    /// Whether that is written into a file that the configuration includes, which only administrators may.
    #[serde(default)]
    persist: bool,
}

/// That there is one of the two numbers, as a schema.
fn one_number() -> serde_json::Value {
    let only = |one: &str, other: &str| {
        serde_json::json!({
            "required": [one],
            "properties": { one: { "type": "integer" }, other: { "type": "null" } },
        })
    };
    serde_json::json!([only("numprocs", "by"), only("by", "numprocs")])
}

/// Gives a program another number of processes, and says what has been done.
pub(super) async fn scale(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let ScaleOptions { program, numprocs, by, persist } = request.options()?;
    let wanted = match (numprocs, by) {
        (Some(number), None) => WantedCount::Exactly(number),
        (None, Some(change)) => WantedCount::Change(change),
        _ => {
            let detail = "write either numprocs, for example {\"numprocs\":12}, or by, for example {\"by\":2}";
            return Err(Problem::with(StatusCode::BAD_REQUEST, detail));
        }
    };
    let (api, actor) = (request.api, request.actor);
    let plan = update_plan::of(api.scale(actor, &program, wanted, persist).await)?;
    Ok(json(encoded(&plan)?, api.answers.nothing()))
}
