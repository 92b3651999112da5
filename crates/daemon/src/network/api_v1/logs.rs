//! Logs: a part of one, all of it, and what is appended to it as a stream.

use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use supervisord_core::call::{Call, ProgramAction};
use supervisord_core::output::Channel;
use supervisord_wire::name::namespec;

use super::actions::act_on;
use super::endpoint::SchemaOf;
use super::messages::Nothing;
use super::parameters::{QueryKind, QueryParameter};
use super::problem::Problem;
use super::programs;
use super::request::{ApiRequest, LAST_EVENT_ID_PARAMETER, encoded, event_stream, json};
use crate::api::{LogPart, LogPlace};
use crate::network::logs::{Resume, Unfollowed};
use crate::network::reply::Reply;
use crate::rotated_log::RotatedLog;

/// How many bytes there are where none is said, and the most that are sent at once.
const LENGTH: u64 = 64 << 10;
const MOST: u64 = 4 << 20;

const LOG_OFFSET: HeaderName = HeaderName::from_static("log-offset");
const LOG_SIZE: HeaderName = HeaderName::from_static("log-size");

/// The log of a program that the path names.
pub(super) fn of_program(request: &ApiRequest<'_>) -> Result<(Channel, LogPlace, String), Problem> {
    let row = request.program()?;
    let name = namespec(&row.group, &row.config.identity.name);
    let word = request.parameters.get(2).map(String::as_str).unwrap_or_default();
    let channel = Channel::from_name(word)
        .ok_or_else(|| Problem::not_found(format!("there is no log '{word}': write stdout or stderr")))?;
    let place = request.api.log_of(request.actor, &row, channel)?.ok_or_else(|| {
        let is_redirected = row.config.logging.redirect_stderr && channel == Channel::Stderr;
        let why = match is_redirected {
            true => "its stderr goes to its stdout log (redirect_stderr)".to_owned(),
            false => {
                format!("{word}_logfile is NONE; {word}_log_memory=64KB would keep the end of its output in memory")
            }
        };
        Problem::not_found(format!("{name} has no {word} log: {why}"))
    })?;
    Ok((channel, place, name.replace(':', "-") + "-" + word))
}

/// A part of the log of a program, all of it, or what is appended to it.
pub(super) async fn get(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (_, place, name) = of_program(&request)?;
    show(&request, place, &name).await
}

/// The same of the activity log.
pub(super) async fn get_activity(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let file = request.api.activity_file(request.actor)?.map(str::to_owned);
    let file = file.ok_or_else(|| Problem::not_found("the daemon logs to syslog only (logfile=syslog)".to_owned()))?;
    let progress = request.api.activity.progress();
    progress.reach(progress.queued()).await;
    show(&request, LogPlace::File(RotatedLog { path: file, dates: None }), "supervisord").await
}

/// Empties a log of a program.
pub(super) async fn clear(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (channel, ..) = of_program(&request)?;
    let row = request.program()?;
    let action = ProgramAction::ClearLogs(Some(channel));
    let statuses = act_on(request.api, request.actor, action, std::slice::from_ref(&row), true).await?;
    match statuses.into_iter().next().map(|status| status.result) {
        Some(Err(refusal)) => Err(refusal.into()),
        _ => programs::shown(request.api, &row),
    }
}

/// Begins a new activity log.
pub(super) async fn clear_activity(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    request.api.call(request.actor, Call::ClearLog).await?;
    Ok(json(encoded(&Nothing {})?, request.api.answers.nothing()))
}

async fn show(request: &ApiRequest<'_>, place: LogPlace, name: &str) -> Result<Reply, Problem> {
    let accepts = request.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if request.has_flag("follow") || accepts.contains("text/event-stream") {
        return follow(request, place).await;
    }
    if request.has_flag("download") {
        return download(request, place, name).await;
    }
    let (offset, length) = range(request);
    Ok(part(request.api.read_part(request.actor, place, offset, length).await?))
}

/// The offset and the length that are asked for.
pub(super) fn range(request: &ApiRequest<'_>) -> (i64, u64) {
    let length = request.number("length").and_then(|length| u64::try_from(length).ok()).unwrap_or(LENGTH);
    (request.number("offset").unwrap_or(-(LENGTH as i64)), length.min(MOST))
}

/// The answer with a part of a log.
pub(super) fn part(LogPart { bytes, offset, size, reservation }: LogPart) -> Reply {
    let reply = text(Reply::whole(StatusCode::OK, bytes)).text(LOG_OFFSET, offset.to_string());
    reply.text(LOG_SIZE, size.to_string()).length().within(reservation)
}

