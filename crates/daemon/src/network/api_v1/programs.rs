//! The processes of the active groups.

use std::sync::Arc;

use hyper::StatusCode;
use schemars::JsonSchema;
use supervisord_core::row::Row;

use super::problem::Problem;
use super::program_resource::ProgramResource;
use super::program_texts::{ProgramList, ProgramText};
use super::request::{ApiRequest, encoded, json, json_pieces};
use super::selection::selected;
use crate::api::Api;
use crate::network::reply::Reply;

/// About how much one takes as JSON, in bytes.
const PROGRAM_BYTES: usize = 2 << 10;

/// The most of it, in bytes, that the network thread encodes itself.
const MAX_ON_THIS_THREAD: usize = 256 << 10;

/// The form of the list that [`super::program_texts`] writes.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes the list in the document of the API")]
pub(super) struct Programs<'a> {
    programs: Vec<ProgramResource<'a>>,
}

pub(super) async fn list(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (api, view) = (request.api, request.api.view(request.actor)?);
    let selectors: Vec<String> = request.values("select").collect();
    let rows = match selectors.is_empty() {
        true => view.rows(),
        false => selected(&view, &selectors)?,
    };
    let (texts, local) = (request.program_texts, api.clock.local);
    let found = texts.find(&rows);
    let missing = rows.into_iter().zip(&found).filter(|(_, text)| text.is_none()).map(|(row, _)| row);
    let missing: Vec<Arc<Row>> = missing.collect();
    let missing_bytes = missing.len() * PROGRAM_BYTES;
    let _reservation = api.reserve(missing_bytes).await?;
    let encode = move || missing.into_iter().map(|row| ProgramText::new(row, local)).collect::<Result<Vec<_>, _>>();
    // Many take a processor for milliseconds, in which other clients would wait.
    let made = match missing_bytes > MAX_ON_THIS_THREAD {
        true => api.blocking.compute(encode).await.map_err(|_| Problem::of(StatusCode::SERVICE_UNAVAILABLE))?,
        false => encode(),
    };
    let made = made.map_err(|_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR))?;
    let list = ProgramList::new(texts.complete(found, made), (api.clock.now)());
    Ok(json_pieces(list.left(), list))
}

pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    shown(request.api, &*request.program()?)
}

/// A program as the whole answer.
pub(super) fn shown(api: &Api, row: &Row) -> Result<Reply, Problem> {
    let body = encoded(&ProgramResource::new(row, (api.clock.now)(), api.clock.local))?;
    Ok(json(body, api.answers.nothing()))
}
