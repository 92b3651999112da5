//! Another number of processes for a program that runs.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
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
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 0, max = 100_000))]
    numprocs: Option<i64>,
    /// How many more it is to have, or fewer where this is negative. This or `numprocs` is needed.
    #[serde(default, deserialize_with = "whole")]
    by: Option<i64>,
    /// Whether that is written into a file that the configuration includes, which only administrators may.
    #[serde(default)]
    persist: bool,
}

/// A whole number in any spelling: JSON has only one kind of numbers, and to a schema `2.0` is an integer, too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    // Up to here every whole number has a floating point number of its own.
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= (1_u64 << 53) as f64;
    let whole = number.as_i64().or_else(|| number.as_f64().filter(exact).map(|number| number as i64));
    whole.map(Some).ok_or_else(|| D::Error::custom(format!("a whole number is expected, such as 2, not {number}")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_point() {
        let read = |text: &str| serde_json::from_str::<ScaleOptions>(&format!(r#"{{"program":"web",{text}}}"#));
        let numbers = |text: &str| read(text).map(|options| (options.numprocs, options.by)).expect("taken");
        assert_eq!(numbers(r#""by":-2.0"#), (None, Some(-2)));
        assert_eq!(numbers(r#""numprocs":3e2,"by":null"#), (Some(300), None));
        assert_eq!(numbers(r#""numprocs":9223372036854775807"#), (Some(i64::MAX), None));
        for text in [r#""by":1.5"#, r#""by":1e300"#, r#""by":9223372036854775808"#] {
            let error = read(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("a whole number is expected"), "{text}: {error}");
        }
        assert!(read(r#""by":"2""#).is_err());
    }
}
