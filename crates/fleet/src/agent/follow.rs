//! Logs of this host, for somebody else: no more than a host may send, and only as long as somebody asks for more.
//!
//! Whatever is not sent is counted, and told. Each piece says where it begins and ends, so that whoever follows a log notices what
//! the network has lost, and can ask for it again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::answers::{answer, listed};
use super::context::{AgentContext, Attempts};
use super::followers::{Followers, Following, MAX_FOLLOWED};
use crate::daemon_link::{DaemonEvents, DaemonFailure, encoded};
use crate::log_place::SentLogPlace;
use crate::report::ProgramReport;
use crate::request::{FleetAnswer, LogChannel, LogPiece};
use crate::subjects::FleetRole;

/// The most bytes of one log that there was before.
const MAX_TAIL: u32 = 64 << 10;
/// How long after something was left out that is told, where nothing follows that could tell it.
const TELL_WITHIN: Duration = Duration::from_secs(1);

/// What is asked for.
pub(super) struct AskedLogs<'a> {
    pub(super) select: &'a [String],
    pub(super) channel: LogChannel,
    pub(super) tail: u32,
    pub(super) follow: bool,
    /// How far the logs of programs have been read.
    pub(super) places: &'a BTreeMap<String, SentLogPlace>,
}

/// The ends of logs, and what follows them. The result says which logs there are.
pub(super) async fn logs(
    context: &Arc<AgentContext>,
    followers: &Arc<Followers>,
    id: &str,
    asked: AskedLogs<'_>,
    reply: &Subject,
) -> Result<Value, DaemonFailure> {
    if !asked.follow {
        return begin(context, followers, None, &asked, reply).await;
    }
    let Some(following) = followers.begin(id) else { return Ok(json!({ "renewed": true })) };
    let begun = begin(context, followers, Some(&following), &asked, reply).await;
    if begun.is_err() {
        followers.end(&following);
    }
    begun
}

async fn begin(
    context: &Arc<AgentContext>,
    followers: &Arc<Followers>,
    following: Option<&Following>,
    asked: &AskedLogs<'_>,
    reply: &Subject,
) -> Result<Value, DaemonFailure> {
    let connection = context.nats.connection();
    let programs = listed(context, FleetRole::Viewer, asked.select).await?;
    if following.is_some_and(|following| !followers.take(following, programs.len())) {
        return Err(DaemonFailure::Refused(429, format!("more than {MAX_FOLLOWED} logs are followed")));
    }
    let channel = if asked.channel == LogChannel::Stdout { "stdout" } else { "stderr" };
    let mut read = Vec::new();
    for program in &programs {
        let (group, name) = (encoded(&program.group), encoded(&program.name));
        let path = format!("/api/v1/programs/{group}/{name}/logs/{channel}");
        let place = match asked.places.get(&program.namespec()) {
            Some(place) => {
                read.push(program.namespec());
                Some(*place)
            }
            None => {
                let tail = asked.tail.min(MAX_TAIL);
                let end = tail.max(1);
                match context.daemon.read(&format!("{path}?offset=-{end}&length={end}")).await {
                    Ok((headers, bytes)) => {
                        read.push(program.namespec());
                        let place = place_behind(&headers, bytes.len());
                        if tail > 0 && !bytes.is_empty() {
                            let text = String::from_utf8_lossy(&bytes).into_owned();
                            let piece = LogPiece { program: program.namespec(), text, place, ..LogPiece::default() };
                            answer(context, reply, &FleetAnswer::Log(piece)).await;
                        }
                        place
                    }
                    // There is no such log yet: all of it is new when it comes.
                    Err(DaemonFailure::Refused(404, _)) => Some(SentLogPlace { offset: 0, file: None }),
                    Err(failure) => return Err(failure),
                }
            }
        };
        if let Some(following) = following {
            let log = FollowedLog {
                context: context.clone(),
                followers: followers.clone(),
                following: following.clone(),
                connection,
                program: program.clone(),
                reply: reply.clone(),
                sent: place,
                read: place,
                dropped: 0,
                is_gap: false,
                tell_at: None,
            };
            tokio::spawn(log.follow(format!("{path}?follow")));
        }
    }
    Ok(json!({ "logs": read }))
}

/// One log that somebody follows.
struct FollowedLog {
    context: Arc<AgentContext>,
    followers: Arc<Followers>,
    following: Following,
    connection: u64,
    program: ProgramReport,
    reply: Subject,
    /// The place that has been told, and the one behind what was read.
    sent: Option<SentLogPlace>,
    read: Option<SentLogPlace>,
    /// How many bytes have been left out since.
    dropped: u64,
    /// Whether what was in between is gone.
    is_gap: bool,
    /// When that has to be told.
    tell_at: Option<Instant>,
}

