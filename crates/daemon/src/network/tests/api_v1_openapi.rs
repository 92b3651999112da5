//! The OpenAPI document against what the daemon sends.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};
use supervisord_config::dependency::DependencyCondition;
use supervisord_config::diff::Difference;
use supervisord_config::model::UpdateMode;
use supervisord_config::scale::ProgramScale;
use supervisord_core::call::{Reason, Refusal};
use supervisord_core::dependencies::{AwaitedDependency, Hindrance, HindranceCause};
use supervisord_core::health::{HealthResult, HealthStatus};
use supervisord_core::last_request::{LastRequest, RequestedAction};
use supervisord_core::process::{EndJudgement, EndTraces, ExitStatus, LastEnd, MemoryKills, ServiceStatus};
use supervisord_core::row::RowHealth;
use supervisord_core::update_plan::UpdatePlan;

use super::*;
use crate::network::api_v1;

const DOCUMENT: &str = "/api/v1/openapi.json";

/// What a request needs besides its address.
const BODIES: [(&str, &str); 5] = [
    ("/config/scale", "{\"program\":\"a\",\"numprocs\":1}"),
    ("/programs/{group}/{name}/signal", "{\"signal\":\"HUP\"}"),
    ("/programs/actions", "{\"action\":\"start\",\"select\":[\"*\"]}"),
    ("/programs/{group}/{name}/stdin", "{\"data\":\"x\"}"),
    ("/daemon/events", "{\"type\":\"x\",\"data\":\"y\"}"),
];

fn answers(call: &Call) -> Option<CallOutcome> {
    Some(Ok(match call {
        Call::ReloadConfig { .. } => Answer::Difference(Difference::default()),
        Call::PlanUpdate { .. } | Call::UpdateMinimally { .. } | Call::Scale { .. } => {
            Answer::Plan(Box::new(UpdatePlan {
                mode: UpdateMode::Minimal,
                groups: Vec::new(),
                steps: Vec::new(),
                scales: vec![ProgramScale { section: "program:a".to_owned(), numprocs: 2, configured: 1 }],
            }))
        }
        _ => Answer::Done,
    }))
}

/// A program of which everything is known.
fn full_row() -> Row {
    let kills = Some(MemoryKills { since: 1, in_cgroup: Some(2), on_machine: Some(3) });
    let end = LastEnd {
        at: 1,
        status: ExitStatus::Code(3),
        judgement: EndJudgement::Unexpected,
        stop_decision: None,
        lived: Duration::from_secs(1),
        traces: EndTraces { output: "bad\n".into(), kills },
    };
    let awaited = AwaitedDependency {
        group: "db".into(),
        process: Some("db".into()),
        condition: DependencyCondition::Ready,
        hindrance: Some(Hindrance { name: "db".to_owned(), cause: HindranceCause::Is(ProcessState::Fatal) }),
    };
    let last = Some(HealthResult { at: 9, failure: Some("no answer".to_owned()) });
    Row {
        last_end: Some(Arc::new(end)),
        last_request: Some(Arc::new(LastRequest { action: RequestedAction::Signal(1), by: "me".to_owned(), at: 5 })),
        service_status: Some(ServiceStatus { text: "busy".to_owned(), is_reloading: true, is_stopping: false }),
        health: Some(Box::new(RowHealth { status: HealthStatus::Unhealthy, failures: 3, last })),
        awaited: vec![awaited],
        ..row("a", "a")
    }
}

fn plane(rote: Rote) -> Plane {
    let plane = Setup { rote, reads_config: true, ..Setup::default() }.start();
    std::fs::write(plane.path("a.out"), "text").expect("written");
    std::fs::write(plane.path("main.log"), "text").expect("written");
    plane.publish("db", "db", ProcessState::Fatal);
    plane.view.publish_row(Row { stdout_logfile: Some(plane.path("a.out").into()), ..full_row() });
    plane
}

fn document(plane: &Plane) -> Value {
    let response = plane.get(DOCUMENT);
    assert_eq!(response.status, 200, "{}", response.body);
    serde_json::from_str(&response.body).expect("JSON")
}

/// Checks a value against a schema, as far as the document uses schemas: every member that is sent is declared, and every
/// member that is declared as always there is sent. Notes what was sent of which schema.
struct Checker<'a> {
    document: &'a Value,
    sent: BTreeSet<String>,
}

impl Checker<'_> {
    fn check(&mut self, value: &Value, schema: &Value, place: &str) -> Result<(), String> {
        if let Some(path) = schema["$ref"].as_str() {
            let name = path.strip_prefix("#/components/schemas/").ok_or(format!("{place}: {path}"))?;
            return self.check(value, &self.document["components"]["schemas"][name], name);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let fits = choices.iter().any(|choice| self.check(value, choice, place).is_ok());
            return fits.then_some(()).ok_or(format!("{place}: {value} is none of {schema}"));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return Err(format!("{place}: no type in {schema}")),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !(kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number")) {
            return Err(format!("{place}: {value} is not {kinds:?}"));
        }
        for item in value.as_array().into_iter().flatten() {
            self.check(item, &schema["items"], &format!("{place}[]"))?;
        }
        let Value::Object(members) = value else { return Ok(()) };
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(required) {
                return Err(format!("{place}: {required} is missing in {value}"));
            }
        }
        for (name, member) in members {
            let declared = schema["properties"].get(name).ok_or(format!("{place}: {name} is not declared"))?;
            self.sent.insert(format!("{place}.{name}"));
            self.check(member, declared, &format!("{place}.{name}"))?;
        }
        Ok(())
    }
}

