//! The OpenAPI document, made from the table of routes and from the types of what is sent:
//! <https://spec.openapis.org/oas/v3.1.0>.

use std::collections::BTreeSet;

use hyper::{Method, StatusCode};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Sends};
use super::parameters::{self, QueryKind, QueryParameter};
use super::problem::{self, Problem};
use super::request::{ApiRequest, encoded, json as reply_json};
use super::router::Route;
use crate::network::reply::Reply;

/// Problems that every route can have: a wrong password, no right, too many passwords, a failure, no memory.
const EVERYWHERE: [u16; 5] = [401, 403, 429, 500, 503];

/// Problems of requests that change something: a body that is not understood, late, too long, or of another type.
const OF_BODIES: [u16; 4] = [400, 408, 413, 415];

/// The document.
pub(super) fn get(request: &ApiRequest<'_>, routes: &[Route<Endpoint>]) -> Result<Reply, Problem> {
    request.api.view(request.actor)?;
    Ok(reply_json(encoded(&document(routes))?, request.api.answers.nothing()))
}

/// The document for these routes.
pub(super) fn document(routes: &[Route<Endpoint>]) -> Value {
    let settings = |contract: fn(SchemaSettings) -> SchemaSettings| {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        contract(settings).into_generator()
    };
    let mut sent = settings(SchemaSettings::for_serialize);
    let mut taken = settings(SchemaSettings::for_deserialize);
    let problem = problem::schema(&mut sent).to_value();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(path) = path else { continue };
        let described = operation(route, &problem, &mut sent, &mut taken);
        if route.method == Method::GET {
            path.insert("head".to_owned(), head(route, &described));
        }
        path.insert(route.method.as_str().to_ascii_lowercase(), described);
    }
    let mut schemas = sent.take_definitions(true);
    schemas.extend(taken.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "supervisord",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The JSON API of supervisord. Errors are problem details (RFC 9457).",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{}, { "basic": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

fn operation(
    Route { method, path, handler }: &Route<Endpoint>,
    problem: &Value,
    sent: &mut SchemaGenerator,
    taken: &mut SchemaGenerator,
) -> Value {
    let Endpoint { right, about, query, body, sends, problems, .. } = handler;
    let mut parameters: Vec<Value> = path_parameters(path).collect();
    parameters.extend(query.iter().map(query_parameter));
    let is_stream = matches!(sends, Sends::Events(_)) || matches!(sends, Sends::Log(named) if !named.is_empty());
    if is_stream && *method == Method::GET {
        parameters.push(json!({
            "name": "Last-Event-ID", "in": "header", "schema": { "type": "string" },
            "description": "The id of the last event that the client has got",
        }));
    }
    let mut operation = json!({
        "operationId": operation_id(method, path),
        "summary": about,
        "description": format!("Needs the right to {right}."),
        "parameters": parameters,
        "responses": responses(handler, statuses(method, path, handler, problems), problem, sent),
    });
    if let (Some(body), Value::Object(members)) = (body, &mut operation) {
        let schema = body(taken).to_value();
        let is_required = !accepts_nothing(&schema, taken);
        let content = json!({ "application/json": { "schema": schema } });
        members.insert("requestBody".to_owned(), json!({ "required": is_required, "content": content }));
    }
    operation
}

/// Whether an empty object is such an object, so that the body may be left out.
fn accepts_nothing(schema: &Value, generator: &SchemaGenerator) -> bool {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    generator.definitions().get(name).is_some_and(|schema| schema["required"].as_array().is_none_or(Vec::is_empty))
}

fn statuses(method: &Method, path: &str, endpoint: &Endpoint, problems: &[u16]) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = EVERYWHERE.into_iter().chain(problems.iter().copied()).collect();
    if path.contains('{') {
        statuses.insert(404);
    }
    if !endpoint.query.is_empty() {
        statuses.insert(400);
    }
    if *method != Method::GET {
        statuses.extend(OF_BODIES);
    }
    statuses
}

fn responses(endpoint: &Endpoint, statuses: BTreeSet<u16>, problem: &Value, sent: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let events = |events: &[(&str, super::endpoint::SchemaOf)], sent: &mut SchemaGenerator| {
        let kinds: Vec<Value> = events.iter().map(|(name, schema)| event(name, &schema(sent).to_value())).collect();
        json!({ "schema": { "oneOf": kinds } })
    };
    let ok = match endpoint.sends {
        Sends::Json(schema) => {
            json!({ "description": "Done", "content": { "application/json": { "schema": schema(sent).to_value() } } })
        }
        Sends::Events(named) => {
            json!({ "description": "A stream", "content": { "text/event-stream": events(named, sent) } })
        }
        Sends::Log(named) => {
            let header = |about| json!({ "description": about, "schema": { "type": "integer", "minimum": 0 } });
            let mut content = json!({ "text/plain": { "schema": { "type": "string" } } });
            if !named.is_empty() {
                content["text/event-stream"] = events(named, sent);
            }
            json!({
                "description": if named.is_empty() { "The bytes of the log" } else { "The bytes of the log, or a stream" },
                "headers": {
                    "Log-Offset": header("Where the part begins in the file"),
                    "Log-Size": header("How long the file is"),
                },
                "content": content,
            })
        }
        Sends::OpenApi => {
            json!({ "description": "This document", "content": { "application/json": { "schema": { "type": "object" } } } })
        }
    };
    responses.insert("200".to_owned(), ok);
    for status in statuses {
        let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let content = json!({ "application/problem+json": { "schema": problem } });
        responses
            .insert(status.to_string(), json!({ "description": words.unwrap_or("A problem"), "content": content }));
    }
    Value::Object(responses)
}

/// One event of a stream. What is sent as its data is JSON text.
fn event(name: &str, data: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "event": { "const": name },
            "data": { "type": "string", "contentMediaType": "application/json", "contentSchema": data },
        },
        "required": ["event", "data"],
    })
}

/// The same without the bodies of answers.
fn head(Route { path, .. }: &Route<Endpoint>, get: &Value) -> Value {
    let mut head = get.clone();
    head["operationId"] = operation_id(&Method::HEAD, path).into();
    if let Some(Value::Object(responses)) = head.get_mut("responses") {
        for (_, response) in responses.iter_mut() {
            if let Value::Object(members) = response {
                members.remove("content");
            }
        }
    }
    head
}

fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(['/', '-', '.']).filter(|word| !word.is_empty());
    let words = words.map(|word| word.trim_start_matches('{').trim_end_matches('}'));
    std::iter::once(method.as_str().to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        let schema = match name {
            "stream" => json!({ "type": "string", "enum": ["stdout", "stderr"] }),
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    })
}

fn query_parameter(QueryParameter { name, about, kind }: &QueryParameter) -> Value {
    let schema = match kind {
        QueryKind::Flag => json!({ "enum": parameters::FLAG_VALUES }),
        QueryKind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        QueryKind::Text => json!({ "type": "string", "minLength": 1 }),
        QueryKind::Texts => json!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
    };
    json!({ "name": name, "in": "query", "description": about, "required": false, "schema": schema })
}
