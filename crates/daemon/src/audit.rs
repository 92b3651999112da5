//! The audit log: a line of JSON for each request that changes something or is refused.

use std::sync::Arc;

use serde::Serialize;
use supervisord_core::actor::{Actor, Way};
use supervisord_core::call::{Answer, Refusal, Status};
use supervisord_core::row::LocalTime;
use supervisord_wire::name::namespec;

use crate::calls::CallFailure;
use crate::clock::{local_time, present};
use crate::refusal_fault::fault;

/// A handle on the audit log; clones write to the same log. Without a log it does nothing.
#[derive(Clone, Default)]
pub struct AuditTrail {
    sink: Option<Arc<dyn Fn(String) + Send + Sync>>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditResult<'a> {
    /// It was done.
    Done,
    /// It was done to some of the processes, and refused for others.
    Partly(&'a str),
    /// It was refused.
    Refused(&'a str),
}

/// One line.
#[derive(Serialize)]
struct AuditLine<'a> {
    /// RFC 3339, in the daemon's time zone.
    time: String,
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<&'a str>,
    way: &'static str,
    from: String,
    request: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl AuditTrail {
    /// Hands finished lines, line feeds included, to `sink`, which must not block.
    pub fn new(sink: impl Fn(String) + Send + Sync + 'static) -> AuditTrail {
        AuditTrail { sink: Some(Arc::new(sink)) }
    }

    /// Whether there is a log.
    pub fn is_kept(&self) -> bool {
        self.sink.is_some()
    }

    /// Writes what became of a request.
    pub fn record(&self, actor: &Actor, request: &str, result: AuditResult<'_>) {
        let Some(sink) = &self.sink else { return };
        let now = present();
        let (result, detail) = match result {
            AuditResult::Done => ("done", None),
            AuditResult::Partly(detail) => ("partly", Some(detail)),
            AuditResult::Refused(detail) => ("refused", Some(detail)),
        };
        let (way, from) = match actor.way {
            Way::Rpc(client) => ("xml-rpc", client.to_string()),
            Way::Page(client) => ("page", client.to_string()),
            Way::Json(client) => ("json", client.to_string()),
            Way::LogStream(client) => ("log-stream", client.to_string()),
            Way::PlugIn => ("plug-in", "the daemon".to_owned()),
            Way::ServiceManager => ("service-manager", "the daemon".to_owned()),
        };
        let time = timestamp(&local_time(now.epoch()), now.wall.subsec_millis());
        let (user, on_behalf_of) = (actor.name.as_deref(), actor.on_behalf_of.as_deref());
        let line = AuditLine { time, user, on_behalf_of, way, from, request, result, detail };
        // These are plain data, which JSON can always express.
        if let Ok(text) = serde_json::to_string(&line) {
            sink(text + "\n");
        }
    }

    /// Writes what became of a call.
    pub fn record_outcome(&self, actor: &Actor, request: &str, outcome: &Result<Answer, CallFailure>) {
        if !self.is_kept() {
            return;
        }
        match outcome {
            Err(CallFailure::Refused(refusal)) => {
                self.record(actor, request, AuditResult::Refused(&in_words(refusal)));
            }
            Err(CallFailure::Ended) => self.record(actor, request, AuditResult::Refused("the daemon has ended")),
            Ok(Answer::Statuses(statuses)) => {
                let failed = statuses.iter().filter_map(|Status { group, process, result }| {
                    Some(format!("{}: {}", namespec(group, process), in_words(result.as_ref().err()?)))
                });
                match failed.collect::<Vec<_>>().join("; ") {
                    failed if failed.is_empty() => self.record(actor, request, AuditResult::Done),
                    failed => self.record(actor, request, AuditResult::Partly(&failed)),
                }
            }
            Ok(Answer::Done | Answer::Difference(_) | Answer::Plan(_)) => {
                self.record(actor, request, AuditResult::Done)
            }
        }
    }
}

/// A refusal for people.
pub fn in_words(refusal: &Refusal) -> String {
    fault(refusal).text
}

fn timestamp(at: &LocalTime, millis: u32) -> String {
    let LocalTime { year, month, day, hour, minute, second, utc_offset, .. } = at;
    let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}");
    if *utc_offset == 0 {
        return time + "Z";
    }
    let (sign, offset) = (if *utc_offset < 0 { '-' } else { '+' }, utc_offset.abs() / 60);
    let (hours, minutes) = (offset / 60, offset % 60);
    format!("{time}{sign}{hours:02}:{minutes:02}")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::Value;
    use supervisord_core::actor::ClientPeer;
    use supervisord_core::call::Reason;

    use super::*;

    fn lines(outcomes: &[Result<Answer, CallFailure>]) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = written.clone();
        let trail = AuditTrail::new(move |line| kept.lock().expect("no panics").push(line));
        let way = Way::Rpc(ClientPeer::Unix { uid: Some(7), pid: Some(42) });
        let actor = Actor { name: Some("e\"ve\n".into()), way, ..Actor::plug_in() };
        outcomes.iter().for_each(|outcome| trail.record_outcome(&actor, "stop 'a\\n'", outcome));
        let written = written.lock().expect("no panics");
        assert!(written.iter().all(|line| line.ends_with('\n') && line.matches('\n').count() == 1));
        written.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn a_line_says_who_asked_for_what_and_how_it_went() {
        let status = |result| Status { group: "g".into(), process: "p".to_owned(), result };
        let refusal = Refusal::with(Reason::NotRunning, "g:p");
        let partly = Answer::Statuses(vec![status(Ok(())), status(Err(refusal.clone()))]);
        let told = lines(&[Ok(Answer::Done), Ok(partly), Err(refusal.into()), Ok(Answer::Statuses(Vec::new()))]);
        let results: Vec<_> = told.iter().map(|line| line["result"].as_str().expect("a result")).collect();
        assert_eq!(results, ["done", "partly", "refused", "done"]);
        assert_eq!((told[0]["user"].as_str(), told[0]["way"].as_str()), (Some("e\"ve\n"), Some("xml-rpc")));
        assert_eq!(told[0]["from"], "the unix socket, uid 7, pid 42");
        assert_eq!(told[1]["detail"], "g:p: NOT_RUNNING: g:p");
        assert_eq!(told[2]["detail"], "NOT_RUNNING: g:p");
        assert!(told[0].get("detail").is_none());
    }

    #[test]
    fn times_have_an_offset() {
        let at = |utc_offset| LocalTime {
            year: 2026,
            month: 1,
            day: 2,
            hour: 3,
            minute: 4,
            second: 5,
            weekday: 0,
            utc_offset,
        };
        assert_eq!(timestamp(&at(-12_600), 7), "2026-01-02T03:04:05.007-03:30");
        assert_eq!(timestamp(&at(0), 70), "2026-01-02T03:04:05.070Z");
        assert_eq!(timestamp(&at(3600), 70), "2026-01-02T03:04:05.070+01:00");
    }
}
