//! What happens, as a stream of server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::actor::Actor;
use supervisord_core::event::{Event, SupervisorState};
use supervisord_core::history::{Numbered, Since};
use supervisord_core::process::StateDetail;
use supervisord_sys::start_time::boot_id;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::endpoint::SchemaOf;
use super::messages::Nothing;
use super::problem::Problem;
use super::request::{ApiRequest, event_stream};
use super::usage::{self, UsageResource};
use crate::api::Api;
use crate::network::reply::{Broken, Reply};
use crate::network::streams::{COME_BACK_SOON, PIECE, StreamSource};

/// How many events are sent at once.
const AT_ONCE: usize = 16;

/// With more bytes no further event is added to a piece.
const ENOUGH: usize = PIECE / 2;

/// Numbers of events mean nothing after the next boot, whose name is therefore a part of each id.
static BOOT: LazyLock<String> = LazyLock::new(|| boot_id().unwrap_or_default().chars().take(8).collect());

pub(super) async fn stream(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (api, actor) = (request.api.clone(), request.actor.clone());
    // Whatever the client has got before, it needs the right to view.
    let present = api.view(&actor)?.last_event();
    let after = match request.last_event_id() {
        None => Some(present),
        Some(id) => known(&id),
    };
    let usage = request.number("usage").and_then(|seconds| u64::try_from(seconds).ok());
    let reply = match *request.method == Method::HEAD {
        true => Reply::whole(StatusCode::OK, ""),
        false => {
            let slot = request.streams.slot().ok_or_else(Problem::too_many_streams)?;
            // No event has the number 0: who has been here before another boot has missed something.
            let last = after.unwrap_or(0);
            let usage = usage.map(|seconds| UsageTimer::every(Duration::from_secs(seconds)));
            let followed =
                FollowedEvents { api, actor, last, revision: 0, is_begun: false, usage, waiting: Bytes::new() };
            let content = slot.start(followed, request.socket.clone());
            Reply { status: StatusCode::OK, headers: Vec::new(), content, reservation: None }
        }
    };
    Ok(event_stream(reply))
}

/// The number of the last event that the client has got; `None` for what is no id of this boot.
fn known(id: &str) -> Option<u64> {
    let (boot, number) = id.split_once('-')?;
    number.parse().ok().filter(|_| boot == *BOOT)
}

/// The events that one client follows.
struct FollowedEvents {
    api: Arc<Api>,
    actor: Actor,
    /// The number of the last one that was sent.
    last: u64,
    /// The revision of the view before it was read.
    revision: u64,
    /// Whether the client has been told where it stands.
    is_begun: bool,
    /// For a client that wants to know what programs use.
    usage: Option<UsageTimer>,
    /// The rest of an event that is longer than a piece.
    waiting: Bytes,
}

/// When a client is told again what programs use.
struct UsageTimer {
    interval: Interval,
    is_due: bool,
}

impl UsageTimer {
    fn every(period: Duration) -> UsageTimer {
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        UsageTimer { interval, is_due: false }
    }
}

impl FollowedEvents {
    /// The next piece of the event that tells what programs use.
    async fn usage(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.waiting.is_empty() {
            match &mut self.usage {
                Some(timer) if timer.is_due => timer.is_due = false,
                _ => return Ok(None),
            }
            // Where it cannot be known this time, it may be the next time.
            let Ok(data) = usage::text(&self.api, &self.actor).await else { return Ok(None) };
            self.waiting = [b"event: usage\ndata: ", &*data, b"\n\n"].concat().into();
        }
        Ok(Some(self.waiting.split_to(self.waiting.len().min(PIECE))))
    }
}

impl StreamSource for FollowedEvents {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        if let Some(piece) = self.usage().await? {
            return Ok(Some(piece));
        }
        let view = self.api.view(&self.actor).map_err(|_| Broken)?;
        self.revision = view.revision();
        let Since { events, has_gap } = view.events_since(self.last, AT_ONCE);
        let mut text = String::new();
        if !self.is_begun {
            text.push_str(COME_BACK_SOON);
        }
        if has_gap {
            self.last = events.first().map_or_else(|| view.last_event(), |first| first.number.saturating_sub(1));
            push(&mut text, self.last, "gap", "{}");
        } else if !self.is_begun {
            // Without data it is no event for the client, but it begins after this one when it comes back.
            push_id(&mut text, self.last);
            text.push('\n');
        }
        self.is_begun = true;
        for event in &events {
            self.last = event.number;
            push_event(&mut text, event);
            if text.len() > ENOUGH {
                // The next read goes on after this one.
                break;
            }
        }
        Ok(Some(text).filter(|text| !text.is_empty()).map(Bytes::from))
    }

    async fn changed(&mut self) {
        // Where the right is gone, the next attempt to read ends the stream.
        let Ok(view) = self.api.view(&self.actor) else { return };
        match &mut self.usage {
            None => view.after(self.revision).await,
            Some(timer) => tokio::select! {
                () = view.after(self.revision) => (),
                _ = timer.interval.tick() => timer.is_due = true,
            },
        }
    }

    fn recheck(&mut self) {}
}

