//! The JSON API.

use serde_json::{Value, json};
use supervisord_config::dependency::DependencyCondition;
use supervisord_core::dependencies::{AwaitedDependency, Hindrance, HindranceCause};

use super::*;
use crate::clock::present;
use supervisord_core::call::{Reason, Refusal, Status};
use supervisord_core::event::ProcessName;
use supervisord_core::health::{HealthResult, HealthStatus};
use supervisord_core::row::RowHealth;

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{error}: {}", response.body))
}

fn problem(response: &Response) -> Value {
    assert_eq!(response.header("Content-Type"), Some("application/problem+json"), "{}", response.head);
    let problem = body(response);
    assert_eq!(problem["status"], response.status);
    problem
}

#[test]
fn programs_are_listed() {
    let plane = Plane::start();
    plane.publish("grp", "b", ProcessState::Fatal);
    plane.view.publish_row(Row { pid: 0, ..row("a", "a") });
    let response = plane.get("/api/v1/programs");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.header("Cache-Control"), Some("no-store"));
    let fatal = json!({
        "group": "grp",
        "name": "b",
        "tags": [],
        "state": "FATAL",
        "since": 100,
        "wanted": "up",
        "description": "can't <find> & \"run\"",
        "outlook": "out_of_attempts",
        "reason": "could not be started: can't <find> & \"run\"",
        "pid": 42,
        "started_at": 999_000,
        "stopped_at": null,
        "exit_status": null,
        "spawn_error": "can't <find> & \"run\"",
        "last_end": null,
        "disabled": null, "last_request": null,
        "restarts": 0,
        "readiness": null, "service": null, "next_start": null, "runs_until": null,
        "stdout_logfile": plane.path("b.out"),
        "stderr_logfile": null,
        "dependencies": [],
        "waiting_for": [],
        "health": null,
        "commands": [],
        "lost_bytes": null,
            "lost_lines": null,
        "stop": null,
    });
    let listed = body(&response);
    assert_eq!(listed["programs"][1], fatal);
    assert_eq!(listed["programs"][0]["pid"], Value::Null);
    assert_eq!(body(&plane.get("/api/v1/programs/grp/b")), fatal);
}

#[test]
fn a_program_that_waits_says_when_it_is_started() {
    let plane = Plane::start();
    let next_start = Some(present().mono + Duration::from_secs(60));
    plane.view.publish_row(Row {
        phase: ProcessPhase::WaitingToRestart,
        pid: 0,
        restarts: 3,
        next_start,
        ..row("a", "a")
    });
    let program = body(&plane.get("/api/v1/programs/a/a"));
    let seconds = program["next_start"].as_i64().unwrap() - present().epoch();
    assert!((58..=61).contains(&seconds), "{program}");
    assert_eq!(program["restarts"], 3);
}

#[test]
fn a_program_is_explained_with_what_it_waits_for() {
    let plane = Plane::start();
    plane.publish("db", "db", ProcessState::Fatal);
    let hindrance = Hindrance { name: "db".to_owned(), cause: HindranceCause::Is(ProcessState::Fatal) };
    let awaited = AwaitedDependency {
        group: "db".into(),
        process: Some("db".into()),
        condition: DependencyCondition::Ready,
        hindrance: Some(hindrance),
    };
    plane.view.publish_row(Row {
        phase: ProcessPhase::AwaitingDependencies,
        pid: 0,
        awaited: vec![awaited],
        ..row("web", "web")
    });
    let why = body(&plane.get("/api/v1/programs/web/web/why"));
    assert_eq!(why["outlook"], "waits_in_vain");
    assert_eq!(why["waiting_for"][0]["hindrance"], "db is FATAL");
    assert_eq!(why["waiting_for"][0]["because"][0]["outlook"], "out_of_attempts");
    let lines: Vec<&str> = why["explanation"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(lines[0].starts_with("web is STARTING since "), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("    db is FATAL since ")), "{lines:?}");
    assert_eq!(problem(&plane.get("/api/v1/programs/web/other/why"))["status"], 404);
}

#[test]
fn changes_are_told_once_for_all_that_come_together() {
    let plane = Plane::start();
    let mut client = plane.tcp();
    client.send("GET /api/v1/changes HTTP/1.1\r\nHost: h\r\n\r\n");
    let changed = "event: changed\ndata: {}\n\n";
    client.until(changed);
    plane.publish("db", "db", ProcessState::Fatal);
    client.until(changed);
}

