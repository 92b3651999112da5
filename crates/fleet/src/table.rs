//! Answers of hosts as text, without input and output.

use std::fmt::Write as _;

use serde_json::{Value, json};
use supervisord_wire::name::namespec;
use supervisord_wire::terminal_text::{escaped, escaped_in_line};

use crate::fleet_error::exit_status;
use crate::gathering::{Gathering, HostReply};
use crate::host_name::HostName;
use crate::report::ProgramReport;
use crate::request::{FleetAnswer, FleetRefusal};

/// What is printed, and the exit status.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FleetText {
    /// The lines.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

/// Why a host has no result, in words; none where it has one.
pub fn failure(reply: &HostReply) -> Option<String> {
    match reply {
        HostReply::Silent => Some("no answer".to_owned()),
        HostReply::NotConnected(_) => Some("not connected".to_owned()),
        HostReply::Accepted => Some("still being done: no result yet".to_owned()),
        HostReply::Answered(FleetAnswer::Refused { detail, .. }) => Some(escaped_in_line(detail).into_owned()),
        HostReply::Answered(_) => None,
    }
}

/// The result of a host.
fn result(reply: &HostReply) -> Option<&Value> {
    match reply {
        HostReply::Answered(FleetAnswer::Done { result }) => Some(result),
        _ => None,
    }
}