/// A log may hold what a program was sent by strangers; no browser is to take it for a page.
fn text(reply: Reply) -> Reply {
    reply
        .text(CONTENT_TYPE, "text/plain; charset=utf-8")
        .text(CACHE_CONTROL, "no-store")
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

async fn follow(request: &ApiRequest<'_>, place: LogPlace) -> Result<Reply, Problem> {
    if *request.method == Method::HEAD {
        return Ok(event_stream(Reply::whole(StatusCode::OK, "")));
    }
    let resume = match request.last_event_id().map(|id| id.parse()) {
        None => Resume::AtEnd(LENGTH),
        Some(Ok(position)) => Resume::After(position, LENGTH),
        Some(Err(_)) => Resume::Elsewhere(LENGTH),
    };
    match request.logs.events(request.socket, place, resume).await {
        Ok(content) => {
            Ok(event_stream(Reply { status: StatusCode::OK, headers: Vec::new(), content, reservation: None }))
        }
        Err(Unfollowed::TooMany) => Err(Problem::too_many_streams()),
        Err(Unfollowed::NoFile) => Err(absent()),
    }
}

fn absent() -> Problem {
    Problem::not_found("the log does not exist yet, or is no regular file".to_owned())
}

async fn download(request: &ApiRequest<'_>, place: LogPlace, name: &str) -> Result<Reply, Problem> {
    let file = match place {
        LogPlace::File(log) => log.path,
        LogPlace::Memory(log) => {
            let kept = log.extent().bytes;
            let (offset, length) = (i64::try_from(kept.start).unwrap_or(i64::MAX), kept.end - kept.start);
            let whole = request.api.read_part(request.actor, LogPlace::Memory(log), offset, length).await?;
            return Ok(part(whole).text(CONTENT_DISPOSITION, attachment(name)));
        }
    };
    let (content, size) = match request.logs.download(request.socket, file).await {
        Ok(found) => found,
        Err(Unfollowed::TooMany) => return Err(Problem::too_many_streams()),
        Err(Unfollowed::NoFile) => return Err(absent()),
    };
    let reply = match *request.method == Method::HEAD || size == 0 {
        true => Reply::whole(StatusCode::OK, ""),
        false => Reply { status: StatusCode::OK, headers: Vec::new(), content, reservation: None },
    };
    Ok(text(reply).text(CONTENT_DISPOSITION, attachment(name)).text(hyper::header::CONTENT_LENGTH, size.to_string()))
}

/// The header that has a browser save a log with this name.
fn attachment(name: &str) -> String {
    let is_safe = |letter: char| letter.is_ascii_graphic() && !"\"\\/;".contains(letter);
    let safe: String = name.chars().map(|letter| if is_safe(letter) { letter } else { '_' }).collect();
    format!("attachment; filename=\"{safe}.log\"")
}

/// A part of a log.
#[derive(JsonSchema, Serialize)]
pub(super) struct OutputEvent {
    text: String,
}

/// A log that goes on elsewhere.
#[derive(JsonSchema, Serialize)]
pub(super) struct RotatedEvent {
    /// How many bytes were gone before they were read; null where nobody knows. Absent where none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Option<u64>>,
}

/// The events of a stream.
pub(super) const EVENTS: &[(&str, SchemaOf)] = &[
    ("output", |generator| generator.subschema_for::<OutputEvent>()),
    ("rotated", |generator| generator.subschema_for::<RotatedEvent>()),
];

/// What can be asked of a log.
pub(super) const QUERY: &[QueryParameter] = &[
    PART[0],
    PART[1],
    QueryParameter { name: "download", about: "The whole file, as an attachment", kind: QueryKind::Flag },
    QueryParameter { name: "follow", about: "A stream of what is appended", kind: QueryKind::Flag },
    LAST_EVENT_ID_PARAMETER,
];

/// Which part of a log is asked for.
pub(super) const PART: &[QueryParameter] = &[
    QueryParameter {
        name: "offset",
        about: "Where the part begins, in bytes; from the end where it is negative; -65536 by default",
        kind: QueryKind::Number(i64::MIN, i64::MAX),
    },
    QueryParameter {
        name: "length",
        about: "How many bytes at the most; 65536 by default",
        kind: QueryKind::Number(0, i64::MAX),
    },
];