#[test]
fn the_health_of_a_program_has_its_last_result() {
    let plane = Plane::start();
    let publish = |status, failures, failure: Option<&str>| {
        let last = Some(HealthResult { at: 9, failure: failure.map(str::to_owned) });
        let health = Some(Box::new(RowHealth { status, failures, last }));
        plane.view.publish_row(Row { health, ..row("a", "a") });
        body(&plane.get("/api/v1/programs/a/a"))["health"].clone()
    };
    assert_eq!(
        publish(HealthStatus::Unhealthy, 3, Some("HTTP status 503")),
        json!({"status": "unhealthy", "failures": 3, "last_check_at": 9, "last_result": "HTTP status 503"})
    );
    assert_eq!(
        publish(HealthStatus::Healthy, 0, None),
        json!({"status": "healthy", "failures": 0, "last_check_at": 9, "last_result": "ok"})
    );
}

/// Another thread encodes it.
#[test]
fn a_long_list_is_complete() {
    let plane = Plane::start();
    let names: Vec<String> = (0..400).map(|number| format!("p{number:03}")).collect();
    names.iter().for_each(|name| plane.publish("grp", name, ProcessState::Running));
    let listed = body(&plane.get("/api/v1/programs"));
    let listed: Vec<&str> =
        listed["programs"].as_array().into_iter().flatten().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(listed, names);
}

#[test]
fn a_refusal_for_dns_rebinding_says_what_to_do() {
    let plane = Plane::start();
    let mut client = plane.tcp();
    client.send(&format!(
        "GET /api/v1/programs HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\nUser-Agent: Mozilla/5.0\r\n\r\n",
        plane.inet.port()
    ));
    let problem = problem(&client.response());
    assert_eq!(problem["status"], 403);
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("set username and password in its section"), "{detail}");
}

#[test]
fn names_are_decoded_segment_by_segment() {
    let plane = Plane::start();
    plane.publish("g/h", "n%m", ProcessState::Running);
    assert_eq!(body(&plane.get("/api/v1/programs/g%2Fh/n%25m"))["name"], "n%m");
    assert_eq!(plane.get("/api/v1/programs/g/h/n%25m").status, 404);
}

#[test]
fn the_daemon_describes_itself() {
    let daemon = body(&Plane::start().get("/api/v1/daemon"));
    let expected = json!({
        "identifier": "supervisor",
        "version": env!("CARGO_PKG_VERSION"),
        "supervisor_version": "4.3.0",
        "rpc_version": "3.0",
        "state": "RUNNING",
        "pid": std::process::id(),
        "update": "groups",
        "you": { "user": null, "role": "admin", "all_programs": true },
    });
    assert_eq!(daemon, expected);
}

#[test]
fn what_does_not_exist_is_a_problem() {
    let plane = Plane::start();
    let missing = plane.get("/api/v1/programs/grp/nobody");
    assert_eq!(missing.status, 404);
    let expected = json!({ "title": "Not Found", "status": 404, "detail": "no program is named grp:nobody" });
    assert_eq!(problem(&missing), expected);
    for path in ["/api/v1", "/api/v1/", "/api/v1/programs/", "/api/v1/programs/grp", "/api/v1/nothing"] {
        let response = plane.get(path);
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(problem(&response)["title"], "Not Found");
    }
    // These are paths of the original.
    for path in ["/api", "/api/v10", "/api/v1x/programs", "//api/v1/daemon"] {
        let response = plane.get(path);
        assert_eq!((response.status, response.header("Content-Type")), (404, Some("text/html")), "{path}");
    }
}