fn push_id(text: &mut String, number: u64) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "id: {}-{number}", *BOOT);
}

fn push(text: &mut String, number: u64, name: &str, data: &str) {
    push_id(text, number);
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
}

/// What happened to a process. Members that do not belong to a change are left out.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProcessEvent<'a> {
    time: f64,
    group: &'a str,
    name: &'a str,
    from: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// How many attempts to start have failed in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<i64>,
    /// Whether the exit status is one of `exitcodes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
}

/// A process has become healthy or unhealthy.
#[derive(Serialize, JsonSchema)]
pub(super) struct HealthEvent<'a> {
    time: f64,
    group: &'a str,
    name: &'a str,
    from: &'static str,
    health: &'static str,
    /// Why it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// A hook of a process has failed.
#[derive(Serialize, JsonSchema)]
pub(super) struct HookEvent<'a> {
    time: f64,
    group: &'a str,
    name: &'a str,
    /// The option that has it.
    hook: String,
    reason: &'a str,
}

/// Output of a process did not get into its log.
#[derive(Serialize, JsonSchema)]
pub(super) struct LossEvent<'a> {
    time: f64,
    group: &'a str,
    name: &'a str,
    /// `stdout` or `stderr`.
    stream: &'static str,
    /// How many bytes of the stream were lost until now.
    lost_bytes: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GroupEvent<'a> {
    time: f64,
    group: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DaemonEvent {
    time: f64,
    state: &'static str,
}

fn push_event(text: &mut String, Numbered { number, at, event }: &Numbered) {
    let time = at.as_millis() as f64 / 1000.0;
    let (name, data) = match event {
        Event::ProcessState { process, from, to, detail } => {
            let (pid, tries, expected) = match *detail {
                StateDetail::None => (None, None, None),
                StateDetail::Tries(tries) => (None, Some(tries), None),
                StateDetail::Pid(pid) => (Some(pid).filter(|pid| *pid != 0), None, None),
                StateDetail::Exit { expected, pid } => (Some(pid), None, Some(expected)),
            };
            let (group, name) = (&*process.group, &*process.process);
            let (from, state) = (from.name(), to.name());
            ("process_state", json(&ProcessEvent { time, group, name, from, state, pid, tries, expected }))
        }
        Event::ProcessGroupAdded(group) => ("group_added", json(&GroupEvent { time, group })),
        Event::ProcessGroupRemoved(group) => ("group_removed", json(&GroupEvent { time, group })),
        Event::SupervisorState(state) => {
            let state = match state {
                SupervisorState::Running => "RUNNING",
                SupervisorState::Stopping => "STOPPING",
            };
            ("supervisor_state", json(&DaemonEvent { time, state }))
        }
        Event::ProcessHealth { process, from, to, reason } => {
            let (group, name) = (&*process.group, &*process.process);
            let (from, health, reason) = (from.word(), to.word(), reason.as_deref());
            ("process_health", json(&HealthEvent { time, group, name, from, health, reason }))
        }
        Event::HookFailed { process, hook, reason } => {
            let (group, name, hook) = (&*process.group, &*process.process, hook.word().replace('-', "_"));
            ("hook_failed", json(&HookEvent { time, group, name, hook, reason }))
        }
        Event::OutputLost { process, channel, lost_bytes } => {
            let (group, name, lost_bytes) = (&*process.group, &*process.process, *lost_bytes);
            ("output_lost", json(&LossEvent { time, group, name, stream: channel.name(), lost_bytes }))
        }
        // The history keeps none of these.
        Event::ProcessLog(_)
        | Event::ProcessCommunication(_)
        | Event::RemoteCommunication { .. }
        | Event::Tick { .. } => return,
    };
    push(text, *number, name, &data);
}

fn json(event: &impl Serialize) -> String {
    // These are plain data, which JSON can always express.
    serde_json::to_string(event).unwrap_or_default()
}

/// The events of the stream, with their data.
pub(super) const EVENTS: &[(&str, SchemaOf)] = &[
    ("process_state", |generator| generator.subschema_for::<ProcessEvent<'_>>()),
    ("process_health", |generator| generator.subschema_for::<HealthEvent<'_>>()),
    ("hook_failed", |generator| generator.subschema_for::<HookEvent<'_>>()),
    ("output_lost", |generator| generator.subschema_for::<LossEvent<'_>>()),
    ("group_added", |generator| generator.subschema_for::<GroupEvent<'_>>()),
    ("group_removed", |generator| generator.subschema_for::<GroupEvent<'_>>()),
    ("supervisor_state", |generator| generator.subschema_for::<DaemonEvent>()),
    ("gap", |generator| generator.subschema_for::<Nothing>()),
    ("usage", |generator| generator.subschema_for::<UsageResource<'_>>()),
];