impl FollowedLog {
    /// Sends what is appended, also after the daemon was upgraded or restarted, until nobody asks for it any more.
    async fn follow(mut self, path: String) {
        let mut attempts = Attempts::new();
        while self.followers.until(&self.following).is_some() && self.is_connected() {
            let place = self.read.map(|place| place.to_string());
            // Why a log cannot be followed now, the status of the host and its programs say.
            if let Ok(stream) = self.context.daemon.stream(&path, place.as_deref()).await
                && self.pass_on(stream).await
            {
                attempts = Attempts::new();
            }
            self.tell_losses().await;
            attempts.pause().await;
        }
        if !self.is_connected() {
            // What was sent last may not have arrived. Whoever follows asks again, and says how far he has read.
            self.followers.end(&self.following);
        }
    }

    fn is_connected(&self) -> bool {
        self.context.nats.connection() == self.connection
    }

    /// Sends what comes until the stream or the interest in it ends. Returns whether something came.
    async fn pass_on(&mut self, mut stream: DaemonEvents) -> bool {
        let mut is_begun = false;
        while let Some(until) = self.followers.until(&self.following) {
            let tell_at = self.tell_at.unwrap_or(until);
            let event = tokio::select! {
                biased;
                () = self.context.nats.lost(self.connection) => break,
                event = stream.next() => event,
                () = sleep_until(tell_at), if self.tell_at.is_some() => {
                    self.tell_losses().await;
                    continue;
                }
                () = sleep_until(until) => continue,
            };
            let Ok(Some(event)) = event else { break };
            let place = event.id.parse::<SentLogPlace>().ok().or(self.read);
            let is_first = !std::mem::replace(&mut is_begun, true);
            match event.name.as_str() {
                "rotated" if is_first => {
                    // Where this log was read up to is gone.
                    self.is_gap = true;
                    self.read = place;
                    self.tell_losses().await;
                }
                "rotated" => {
                    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                    match data.get("skipped") {
                        Some(Value::Null) => self.is_gap = true,
                        Some(skipped) => self.left_out(skipped.as_u64().unwrap_or(0)),
                        // An older daemon does not say it.
                        None => {
                            let skipped = self.read.zip(place).and_then(|(read, place)| read.bytes_to(&place));
                            self.left_out(u64::try_from(skipped.unwrap_or(0)).unwrap_or(0));
                        }
                    }
                    self.read = place;
                    if self.is_gap {
                        self.tell_losses().await;
                    }
                }
                "output" => {
                    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                    let text = data.get("text").and_then(Value::as_str).unwrap_or_default();
                    self.read = place;
                    if self.followers.may_send(text.len()) {
                        self.send(text.to_owned()).await;
                    } else {
                        self.left_out(text.len() as u64);
                    }
                }
                // It says where the stream stands.
                _ => {
                    self.read = place;
                    if is_first && self.dropped == 0 {
                        self.send(String::new()).await;
                    }
                }
            }
        }
        is_begun
    }

    fn left_out(&mut self, bytes: u64) {
        self.dropped += bytes;
        if self.dropped > 0 && self.tell_at.is_none() {
            self.tell_at = Some(Instant::now() + TELL_WITHIN);
        }
    }

    /// Says what has been left out, where that has not been said.
    async fn tell_losses(&mut self) {
        if self.dropped > 0 || self.is_gap {
            self.send(String::new()).await;
        }
    }

    async fn send(&mut self, text: String) {
        // Without a connection, it would wait in memory and be lost with a part of the rest.
        if !self.is_connected() {
            return;
        }
        let piece = LogPiece {
            program: self.program.namespec(),
            text,
            dropped: std::mem::take(&mut self.dropped),
            is_gap: std::mem::take(&mut self.is_gap),
            after: std::mem::replace(&mut self.sent, self.read),
            place: self.read,
        };
        self.tell_at = None;
        answer(&self.context, &self.reply, &FleetAnswer::Log(piece)).await;
    }
}

/// Where a log goes on behind what was read of it, as the daemon counts.
fn place_behind(headers: &HeaderMap, length: usize) -> Option<SentLogPlace> {
    let offset: u64 = headers.get("log-offset")?.to_str().ok()?.parse().ok()?;
    Some(SentLogPlace { offset: offset + length as u64, file: None })
}