#[test]
fn every_route_sends_what_the_document_says() {
    let plane = plane(answers);
    let document = document(&plane);
    assert_eq!(document["openapi"], "3.1.0");
    let mut checker = Checker { document: &document, sent: BTreeSet::new() };
    let mut documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(|(method, _)| (method.clone(), path.clone()))
        })
        .collect();
    for (method, pattern, _) in api_v1::routes() {
        let verb = method.as_str().to_ascii_lowercase();
        assert!(documented.remove(&(verb.clone(), pattern.to_owned())), "{method} {pattern} is not documented");
        if *method == Method::GET {
            assert!(documented.remove(&("head".to_owned(), pattern.to_owned())), "HEAD {pattern}");
        }
        let operation = &document["paths"][pattern][&verb];
        let content = &operation["responses"]["200"]["content"];
        let path = pattern
            .replace("{group}", "a")
            .replace("{name}", "a")
            .replace("{stream}", "stdout")
            .replace("{file}", "a.out");
        let body = BODIES.iter().find(|(other, _)| *other == pattern).map_or("", |(_, body)| body);
        let mut client = plane.unix();
        let length = if *method == Method::GET { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        client.send(&format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{length}\r\n{body}"
        ));
        let head = client.head();
        assert_eq!(head.status, 200, "{method} {pattern}: {}", head.head);
        let media = head.header("Content-Type").unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        assert!(content.get(&media).is_some(), "{method} {pattern} sends {media}: {content}");
        if media == "application/json" && path != "/openapi.json" {
            let length: usize = head.header("Content-Length").and_then(|length| length.parse().ok()).expect("a length");
            while client.received.len() < length {
                assert!(client.receive(), "the body ends early");
            }
            let sent: Value = serde_json::from_slice(&client.received).expect("JSON");
            checker.check(&sent, &content[&media]["schema"], pattern).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    assert!(documented.is_empty(), "these do not exist: {documented:?}");
    // What is declared is sent, too.
    for schema in
        ["Program", "LastEnd", "LastRequest", "MemoryKills", "ProgramHealth", "Awaited", "Daemon", "Group", "Service"]
    {
        let properties = &document["components"]["schemas"][schema]["properties"];
        for member in properties.as_object().unwrap_or_else(|| panic!("{schema}")).keys() {
            assert!(checker.sent.contains(&format!("{schema}.{member}")), "{schema}.{member} is never sent");
        }
    }
}

#[test]
fn every_problem_is_one_that_the_document_has() {
    let refuses: Rote = |_| Some(Err(Refusal::with(Reason::StillRunning, "a")));
    let plane = plane(refuses);
    let document = document(&plane);
    let mut checker = Checker { document: &document, sent: BTreeSet::new() };
    let json = "Content-Type: application/json\r\n";
    let foreign = "Sec-Fetch-Site: cross-site\r\n";
    for (method, pattern, path, headers, body) in [
        ("post", "/programs/{group}/{name}/start", "/programs/a/b/start", json, ""),
        ("post", "/programs/{group}/{name}/start", "/programs/a/a/start", json, "{\"x\":1}"),
        ("post", "/programs/{group}/{name}/start", "/programs/a/a/start", json, ""),
        ("post", "/programs/{group}/{name}/start", "/programs/a/a/start", "", "{}"),
        ("post", "/programs/{group}/{name}/start", "/programs/a/a/start", foreign, ""),
        ("post", "/programs/actions", "/programs/actions", json, "{\"action\":\"stop\",\"select\":[\"none\"]}"),
        ("post", "/groups/{group}", "/groups/a", json, ""),
        ("delete", "/groups/{group}", "/groups/a", "", ""),
        ("post", "/config/update", "/config/update", json, "{\"groups\":[1]}"),
        ("post", "/config/reread", "/config/reread", json, "[]"),
        ("post", "/programs/{group}/{name}/signal", "/programs/a/a/signal", json, "{}"),
        ("post", "/programs/actions", "/programs/actions", json, "{\"action\":\"stop\",\"select\":[]}"),
        ("get", "/programs", "/programs?select=none", "", ""),
        ("get", "/programs", "/programs?select=state%3Dx", "", ""),
        ("get", "/events", "/events?usage=x", "", ""),
        ("get", "/daemon/log", "/daemon/log?follow=null", "", ""),
        ("get", "/programs/{group}/{name}/logs/{stream}", "/programs/a/a/logs/stderr", "", ""),
        ("get", "/programs/{group}/{name}/logs/{stream}", "/programs/a/a/logs/stdout?offset=x", "", ""),
        ("get", "/programs/{group}/{name}/why", "/programs/a/b/why", "", ""),
    ] {
        let (verb, length) = (method.to_ascii_uppercase(), body.len());
        let response = plane.ask(&format!(
            "{verb} /api/v1{path} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
        assert!(response.status >= 400, "{method} {path}: {}", response.body);
        let described = &document["paths"][pattern][method]["responses"][response.status.to_string()];
        let schema = &described["content"]["application/problem+json"]["schema"];
        assert!(schema.is_object(), "{method} {pattern} has no {}: {}", response.status, response.body);
        let sent: Value = serde_json::from_str(&response.body).expect("JSON");
        checker.check(&sent, schema, path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn members_that_are_not_known_are_refused_as_the_document_says() {
    let document = document(&plane(answers));
    let schemas = &document["components"]["schemas"];
    for name in [
        "ActionOptions",
        "BulkAction",
        "NoOptions",
        "PlanOptions",
        "RemoteEvent",
        "SignalOptions",
        "StandardInput",
        "UpdateOptions",
    ] {
        assert_eq!(schemas[name]["additionalProperties"], json!(false), "{name}");
    }
    assert_eq!(schemas["BulkAction"]["required"], json!(["action", "select"]));
    assert_eq!(schemas["BulkAction"]["properties"]["select"]["minItems"], 1);
    assert_eq!(schemas["SignalOptions"]["required"], json!(["signal"]));
}
