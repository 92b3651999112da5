//! A row of the table of routes: what answers it, and what the OpenAPI document says about it.

use std::pin::Pin;

use schemars::{Schema, SchemaGenerator};
use supervisord_core::actor::Right;

use super::parameters::QueryParameter;
use super::problem::Problem;
use super::request::ApiRequest;
use crate::network::reply::Reply;

pub(super) type Handler = for<'a> fn(ApiRequest<'a>) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + 'a>>;

/// The schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What answers a route.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    /// The right that it asks for. The handler asks for it by what it reads and calls.
    pub(super) right: Right,
    pub(super) answer: Handler,
    /// What it does, in a sentence.
    pub(super) about: &'static str,
    pub(super) query: &'static [QueryParameter],
    /// The object in the body of a request; none where the body means nothing.
    pub(super) body: Option<SchemaOf>,
    pub(super) sends: Sends,
    /// The statuses of its problems, besides those that follow from the rest.
    pub(super) problems: &'static [u16],
}

/// What a route answers with.
#[derive(Clone, Copy)]
pub(super) enum Sends {
    /// An object.
    Json(SchemaOf),
    /// Server-sent events, by name, with their data.
    Events(&'static [(&'static str, SchemaOf)]),
    /// A log: its bytes, or server-sent events.
    Log(&'static [(&'static str, SchemaOf)]),
    /// This document.
    OpenApi,
}

impl Endpoint {
    pub(super) const fn new(right: Right, about: &'static str, sends: Sends, answer: Handler) -> Endpoint {
        Endpoint { right, answer, about, query: &[], body: None, sends, problems: &[] }
    }

    pub(super) const fn with_query(self, query: &'static [QueryParameter]) -> Endpoint {
        Endpoint { query, ..self }
    }

    pub(super) const fn with_body(self, body: SchemaOf) -> Endpoint {
        Endpoint { body: Some(body), ..self }
    }

    pub(super) const fn with_problems(self, problems: &'static [u16]) -> Endpoint {
        Endpoint { problems, ..self }
    }
}
