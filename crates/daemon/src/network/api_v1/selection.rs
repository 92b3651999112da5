//! The programs that selectors stand for.

use std::sync::Arc;

use hyper::StatusCode;
use supervisord_config::selector::{Selectable, Selector, SelectorError, select};
use supervisord_core::event::ProcessName;
use supervisord_core::row::Row;
use supervisord_wire::state::ProcessState;

use super::problem::Problem;
use crate::api::VisibleView;

/// A program that a selector may stand for.
pub(super) enum Candidate {
    /// One that is there.
    Present(Arc<Row>),
    /// One that is on the list of disabled programs alone.
    Disabled(ProcessName),
}

impl Candidate {
    /// Its name.
    pub(super) fn process_name(&self) -> ProcessName {
        match self {
            Candidate::Present(row) => {
                ProcessName { group: row.group.clone(), process: row.config.identity.name.as_str().into() }
            }
            Candidate::Disabled(name) => name.clone(),
        }
    }

    fn selectable(&self) -> Selectable<'_> {
        match self {
            Candidate::Present(row) => selectable(row),
            Candidate::Disabled(name) => Selectable { group: &name.group, name: &name.process, state: "", labels: &[] },
        }
    }
}

/// The rows of these programs, by group and name.
pub(super) fn selected(view: &VisibleView<'_>, selectors: &[String]) -> Result<Vec<Arc<Row>>, Problem> {
    select_from(selectors, view.rows(), |row| selectable(row))
}

/// The same, with what is disabled and not there.
pub(super) fn selected_with_disabled(view: &VisibleView<'_>, selectors: &[String]) -> Result<Vec<Candidate>, Problem> {
    let absent = view.disabled().into_iter().filter(|program| !program.is_present);
    let absent = absent.map(|program| Candidate::Disabled(program.name));
    let all = view.rows().into_iter().map(Candidate::Present).chain(absent).collect();
    select_from(selectors, all, Candidate::selectable)
}

fn selectable(row: &Row) -> Selectable<'_> {
    Selectable {
        group: &row.group,
        name: &row.config.identity.name,
        state: row.state().name(),
        labels: row.config.labels(),
    }
}

fn select_from<T>(selectors: &[String], all: Vec<T>, of: impl Fn(&T) -> Selectable<'_>) -> Result<Vec<T>, Problem> {
    let states = ProcessState::ALL.map(ProcessState::name);
    let selectors: Result<Vec<Selector>, _> = selectors.iter().map(|text| Selector::parse(text, &states)).collect();
    let found = selectors.and_then(|selectors| select(&selectors, all, of));
    found.map_err(|error| {
        let status = match &error {
            SelectorError::Malformed(_) => StatusCode::BAD_REQUEST,
            SelectorError::Unknown(_) => StatusCode::NOT_FOUND,
        };
        Problem::with(status, error.to_string())
    })
}
