//! Logs of this host, for somebody else: no more than a host may send, and only as long as somebody asks for more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::answers::{answer, listed};
use super::context::AgentContext;
use crate::clock::steady_millis;
use crate::daemon_link::{DaemonFailure, encoded};
use crate::report::ProgramReport;
use crate::request::{FleetAnswer, LogChannel, LogPiece};
use crate::send_budget::SendBudget;
use crate::subjects::FleetRole;

/// How long a log is followed after somebody has last asked for it.
const LEASE: Duration = Duration::from_secs(15);
/// How many logs are followed at a time, by all together.
const MAX_FOLLOWED: usize = 64;
/// The most bytes of one log that there was before.
const MAX_TAIL: u32 = 64 << 10;

/// What is asked for.
pub(super) struct AskedLogs<'a> {
    pub(super) select: &'a [String],
    pub(super) channel: LogChannel,
    pub(super) tail: u32,
    pub(super) follow: bool,
}

/// Who follows logs, by the ids of their requests.
#[derive(Default)]
pub(super) struct Followers {
    leases: Mutex<BTreeMap<String, Lease>>,
    budget: Mutex<Option<SendBudget>>,
}

struct Lease {
    until: Instant,
    logs: usize,
}

impl Followers {
    /// Another request with the same id: the logs are followed for longer.
    fn renew(&self, id: &str) -> bool {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        leases.retain(|_, lease| lease.until > now);
        leases.get_mut(id).map(|lease| lease.until = now + LEASE).is_some()
    }

    fn add(&self, id: &str, logs: usize) -> bool {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let followed: usize = leases.values().map(|lease| lease.logs).sum();
        let has_room = followed + logs <= MAX_FOLLOWED;
        if has_room {
            leases.insert(id.to_owned(), Lease { until: Instant::now() + LEASE, logs });
        }
        has_room
    }

    fn until(&self, id: &str) -> Option<Instant> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.get(id).map(|lease| lease.until).filter(|until| *until > Instant::now())
    }

    fn may_send(&self, bytes: usize) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.get_or_insert_with(|| SendBudget::full(steady_millis())).take(bytes, steady_millis())
    }
}

/// The ends of logs, and what follows them. The result says which logs there are.
pub(super) async fn logs(
    context: &Arc<AgentContext>,
    followers: &Arc<Followers>,
    id: &str,
    asked: AskedLogs<'_>,
    reply: &Subject,
) -> Result<Value, DaemonFailure> {
    if asked.follow && followers.renew(id) {
        return Ok(json!({ "renewed": true }));
    }
    let programs = listed(context, FleetRole::Viewer, asked.select).await?;
    if asked.follow && !followers.add(id, programs.len()) {
        return Err(DaemonFailure::Refused(429, format!("more than {MAX_FOLLOWED} logs are followed")));
    }
    let channel = if asked.channel == LogChannel::Stdout { "stdout" } else { "stderr" };
    let mut read = Vec::new();
    for program in &programs {
        let (group, name) = (encoded(&program.group), encoded(&program.name));
        let path = format!("/api/v1/programs/{group}/{name}/logs/{channel}");
        let tail = asked.tail.min(MAX_TAIL);
        let end = tail.max(1);
        let (headers, bytes) = match context.daemon.read(&format!("{path}?offset=-{end}&length={end}")).await {
            Ok(end) => end,
            // There is no such log.
            Err(DaemonFailure::Refused(404, _)) => continue,
            Err(failure) => return Err(failure),
        };
        read.push(program.namespec());
        if tail > 0 && !bytes.is_empty() {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let piece = LogPiece { program: program.namespec(), text, dropped: 0 };
            answer(context, reply, &FleetAnswer::Log(piece)).await;
        }
        if asked.follow {
            let place = place_behind(&headers, bytes.len());
            let (context, followers) = (context.clone(), followers.clone());
            let (id, program, reply) = (id.to_owned(), program.clone(), reply.clone());
            tokio::spawn(async move { follow(&context, &followers, &id, &program, &path, place, &reply).await });
        }
    }
    Ok(json!({ "logs": read }))
}

/// Sends what is appended to one log until the lease ends, or the daemon.
async fn follow(
    context: &AgentContext,
    followers: &Followers,
    id: &str,
    program: &ProgramReport,
    path: &str,
    place: Option<String>,
    reply: &Subject,
) {
    let Ok(mut stream) = context.daemon.stream(&format!("{path}?follow"), place.as_deref()).await else { return };
    let mut dropped = 0;
    while let Some(until) = followers.until(id) {
        let event = tokio::select! {
            event = stream.next() => event,
            () = sleep_until(until) => continue,
        };
        let Ok(Some(event)) = event else { return };
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let Some(text) = data.get("text").and_then(Value::as_str) else { continue };
        if !followers.may_send(text.len()) {
            dropped += text.len() as u64;
            continue;
        }
        let piece = LogPiece { program: program.namespec(), text: text.to_owned(), dropped };
        dropped = 0;
        answer(context, reply, &FleetAnswer::Log(piece)).await;
    }
}

/// Where a log goes on behind what was read of it, as the daemon counts.
fn place_behind(headers: &HeaderMap, length: usize) -> Option<String> {
    let offset: u64 = headers.get("log-offset")?.to_str().ok()?.parse().ok()?;
    Some((offset + length as u64).to_string())
}
