//! The programs that selectors stand for.

use std::sync::Arc;

use hyper::StatusCode;
use supervisord_config::selector::{Selectable, Selector, SelectorError, select};
use supervisord_core::row::Row;
use supervisord_wire::state::ProcessState;

use super::problem::Problem;
use crate::api::VisibleView;

/// The rows of these programs, by group and name.
pub(super) fn selected(view: &VisibleView<'_>, selectors: &[String]) -> Result<Vec<Arc<Row>>, Problem> {
    let states = ProcessState::ALL.map(ProcessState::name);
    let selectors: Result<Vec<Selector>, _> = selectors.iter().map(|text| Selector::parse(text, &states)).collect();
    let found = selectors.and_then(|selectors| {
        select(&selectors, view.rows(), |row| Selectable {
            group: &row.group,
            name: &row.config.identity.name,
            state: row.state().name(),
            labels: row.config.labels(),
        })
    });
    found.map_err(|error| {
        let status = match &error {
            SelectorError::Malformed(_) => StatusCode::BAD_REQUEST,
            SelectorError::Unknown(_) => StatusCode::NOT_FOUND,
        };
        Problem::with(status, error.to_string())
    })
}