#[test]
fn other_methods_are_told_what_is_allowed() {
    let plane = Plane::start();
    let refused = plane.post("/api/v1/daemon", "", "{}");
    assert_eq!((refused.status, refused.header("Allow")), (405, Some("GET, HEAD, OPTIONS")));
    assert_eq!(problem(&refused)["title"], "Method Not Allowed");
    let options = plane.ask("OPTIONS /api/v1/daemon HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((options.status, options.header("Allow")), (204, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn a_head_is_that_of_the_resource() {
    let plane = Plane::start();
    let length = plane.get("/api/v1/daemon").body.len().to_string();
    let mut client = plane.unix();
    client.send("HEAD /api/v1/daemon HTTP/1.1\r\nHost: h\r\n\r\nGET /ok.html HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some(&*length)));
    assert_eq!(client.response().body, "OK");
}

#[test]
fn the_api_needs_the_password_of_its_server() {
    let credentials = Some(RequiredCredentials { username: "user".into(), password: "pass".into() });
    let plane = Setup { credentials, ..Setup::default() }.start();
    let refused = plane.get("/api/v1/programs");
    assert_eq!((refused.status, refused.header("Connection")), (401, Some("close")));
    assert_eq!(refused.header("WWW-Authenticate"), Some("Basic realm=\"default\""));
    assert_eq!(problem(&refused)["title"], "Unauthorized");
    let admitted = plane.ask("GET /api/v1/programs HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\r\n");
    assert_eq!((admitted.status, &*admitted.body), (200, "{\"programs\":[]}"));
}

/// A daemon whose control plane hangs shows what it knows.
#[test]
fn reading_asks_nothing_of_control() {
    let plane = Setup { rote: |_| None, ..Setup::default() }.start();
    plane.publish("grp", "cat", ProcessState::Running);
    std::fs::write(plane.path("cat.out"), "text").expect("written");
    for path in [
        "/",
        "/tail.html?processname=grp:cat",
        "/ok.html",
        "/api/v1/programs",
        "/api/v1/programs/grp/cat",
        "/api/v1/daemon",
    ] {
        assert_eq!(plane.get(path).status, 200, "{path}");
    }
    for method in
        ["getState", "getPID", "getAllProcessInfo", "getAllConfigInfo", "getConfigWarnings", "getIdentification"]
    {
        let call = format!("<methodCall><methodName>supervisor.{method}</methodName></methodCall>");
        assert_eq!(plane.post("/RPC2", "", &call).status, 200, "{method}");
    }
    assert!(plane.calls.try_recv().is_err(), "control was asked");
}

fn done(plane: &Plane, path: &str, body: &str) -> Response {
    plane.post(path, "Content-Type: application/json\r\n", body)
}

#[test]
fn an_action_is_answered_with_the_program() {
    let plane = Plane::start();
    plane.publish("web", "a b", ProcessState::Running);
    for (path, options, call) in [
        (
            "start",
            "",
            "ActOn { action: Start, processes: [ProcessName { group: \"web\", process: \"a b\" }], wait: true }",
        ),
        (
            "stop",
            "{\"wait\":false}",
            "action: Stop, processes: [ProcessName { group: \"web\", process: \"a b\" }], wait: false",
        ),
        ("restart", "{}", "action: Restart,"),
        ("signal", "{\"signal\":\"hup\"}", "action: Signal(1),"),
        ("clear-logs", "{}", "action: ClearLogs(None),"),
        ("reload", "{}", "action: Reload,"),
    ] {
        let answer = done(&plane, &format!("/api/v1/programs/web/a%20b/{path}"), options);
        assert_eq!((answer.status, &body(&answer)["name"]), (200, &json!("a b")), "{path}");
        let asked = plane.asked();
        assert!(asked.contains(call), "{asked}");
    }
}

#[test]
fn a_refused_action_says_why_and_which_kind_of_refusal_it_is() {
    let refuses = |call: &Call| match call {
        Call::ActOn { processes, .. } => {
            let status = |name: &ProcessName| Status {
                group: name.group.clone(),
                process: name.process.to_string(),
                result: Err(Refusal::with(Reason::SpawnError, "web:a")),
            };
            Some(Ok(Answer::Statuses(processes.iter().map(status).collect())))
        }
        _ => None,
    };
    let plane = Setup { rote: refuses, ..Setup::default() }.start();
    plane.publish("web", "a", ProcessState::Fatal);
    let expected = json!({
        "type": "urn:supervisord:spawn-error",
        "title": "The program could not be started",
        "status": 409,
        "detail": "web:a could not be started: could not be started: can't <find> & \"run\"",
    });
    assert_eq!(problem(&done(&plane, "/api/v1/programs/web/a/start", "")), expected);
    let many = done(&plane, "/api/v1/programs/actions", "{\"action\":\"start\",\"select\":[\"web:*\"]}");
    let result = json!({ "group": "web", "name": "a", "ok": false, "detail": expected["detail"] });
    assert_eq!((many.status, body(&many)), (200, json!({ "results": [result] })));
}

#[test]
fn what_is_so_already_is_no_failure_of_an_action_on_several() {
    let refuses = |call: &Call| match call {
        Call::ActOn { processes, .. } => {
            let status = |name: &ProcessName| Status {
                group: name.group.clone(),
                process: name.process.to_string(),
                result: Err(Refusal::with(Reason::NotRunning, "web:a")),
            };
            Some(Ok(Answer::Statuses(processes.iter().map(status).collect())))
        }
        _ => None,
    };
    let plane = Setup { rote: refuses, ..Setup::default() }.start();
    plane.publish("web", "a", ProcessState::Stopped);
    for (action, ok) in [("stop", true), ("start", false), ("signal\",\"signal\":\"TERM", false)] {
        let answer = done(
            &plane,
            "/api/v1/programs/actions",
            &format!("{{\"action\":\"{action}\",\"select\":[\"state=STOPPED\"]}}"),
        );
        let expected = json!({ "group": "web", "name": "a", "ok": ok, "detail": "web:a is not running" });
        assert_eq!(body(&answer)["results"], json!([expected]), "{action}");
    }
}

#[test]
fn a_request_that_cannot_be_understood_changes_nothing_and_says_what_to_write() {
    let plane = Plane::start();
    plane.publish("web", "a", ProcessState::Running);
    let bulk = "/api/v1/programs/actions";
    for (path, options, status, detail) in [
        ("/api/v1/programs/web/a/signal", "{}", 400, "signal is missing: write for example {\"signal\":\"HUP\"}"),
        ("/api/v1/programs/web/a/signal", "{\"signal\":\"NOPE\"}", 400, "no signal is named NOPE"),
        ("/api/v1/programs/web/a/stop", "{\"signal\":\"HUP\"}", 400, "unknown field `signal`, expected `wait`"),
        ("/api/v1/programs/web/a/stop", "{\"wiat\":true}", 400, "unknown field `wiat`, expected `wait`"),
        ("/api/v1/programs/web/a/stop", "{", 400, "the body: EOF while parsing"),
        ("/api/v1/programs/web/a/stop", "[]", 400, "the body must be a JSON object"),
        (
            bulk,
            "{\"action\":\"stop\",\"select\":[\"web:a\"],\"signal\":\"HUP\"}",
            400,
            "signal is for the action signal only",
        ),
        ("/api/v1/programs/web/b/stop", "", 404, "no program is named web:b"),
        (bulk, "", 400, "missing field `action`"),
        (bulk, "{\"action\":\"stop\",\"select\":[]}", 400, "select names no program"),
        (bulk, "{\"action\":\"stop\",\"select\":[\"web\"]}", 404, "no program is named web; did you mean web:*?"),
        (bulk, "{\"action\":\"stop\",\"select\":[\"state=X\"]}", 400, "no state is named 'X'"),
    ] {
        let problem = problem(&done(&plane, path, options));
        assert_eq!(problem["status"], status, "{path} {options}: {problem}");
        let said = problem["detail"].as_str().unwrap_or_default();
        assert!(said.contains(detail), "{path} {options}: {said}");
    }
    let other = plane.post("/api/v1/programs/web/a/stop", "Content-Type: text/plain\r\n", "{}");
    assert_eq!(problem(&other)["status"], 415);
    assert!(plane.calls.try_recv().is_err(), "control was asked");
}

/// A page of another site can make a browser send a POST, but none with JSON, and not without its origin.
#[test]
fn a_page_of_another_site_can_do_nothing() {
    let plane = Plane::start();
    plane.publish("web", "a", ProcessState::Running);
    let path = "/api/v1/programs/web/a/stop";
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: http://evil.example\r\nContent-Type: text/plain\r\n",
        "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Type: application/json\r\n",
        "Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n",
    ] {
        assert_eq!(problem(&plane.post(path, headers, ""))["status"], 403, "{headers}");
    }
    assert!(plane.calls.try_recv().is_err(), "control was asked");
    for headers in [
        "",
        "Origin: http://h\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        "Origin: http://proxy\r\nContent-Type: application/json\r\n",
    ] {
        assert_eq!(plane.post(path, headers, "").status, 200, "{headers}");
    }
}

#[test]
fn a_list_can_be_filtered() {
    let plane = Plane::start();
    plane.publish("web", "a", ProcessState::Running);
    plane.publish("web", "b", ProcessState::Fatal);
    plane.publish("cron", "cron", ProcessState::Running);
    let names = |query: &str| -> Vec<Value> {
        let listed = body(&plane.get(&format!("/api/v1/programs?{query}")));
        listed["programs"].as_array().into_iter().flatten().map(|program| program["name"].clone()).collect()
    };
    assert_eq!(names("select=web:*"), ["a", "b"]);
    assert_eq!(names("select=state%3DFATAL&select=cron"), ["cron", "b"]);
    assert_eq!(names("select=x*"), [""; 0]);
    assert_eq!(names("other=1"), ["cron", "a", "b"]);
    assert_eq!(plane.get("/api/v1/programs?select=nobody").status, 404);
}