/// What a host has listed.
fn listed(reply: &HostReply) -> &[Value] {
    result(reply).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The row of a host that has no result of a command.
fn failed_row(gathering: &Gathering, host: &HostName, reply: &HostReply) -> Option<[String; 4]> {
    let text = match reply {
        HostReply::Silent if gathering.is_cut_short() => "no answer: it may still be done".to_owned(),
        // Its deadline has passed.
        HostReply::Silent => "no answer: it may have been done, and does not begin later".to_owned(),
        reply => failure(reply)?,
    };
    Some([host.to_string(), String::new(), format!("ERROR ({text})"), String::new()])
}

/// Whether a host says that it has no such program, which is no failure where others have it.
pub fn has_no_such_program(reply: &HostReply) -> bool {
    matches!(reply, HostReply::Answered(FleetAnswer::Refused { reason: FleetRefusal::UnknownProgram, .. }))
}

/// The hosts whose answers count: where some have the program, those that have not are left out.
fn concerned(gathering: &Gathering) -> Vec<(&HostName, &HostReply)> {
    let is_known = gathering.replies().values().any(|reply| result(reply).is_some());
    gathering.replies().iter().filter(|(_, reply)| !is_known || !has_no_such_program(reply)).collect()
}

/// The programs of the answer of a host.
pub fn programs(reply: &HostReply) -> Vec<ProgramReport> {
    result(reply).map(ProgramReport::list_sent).unwrap_or_default()
}

/// What every verb prints for machines: an object for each host.
pub fn as_json(gathering: &Gathering, member: &str) -> Value {
    let host = |(host, reply): (&HostName, &HostReply)| {
        let word = match reply {
            HostReply::Silent => "none",
            HostReply::NotConnected(_) => "not_connected",
            HostReply::Accepted => "accepted",
            HostReply::Answered(FleetAnswer::Refused { .. }) => "refused",
            HostReply::Answered(_) => "done",
        };
        let reason = match reply {
            HostReply::Answered(FleetAnswer::Refused { reason, .. }) => json!(reason),
            _ => Value::Null,
        };
        json!({ "host": host, "answer": word, "reason": reason, "detail": failure(reply), member: result(reply) })
    };
    json!({ "hosts": gathering.replies().iter().map(host).collect::<Vec<_>>() })
}

/// `status`: host, name, state, description.
pub fn status(gathering: &Gathering) -> FleetText {
    let mut rows = Vec::new();
    let mut status = exit_status::SUCCESS;
    for (host, reply) in concerned(gathering) {
        match failure(reply) {
            Some(text) => {
                status = exit_status::STATUS_UNKNOWN;
                rows.push([host.to_string(), String::new(), text, String::new()]);
            }
            None => {
                for program in programs(reply) {
                    if !program.is_running() && status == exit_status::SUCCESS {
                        status = exit_status::STATUS_NOT_RUNNING;
                    }
                    let name = escaped_in_line(&program.namespec()).into_owned();
                    rows.push([
                        host.to_string(),
                        name,
                        program.state.clone(),
                        escaped_in_line(&program.description).into_owned(),
                    ]);
                }
            }
        }
    }
    FleetText { text: table(&rows), status }
}

/// `start`, `stop` and `restart`: a line for each program, as `supervisorctl` writes it.
pub fn actions(gathering: &Gathering, done: &str) -> FleetText {
    let mut told = FleetText::default();
    let mut rows = Vec::new();
    for (host, reply) in concerned(gathering) {
        if let Some(row) = failed_row(gathering, host, reply) {
            told.status = exit_status::GENERIC;
            rows.push(row);
            continue;
        }
        for program in listed(reply) {
            let text = |member: &str| program.get(member).and_then(Value::as_str).unwrap_or_default();
            let detail = escaped_in_line(text("detail"));
            let is_ok = program.get("ok").and_then(Value::as_bool).unwrap_or(false);
            let outcome = match (is_ok, detail.is_empty()) {
                (true, true) => done.to_owned(),
                (true, false) => format!("{done} ({detail})"),
                (false, _) => format!("ERROR ({detail})"),
            };
            if !is_ok {
                told.status = exit_status::GENERIC;
            }
            let name = namespec(text("group"), text("name"));
            rows.push([host.to_string(), format!("{}:", escaped_in_line(&name)), outcome, String::new()]);
        }
    }
    told.text = table(&rows);
    told
}

/// `scale`: a line for each process that has come or gone.
pub fn scaled(gathering: &Gathering) -> FleetText {
    let mut told = FleetText::default();
    let mut rows = Vec::new();
    for (host, reply) in concerned(gathering) {
        if let Some(row) = failed_row(gathering, host, reply) {
            told.status = exit_status::GENERIC;
            rows.push(row);
            continue;
        }
        let steps = listed(reply);
        for step in steps {
            let text = |member: &str| step.get(member).and_then(Value::as_str).unwrap_or_default();
            let outcome = if text("action") == "remove" { "removed" } else { "added" };
            let name = namespec(text("group"), text("name"));
            rows.push([host.to_string(), format!("{}:", escaped_in_line(&name)), outcome.to_owned(), String::new()]);
        }
        if steps.is_empty() {
            rows.push([host.to_string(), String::new(), "has so many already".to_owned(), String::new()]);
        }
    }
    told.text = table(&rows);
    told
}

/// `why`: the explanations, the host before each line.
pub fn why(gathering: &Gathering) -> FleetText {
    let mut told = FleetText::default();
    for (host, reply) in concerned(gathering) {
        if let Some(text) = failure(reply) {
            told.status = exit_status::GENERIC;
            let _ = writeln!(told.text, "{host}  ERROR ({text})");
        }
        for program in listed(reply) {
            let lines = program.get("explanation").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for line in lines.iter().filter_map(Value::as_str).flat_map(str::lines) {
                let _ = writeln!(told.text, "{host}  {}", escaped(line));
            }
        }
    }
    told
}

/// The matter with each program that should be up, and with each host.
pub fn problems(gathering: &Gathering) -> Vec<(HostName, String)> {
    let mut problems = Vec::new();
    for (host, reply) in concerned(gathering) {
        problems.extend(failure(reply).map(|text| (host.clone(), text)));
        for program in programs(reply) {
            if let Some(problem) = program.problem() {
                let text = format!("{}: {}", escaped_in_line(&program.namespec()), escaped_in_line(&problem));
                problems.push((host.clone(), text));
            }
        }
    }
    problems
}

/// `health`: what is not well.
pub fn health(gathering: &Gathering) -> FleetText {
    let problems = problems(gathering);
    if problems.is_empty() {
        let hosts = gathering.replies().len();
        let hosts = format!("{hosts} {}", if hosts == 1 { "host" } else { "hosts" });
        return FleetText { text: format!("healthy: {hosts}\n"), status: exit_status::SUCCESS };
    }
    let text = problems.iter().map(|(host, problem)| format!("{host}  {problem}\n")).collect();
    FleetText { text, status: exit_status::GENERIC }
}

/// Rows with columns as wide as their longest cells.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    // What a host without programs has to say needs no room in the columns of the others.
    let state = rows.iter().filter(|row| !row[3].is_empty()).map(|row| row[2].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), state];
    let mut text = String::new();
    for [host, name, state, rest] in rows {
        let [host_width, name_width, state_width] = widths;
        let line = format!("{host:host_width$}  {name:name_width$}  {state:state_width$}  {rest}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathering(answers: &[(&str, FleetAnswer)]) -> Gathering {
        let hosts = answers.iter().map(|(host, _)| HostName::parse(host).unwrap());
        let mut gathering = Gathering::of(hosts.chain([HostName::parse("web3").unwrap()]));
        for (host, answer) in answers {
            gathering.take(&HostName::parse(host).unwrap(), answer.clone());
        }
        gathering
    }

    fn done(result: Value) -> FleetAnswer {
        FleetAnswer::Done { result }
    }

    #[test]
    fn status_has_a_column_for_the_host() {
        let program = |name: &str, state: &str| json!({"group": "web", "name": name, "state": state, "description": "pid 7\u{1b}"});
        let told = status(&gathering(&[
            ("web1.example.com", done(json!([program("a", "RUNNING"), program("b", "FATAL")]))),
            ("db1", FleetAnswer::refused(FleetRefusal::UnknownProgram, "no program is named web")),
        ]));
        let expected = "web1.example.com  web:a  RUNNING  pid 7\\x1b\n\
                        web1.example.com  web:b  FATAL    pid 7\\x1b\n\
                        web3                     no answer\n";
        assert_eq!((told.text.as_str(), told.status), (expected, exit_status::STATUS_UNKNOWN));
    }

    /// Whatever a host says stands in lines that begin with its own name.
    #[test]
    fn a_host_cannot_say_anything_for_another() {
        let forged = "x\nweb3  web:a  RUNNING\u{1b}[2J\u{202e}";
        let program = json!([{
            "group": forged, "name": forged, "state": forged, "description": forged, "health": "unhealthy", "reason": forged,
            "is_wanted": true, "ok": false, "detail": forged, "action": forged, "explanation": [forged],
        }]);
        for answer in [done(program), FleetAnswer::refused(FleetRefusal::Daemon, forged)] {
            let mut gathering = Gathering::of([HostName::parse("evil").unwrap()]);
            gathering.take(&HostName::parse("evil").unwrap(), answer);
            let verbs = [status, why, health, scaled, |gathering: &Gathering| actions(gathering, "restarted")];
            for text in verbs.map(|verb: fn(&Gathering) -> FleetText| verb(&gathering).text) {
                assert!(!text.is_empty() && text.lines().all(|line| line.starts_with("evil  ")), "{text}");
                assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
            }
        }
    }

    #[test]
    fn a_program_that_no_host_has_is_an_error() {
        let refused = FleetAnswer::refused(FleetRefusal::UnknownProgram, "no program is named x");
        let told = actions(&gathering(&[("web1", refused.clone()), ("web3", refused)]), "stopped");
        assert_eq!(told.text.matches("ERROR (no program is named x)").count(), 2);
        assert_eq!(told.status, exit_status::GENERIC);
    }

    #[test]
    fn actions_are_told_program_by_program() {
        let result = json!([
            {"group": "web", "name": "a", "ok": true, "detail": null},
            {"group": "db", "name": "db", "ok": true, "detail": "already started"},
            {"group": "x", "name": "x", "ok": false, "detail": "spawn error"},
        ]);
        let told = actions(&gathering(&[("web3", done(result))]), "started");
        let expected =
            "web3  web:a:  started\nweb3  db:     started (already started)\nweb3  x:      ERROR (spawn error)\n";
        assert_eq!((told.text.as_str(), told.status), (expected, exit_status::GENERIC));
    }

    #[test]
    fn who_is_silent_may_begin_until_the_time_is_over() {
        let mut gathering = gathering(&[]);
        let told = |gathering: &Gathering| [actions(gathering, "stopped").text, scaled(gathering).text];
        for text in told(&gathering) {
            assert_eq!(text, "web3    ERROR (no answer: it may have been done, and does not begin later)\n");
        }
        gathering.cut_short();
        for text in told(&gathering) {
            assert_eq!(text, "web3    ERROR (no answer: it may still be done)\n");
        }
    }

    #[test]
    fn a_scale_tells_what_came_and_went_on_each_host() {
        let step = |name: &str, action: &str| json!({"group": "web", "name": name, "action": action});
        let told = scaled(&gathering(&[
            ("a", done(json!([step("web_1", "remove"), step("web_2", "add")]))),
            ("b", done(json!([]))),
            ("c", FleetAnswer::refused(FleetRefusal::Daemon, "raise minfds")),
            ("web3", FleetAnswer::refused(FleetRefusal::UnknownProgram, "nothing is named web")),
        ]));
        let expected = "a  web:web_1:  removed\na  web:web_2:  added\nb              has so many already\n\
                        c              ERROR (raise minfds)\n";
        assert_eq!((told.text.as_str(), told.status), (expected, exit_status::GENERIC));
    }

    #[test]
    fn health_names_what_is_not_well() {
        let sick = json!([{"group": "a", "name": "a", "state": "FATAL", "is_wanted": true, "reason": "exit status 3"}]);
        let told = health(&gathering(&[("web3", done(sick))]));
        assert_eq!((told.text.as_str(), told.status), ("web3  a: FATAL: exit status 3\n", exit_status::GENERIC));
        let told = health(&gathering(&[("web3", done(json!([])))]));
        assert_eq!((told.text.as_str(), told.status), ("healthy: 1 host\n", exit_status::SUCCESS));
    }
}
